//! What a clock on the wall shows, as moments. Where it is set forward some times never come, where it is set back some come twice.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, ToSpan as _};

const DAY: i64 = 24 * 60 * 60;

/// The first moment at which the clock shows this, or for the first time shows something later.
pub(super) fn first(zone: &TimeZone, shown: DateTime) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(shown).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(shown).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(shown).ok(),
        AmbiguousOffset::Gap { before, .. } => set_forward(zone, before, shown),
    }
}

/// The last moment at which the clock shows this, or for the first time shows something later.
pub(super) fn last(zone: &TimeZone, shown: DateTime) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(shown).offset() {
        AmbiguousOffset::Fold { after, .. } => after.to_timestamp(shown).ok(),
        _ => first(zone, shown),
    }
}

/// When the clock was set forward over what it would show had it not been.
fn set_forward(zone: &TimeZone, before: Offset, shown: DateTime) -> Option<Timestamp> {
    let without = before.to_timestamp(shown).ok()?;
    let just_after = without.checked_add(SignedDuration::from_secs(1)).ok()?;
    zone.preceding(just_after).next().map(|set| set.timestamp())
}

/// So many seconds after midnight of a day, or of the next.
pub(super) fn at(day: Date, seconds: i64) -> Option<DateTime> {
    let day = day.checked_add((seconds / DAY).days()).ok()?;
    day.at(0, 0, 0, 0)
        .checked_add(SignedDuration::from_secs(seconds % DAY))
        .ok()
}
