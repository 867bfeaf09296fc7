//! The audit log: `append` writes it, as a chain; `chain` knows where each chain stands, and brings in, once, rows that were written before
//! there was one; `read` gives it; `checkpoint` keeps its signed heads; `sensors` keeps where the sensors' own logs stand.

mod append;
mod chain;
mod checkpoint;
mod read;
mod sensors;

pub(super) use append::{append, insert, with_entry};
pub(super) use chain::{chain_all, kept};
