//! Times as they are signed and bound.

use std::fmt;

use jiff::Timestamp;

/// A time in whole seconds, so that it survives every store and message unchanged: a fraction lost on the way would make a sealed
/// credential impossible to open.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSecond(Timestamp);

impl UnixSecond {
    /// The time.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        self.0
    }

    /// Seconds since 1970. `None` outside of what a [`Timestamp`] can say.
    #[must_use]
    pub fn from_second(second: i64) -> Option<Self> {
        Timestamp::from_second(second).ok().map(Self)
    }

    pub(super) fn to_bytes(self) -> [u8; 8] {
        self.0.as_second().to_be_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        Self::from_second(i64::from_be_bytes(bytes))
    }
}

impl From<Timestamp> for UnixSecond {
    /// Drops the fraction.
    fn from(time: Timestamp) -> Self {
        Self::from_second(time.as_second()).expect("the whole seconds of a timestamp are a timestamp")
    }
}

impl fmt::Display for UnixSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for UnixSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
