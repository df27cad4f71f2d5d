//! The commands, one file each: what is printed, and the exit code.

pub mod check;
