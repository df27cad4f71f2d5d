//! Everything that needs no cluster, as one binary.

mod source;
