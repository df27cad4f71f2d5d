//! What the user configures: rule files, and the settings of the agent.
//!
//! The only place that reads configuration from files, environment and flags; meaning is given to rule documents by
//! `recant_core::spec`.

pub mod callers;
pub mod changes;
mod checks;
pub mod files;
pub mod rules;
pub mod settings;
