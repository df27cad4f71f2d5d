//! Tests of the whole program that need no cluster.

mod alerts;
mod http;
mod notify;
