//! The engine in a scripted world: what it records, does and tells, second by second.

mod rules;
mod target;
mod world;

mod bad;
mod good;
mod guards;
mod releases;
mod rollouts;
mod sources;
