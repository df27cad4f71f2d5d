//! The pure part of Recant: from observations to records and effects.
//!
//! Data flows one way: observation -> measurement -> judge -> analysis -> guard -> plan -> record and effect.
//! [`engine::Engine::tick`] is the only place where anything is decided. Nothing here reads a clock, a file,
//! the environment or a random number, and nothing here can fail on data from outside: broken input is data (P1, P2).

pub mod access;
pub mod analysis;
pub mod argo;
pub mod audit;
pub mod change;
pub mod command;
pub mod drift;
pub mod engine;
pub mod evidence;
pub mod explain;
pub mod gate;
pub mod git_sync;
pub mod guard;
pub mod history;
pub mod hook;
pub mod ids;
pub mod incident;
pub mod judge;
pub mod kayenta;
pub mod ledger;
pub mod measurement;
pub mod notice;
pub mod observation;
pub mod operation;
pub mod pause;
pub mod plan;
pub mod preflight;
pub mod record;
pub mod restored;
pub mod rule;
pub mod saga;
pub mod scaling;
pub mod sequential;
pub mod share;
pub mod silence;
pub mod snapshot;
pub mod spec;
pub mod stepping;
pub mod suspension;
pub mod target;
pub mod testcase;
pub mod time;
pub mod traffic;
pub mod verify;
pub mod webhook;
pub mod wording;
