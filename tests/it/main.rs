//! Tests of the whole program that need no cluster.

mod alerts;
mod always_documents;
mod check;
mod check_settings;
mod demo;
mod faulty_documents;
mod faulty_values;
mod good_documents;
mod help;
mod hostile_documents;
mod house;
mod http;
mod journal_command;
mod judge_kayenta;
mod manifests;
mod notify;
mod program;
mod promql_oracle;
mod readme;
mod rule_tests;
mod run;
mod schema;
mod settings;
mod source;
mod templates;
mod value_documents;
