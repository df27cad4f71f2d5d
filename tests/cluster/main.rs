//! The tests that run against real parts: a real control plane, real HTTP services behind its pods, a real
//! Prometheus, the real Argo Rollouts controller.
//!
//! Everything is started by the test process itself, on loopback, and goes with it. The binaries come from
//! `tests/testbed/build`; a missing one is a failure that says so.

mod access;
mod agent;
mod alert_rules;
mod alertmanager;
mod analyses;
mod argo;
mod autoscaler;
mod backtest;
mod bed;
mod case;
mod check;
mod cluster_metrics;
mod crash;
mod creeping;
mod fault;
mod fault_proxy;
mod hazards;
mod jobs;
mod kubernetes;
mod local_server;
mod manifests;
mod namespace;
mod object_status;
mod once;
mod operation;
mod operations;
mod pausing;
mod people;
mod prometheus;
mod proofs;
mod queue;
mod receiver;
mod redis;
mod replicas;
mod reports;
mod resources;
mod rules;
mod scaling;
mod scenario;
mod script;
mod services;
mod stepping;
mod traffic;
mod wait;
mod workloads;
