//! `portolan sensor`: `command` is what can be said, `sheet` shows one, `story` tells how it came to be what it is.

mod command;
mod sheet;
mod story;

pub(super) use command::SensorCommand;
pub(super) use command::{REVOKED, run};
