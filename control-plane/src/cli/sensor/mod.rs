//! `portolan sensor`: `command` is what can be said, `sheet` shows one, `rotate` names the credentials that it should not know any more, `story` tells how it came to be what it is.

mod command;
mod rotate;
mod sheet;
mod story;

pub(super) use command::SensorCommand;
pub(super) use command::{REVOKED, run};
