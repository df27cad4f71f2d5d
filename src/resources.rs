//! Custom resources: documents that teams keep in the cluster, and what is said back about them.
//!
//! `load` puts them beside the files, one by one; `history` and `status` make of records and snapshots what their status
//! says, without looking at a cluster; `teller` writes that, on change only; `event` says what happened to a target.

mod event;
mod history;
mod load;
mod status;
mod teller;

pub use event::of_record;
pub use history::History;
pub use load::{Loaded, Loader, Standing};
pub use teller::{Teller, Told, Writes};
