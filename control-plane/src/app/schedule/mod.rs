//! Runs that nobody asks for: what time it is for whom.
//!
//! The arithmetic is pure: `slots` are the moments that an expression names, on `wall` clocks that are set twice a year; `blackouts` are spans without
//! starts; `draw` makes numbers that look random and follow from the registry; `starts` puts these together; `decide` says what is to be done for one
//! registry now. `upcoming` shows the same to people, `check` refuses what would never start. `keep` is the one loop that acts: whatever it does is
//! decided again by the store, so that two control planes start nothing twice. `events` takes over what push events named, `overdue`
//! says what has waited for a while, `lapses` ends what has waited or worked for too long, `pause` is the operator's hand on it.

mod blackouts;
mod check;
mod decide;
mod draw;
mod events;
mod keep;
mod lapses;
mod overdue;
mod pause;
mod slots;
mod starts;
mod upcoming;
mod wall;

pub(in crate::app) use check::check_schedule;
pub(in crate::app) use overdue::{OVERDUE_AFTER, with_lateness};
pub use upcoming::{NEXT_STARTS, PreviewStarts, next_starts};

#[cfg(test)]
mod tests;
