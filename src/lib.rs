//! Recant: takes a bad release back. The adapters and the wiring around `recant-core`.

pub mod actuate;
pub mod agent;
pub mod analysis;
pub mod backtest;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod convert;
pub mod demo;
pub mod http;
pub mod journal;
pub mod json_path;
mod library_error;
pub mod notify;
pub mod replay;
pub mod resources;
pub mod ruletest;
pub mod schema;
pub mod secrets;
pub mod source;
pub mod telemetry;
pub mod tls;
