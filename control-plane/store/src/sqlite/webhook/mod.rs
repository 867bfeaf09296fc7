//! Outgoing webhooks. `change` is what people do to them, `records` reads them, `due` finds those to which there is something to deliver,
//! `deliver` holds one and keeps what came of it, `log` is its last attempts, `tend` is what is done now and then; `traits` hands the trait's
//! methods to them.

mod change;
mod deliver;
mod due;
mod log;
mod records;
mod tend;
mod traits;
