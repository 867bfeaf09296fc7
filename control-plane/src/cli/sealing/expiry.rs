//! When a login ends.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use portolan_shared::secret::sealed::UnixSecond;

use crate::cli::failure::CliError;

/// A day, from whose first second in UTC on a login is not to be used; or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expiry(Timestamp);

impl FromStr for Expiry {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
        let time = text.parse().ok();
        time.or_else(|| day().map(|day| day.timestamp()))
            .map(Self)
            .ok_or("expected a day such as 2027-03-31, or a time such as 2027-03-31T18:00:00Z")
    }
}

impl Expiry {
    /// The time, if it is still to come.
    pub(super) fn after(self, now: Timestamp) -> Result<UnixSecond, CliError> {
        if self.0 <= now {
            return Err(CliError::Usage(format!("--expires {} is over already", self.0)));
        }
        Ok(self.0.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_in_utc_and_what_is_over_is_refused() {
        let day: Expiry = "2027-03-31".parse().unwrap();
        assert_eq!(day, "2027-03-31T00:00:00Z".parse().unwrap());
        let first: Timestamp = "2027-03-31T00:00:00Z".parse().unwrap();
        assert!(day.after(first - jiff::SignedDuration::from_secs(1)).is_ok());
        assert!(day.after(first).is_err());
        for bad in ["", "tomorrow", "2027-02-30", "31.3.2027", "90"] {
            assert!(bad.parse::<Expiry>().is_err(), "{bad}");
        }
    }
}
