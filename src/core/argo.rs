//! Argo Rollouts' analyses, with exactly its controller's semantics (1.10.1): conditions, measurements, metrics, runs,
//! arguments and what the answers of its providers become.
//!
//! Nothing of it is used by Recant's own judge: it is for those who bring their analysis templates. Its weaknesses are
//! kept on purpose, since the phase at the end has to be the controller's. "Recorded" in comments means
//! `tests/reference/argo-oracle.json`, where the controller's own code answered; where that code panics, ours answers
//! Error and says why. Everything is pure: no I/O, no clock, and every input is bounded.

pub mod argument;
pub mod condition;
pub mod expression;
pub mod json;
pub mod json_path;
pub mod metric;
pub mod provider;
pub mod replay;
pub mod rollout;
pub mod run;
pub mod template;
#[cfg(test)]
mod tests;
pub mod validate;

pub use self::condition::{Condition, Conditions, Phase};
