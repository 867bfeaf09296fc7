//! In which time zone.

use std::fmt;
use std::str::FromStr;

use jiff::tz::{TimeZone, TimeZoneDatabase};

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
