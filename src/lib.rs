//! Recant: takes a bad release back. The adapters and the wiring around `recant-core`.

pub mod cli;
pub mod cluster;
pub mod config;
pub mod journal;
pub mod source;
