//! Tests of the whole program that need no cluster.

mod alerts;
mod check;
mod faulty_documents;
mod good_documents;
mod hostile_documents;
mod house;
mod http;
mod notify;
mod promql_oracle;
mod settings;
mod source;
