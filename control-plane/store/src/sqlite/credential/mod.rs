//! Sealed credentials and sealing keys. `keys` are the sensors' own; `put` takes versions into use and out of it; `deliver` gives one sensor
//! what it may have; `wraps` renews what older keys were sealed to; `records` is what people see; `usable` is the one condition under which
//! a sensor can open what a registry is read with.

mod deliver;
mod keys;
mod put;
mod records;
mod traits;
mod usable;
mod worked;
mod wraps;

pub(super) use put::{current, drop_all, in_use, put_within, recipients};
pub(super) use usable::can_open;
pub(super) use worked::{run_worked, was_let_in};
