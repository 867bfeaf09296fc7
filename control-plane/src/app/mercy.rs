//! What runs out while nobody could do anything about it is left alone for a while.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::App;

/// Seconds by which a clock may go wrong between two looks.
const LEAP: i64 = 5;

/// Holds whoever ends things by the clock back while it is this process's fault, or the clock's, that their time has come: from its start, from a leap of
/// the clock in either direction, and from a look that came as late as this lasts.
#[derive(Debug)]
pub(super) struct Mercy {
    lasts: Duration,
    until: Duration,
    looked: Duration,
    wall: Timestamp,
}

impl Mercy {
    /// Mercy that lasts for so long each time, from now.
    pub(super) fn begin(app: &App, lasts: Duration) -> Self {
        let uptime = app.clock.uptime().0;
        Self {
            lasts,
            until: uptime + lasts,
            looked: uptime,
            wall: app.clock.now(),
        }
    }

    /// Whether it holds now. To be asked at every look.
    pub(super) fn holds(&mut self, app: &App) -> bool {
        let (uptime, wall) = (app.clock.uptime().0, app.clock.now());
        let passed = uptime.saturating_sub(self.looked);
        let shown = wall.duration_since(self.wall);
        let leapt =
            SignedDuration::try_from(passed).is_ok_and(|passed| (shown - passed).as_secs().abs() > LEAP);
        // A look that comes this late was held up by this process itself.
        if leapt || passed > self.lasts {
            self.until = uptime + self.lasts;
        }
        (self.looked, self.wall) = (uptime, wall);
        uptime < self.until
    }
}
