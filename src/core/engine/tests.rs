//! The engine in a scripted world: what it records, does and tells, second by second.

mod routes;
mod rules;
mod target;
mod workers;
mod world;

mod alerts;
mod always;
mod approvals;
mod bad;
mod before_rollback;
mod compared;
mod crash;
mod drifting;
mod good;
mod guards;
mod guards_of_all;
mod hazard_11;
mod hooks;
mod levels;
mod look_back;
mod objects;
mod on_request;
mod operations;
mod pausing;
mod people;
mod plans;
mod properties;
mod releases;
mod reload;
mod reload_always;
mod rollouts;
mod silences;
mod sources;
mod stepping;
mod webhooks;
