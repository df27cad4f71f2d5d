//! Everything that needs no cluster.

mod check;
mod faulty_documents;
mod good_documents;
mod hostile_documents;
mod promql_oracle;
