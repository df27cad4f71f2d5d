//! Recant: takes a bad release back. The adapters and the wiring around `recant-core`.
//!
//! Without the feature `whole` there is only the wiring: what decides is given to the seams by whoever builds it, and
//! nothing is here that reaches the outside. `tests/simulate` builds that in a fraction of the time.
#![cfg_attr(
    not(feature = "whole"),
    allow(dead_code, unused_imports, reason = "only the adapters use it")
)]

pub mod actuate;
pub mod agent;
#[cfg(feature = "whole")]
pub mod analysis;
#[cfg(feature = "whole")]
pub mod backtest;
#[cfg(feature = "whole")]
pub mod cli;
pub mod clock;
pub mod cluster;
#[cfg(feature = "whole")]
pub mod config;
#[cfg(feature = "whole")]
pub mod convert;
#[cfg(feature = "whole")]
pub mod demo;
#[cfg(feature = "whole")]
pub mod http;
/// What the wiring itself has of it.
#[cfg(not(feature = "whole"))]
pub mod http {
    pub mod api {
        mod token;
        pub use token::Token;
    }
    pub mod approval;
    pub mod orders;
    pub mod reports;
}
pub mod journal;
#[cfg(feature = "whole")]
pub mod json_path;
#[cfg(feature = "whole")]
mod library_error;
pub mod notify;
#[cfg(feature = "whole")]
pub mod replay;
#[cfg(feature = "whole")]
pub mod resources;
#[cfg(feature = "whole")]
pub mod ruletest;
#[cfg(feature = "whole")]
pub mod schema;
pub mod secrets;
pub mod source;
#[cfg(feature = "whole")]
pub mod telemetry;
pub mod tls;
