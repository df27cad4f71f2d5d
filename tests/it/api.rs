//! The API port over real connections: what others are told about releases, and who is heard.

mod access;
mod analysed;
mod argo;
mod bed;
mod flagger;
mod hooks;
mod kayenta;
mod load;
mod naming;
mod prometheus;
