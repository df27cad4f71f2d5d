//! Proofs that the bed is what it says: real enough that tests on it mean something.

mod control_plane;
mod faults;
mod jobs;
mod pods;
mod prometheus;
mod rollout;
mod scaling;
mod series;
mod servers;
mod services;
mod undo;
mod webhooks;
