//! What the judge promises: the vectors of its specification, its properties, and what broken input does.

mod allocations;
mod arbitrary;
mod doubts;
mod enumeration;
mod error_rates;
mod gates;
mod hostile;
mod properties;
mod together;
mod vectors;
