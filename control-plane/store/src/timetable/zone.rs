//! In which time zone.

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

use super::error::{TimetableError, shown};

/// A time zone of the IANA database that is built in, so that every replica reckons with the same rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneName(TimeZone);

impl ZoneName {
    /// Its name, spelt as the database does.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Its rules.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.0
    }

    /// The first moment at which its clock shows this, or for the first time shows something later: where it is set forward some times never come,
    /// where it is set back some come twice. `None` beyond the calendar.
    #[must_use]
    pub fn first(&self, shown: DateTime) -> Option<Timestamp> {
        #[cfg(test)]
        work::count();
        match self.0.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(shown).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(shown).ok(),
            AmbiguousOffset::Gap { before, .. } => self.set_forward(before, shown),
        }
    }

    /// The last moment at which its clock shows this, or for the first time shows something later.
    #[must_use]
    pub fn last(&self, shown: DateTime) -> Option<Timestamp> {
        match self.0.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Fold { after, .. } => after.to_timestamp(shown).ok(),
            _ => self.first(shown),
        }
    }

    /// When the clock was set forward over what it would show had it not been.
    fn set_forward(&self, before: Offset, shown: DateTime) -> Option<Timestamp> {
        let without = before.to_timestamp(shown).ok()?;
        let just_after = without.checked_add(SignedDuration::from_secs(1)).ok()?;
        self.0.preceding(just_after).next().map(|set| set.timestamp())
    }

    /// Every name, for completion, in order.
    #[must_use]
    pub fn all() -> Vec<String> {
        let mut names: Vec<String> = TimeZoneDatabase::bundled()
            .available()
            .map(|name| name.as_str().to_owned())
            .filter(|name| name.parse::<Self>().is_ok())
            .collect();
        names.sort_unstable();
        names
    }
}

impl Default for ZoneName {
    /// UTC.
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl FromStr for ZoneName {
    type Err = TimetableError;

    /// In any case of letters.
    fn from_str(text: &str) -> Result<Self, TimetableError> {
        TimeZoneDatabase::bundled()
            .get(text)
            .ok()
            .filter(|zone| !zone.is_unknown() && zone.iana_name().is_some())
            .map(Self)
            .ok_or_else(|| TimetableError::Zone(shown(text)))
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Counts how often moments are looked for, for tests of how much work something is.
#[cfg(test)]
pub(super) mod work {
    use std::cell::Cell;

    std::thread_local! {
        static DONE: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn count() {
        DONE.set(DONE.get() + 1);
    }

    /// Moments that this thread has looked for.
    pub(in crate::timetable) fn done() -> u64 {
        DONE.get()
    }
}
