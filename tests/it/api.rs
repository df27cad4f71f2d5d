//! The API port over real connections: what others are told about releases, and who is heard.

mod access;
mod analysed;
mod approve;
mod argo;
mod bed;
mod callers;
mod flagger;
mod hooks;
mod kayenta;
mod limits;
mod load;
mod naming;
mod openapi;
mod orders;
mod prometheus;
