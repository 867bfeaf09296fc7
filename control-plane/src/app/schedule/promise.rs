//! How old what is known of a registry may become by its schedule.

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::RegistryId;
use portolan_store::Schedule;

use super::starts::Starts;

/// Starts that are looked at: a week of a schedule that leaves some of its days out.
const STARTS: usize = 9;

/// The longest time between two of the next starts of a schedule, whether or not it is paused: what it promises about the age of what is known. None
/// for one without starts.
pub(in crate::app) fn promised(
    schedule: &Schedule,
    registry: RegistryId,
    now: Timestamp,
) -> Option<SignedDuration> {
    let starts: Vec<_> = Starts::of(schedule, registry).after(now).take(STARTS).collect();
    let gaps = starts.iter().zip(starts.iter().skip(1));
    gaps.map(|(one, next)| next.duration_since(*one)).max()
}
