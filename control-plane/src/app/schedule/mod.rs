//! Runs that nobody asks for: what time it is for whom.
//!
//! The arithmetic is pure. What operators say, clocks that are set twice a year, and spans without starts are of the store, which has to decide by
//! them too ([`Schedule`](portolan_store::Schedule), [`ZoneName`](portolan_store::ZoneName), [`Blackouts`](portolan_store::Blackouts)). `slots` are the
//! moments that an expression names; `draw` makes numbers that look random and follow from the registry; `starts` puts these together; `decide` says what is to be done for one
//! registry now. `upcoming` shows the same to people, `promise` says how old they let things become, `check` refuses what would never start. `keep` is the one loop that acts: whatever it does is
//! decided again by the store, so that two control planes start nothing twice. `events` takes over what push events named, `overdue`
//! says what has waited for a while, `lapses` ends what has waited or worked for too long, `pause` is the operator's hand on it.
//!
//! No run stays as it is for ever. Each state that is not an end has a limit, somebody who sees to it, and a finding that says so:
//!
//! | a run is | until, at the latest | then | by | with the finding |
//! | --- | --- | --- | --- | --- |
//! | `queued`, and any sensor may take it | 48 hours after nothing else kept it waiting | `failed` | `lapses` | `run.not_taken` |
//! | `queued`, waiting for other things (`schedule.blackout`, `registry.budget_spent`) before it has begun | 31 days after it was queued; `schedule.blackout` after it had begun: 31 days of waiting for that | `failed` | `lapses` | `run.not_taken` |
//! | `queued` again after an attempt that failed or was lost | its deadline: so long after its first lease as runs of the registry may take, and later by as long as blackouts made it wait | `failed` | `lapses` | `run.too_long` |
//! | `leased`, and nobody renews its lease | 75 seconds after the last renewal | `queued` again | the reaper, or the sensor's next session | `run.sensor_lost` |
//! | `leased` for the fifth time without having committed anything | the end of that attempt | `failed` | whoever ends the attempt | that of the attempt, or `run.sensor_lost` |
//! | `leased`, and its lease is renewed | its deadline | `failed` | `lapses` | `run.too_long` |
//! | `complete`, `partial`, `failed` or `cancelled` | it has ended | | | |
//!
//! After the start of a process, and after a leap of the clock, the reaper waits for half a minute and `lapses` for five before they end anything. What a
//! clock has written that was ahead is put right by the store when it is set back.

mod check;
mod decide;
mod draw;
mod events;
mod keep;
mod lapses;
mod overdue;
mod pause;
mod promise;
mod slots;
mod starts;
mod upcoming;

pub(in crate::app) use check::check_schedule;
pub(in crate::app) use overdue::{overdue, with_lateness};
pub use promise::Promises;
pub(in crate::app) use promise::lets_become_older;
pub use upcoming::{NEXT_STARTS, PreviewStarts, next_starts};

#[cfg(test)]
mod tests;
