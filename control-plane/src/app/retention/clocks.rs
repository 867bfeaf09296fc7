//! Whether the time of day is to be believed, before anything is removed for its age.
//!
//! A machine whose clock is years ahead would forget everything at once, and nothing brings it back. So two are asked who know better: the clock
//! that counts since the machine started, with which the time of day must have gone along for a while, and the clocks of sensors.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portolan_shared::process::{Clock, Uptime};

/// For so long both clocks must have gone alike, seen by this process.
const STEADY: Duration = Duration::from_secs(3_600);
/// Seconds by which they may drift apart between two looks.
const APART: i64 = 5;
/// Warnings are that far apart.
const WARNINGS: Duration = Duration::from_secs(3_600);
/// The latest that sensors have told may be that long ago, or that far ahead. A sensor opens a session at least once a day, with its new certificate;
/// one whose clock is far from this one's cannot, since the certificates of one of both are not valid for the other.
pub(super) const TOLD_WITHIN: SignedDuration = SignedDuration::from_hours(48);

/// The two clocks of this machine, side by side.
#[derive(Debug)]
pub(super) struct Clocks {
    wall: Timestamp,
    uptime: Uptime,
    alike_since: Uptime,
    warned: Option<Uptime>,
}

impl Clocks {
    pub(super) fn begin(clock: &dyn Clock) -> Self {
        let uptime = clock.uptime();
        Self {
            wall: clock.now(),
            uptime,
            alike_since: uptime,
            warned: None,
        }
    }

    /// Looks at both; gives the time of day if both have gone alike for long enough.
    pub(super) fn look(&mut self, clock: &dyn Clock) -> Option<Timestamp> {
        let (wall, uptime) = (clock.now(), clock.uptime());
        let (passed, shown) = (uptime.since(self.uptime), wall.duration_since(self.wall));
        (self.wall, self.uptime) = (wall, uptime);
        let apart = SignedDuration::try_from(passed).map(|passed| shown.saturating_sub(passed));
        if apart.map_or(true, |apart| apart.as_secs().abs() >= APART) {
            self.alike_since = uptime;
            if self.may_warn() {
                tracing::warn!(
                    now = %wall,
                    "the clock was set while this process ran: nothing of the past is forgotten before it has gone evenly for an hour"
                );
            }
        }
        (uptime.since(self.alike_since) >= STEADY).then_some(wall)
    }

    /// Whether sensors confirm a time, going by the latest that any has told. Where none ever told one, there is nothing to be forgotten.
    pub(super) fn confirmed(&mut self, now: Timestamp, told: Option<Timestamp>) -> bool {
        let Some(told) = told else { return false };
        if now.duration_since(told) <= TOLD_WITHIN {
            return true;
        }
        if self.may_warn() {
            tracing::warn!(
                %now,
                %told,
                "nothing of the past is forgotten: the latest time that a sensor has told is more than two days ago. Either this machine's clock is ahead, or no sensor comes any more"
            );
        }
        false
    }

    /// Once an hour.
    fn may_warn(&mut self) -> bool {
        let due = self
            .warned
            .is_none_or(|warned| self.uptime.since(warned) >= WARNINGS);
        if due {
            self.warned = Some(self.uptime);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::ManualClock;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn minutes(clocks: &mut Clocks, clock: &ManualClock, count: u32) -> Option<Timestamp> {
        let mut seen = None;
        for _ in 0..count {
            clock.advance(MINUTE);
            seen = clocks.look(clock);
        }
        seen
    }

    #[test]
    fn a_time_is_believed_after_an_hour_and_no_more_once_it_leapt() {
        let clock = ManualClock::at_unix_seconds(1_800_000_000);
        let mut clocks = Clocks::begin(&clock);
        assert_eq!(minutes(&mut clocks, &clock, 59), None);
        assert_eq!(minutes(&mut clocks, &clock, 1), Some(clock.now()));
        for leap in [2 * 365 * 86_400, -86_400, 6, -6] {
            clock.jump_to(clock.now() + SignedDuration::from_secs(leap));
            assert_eq!(clocks.look(&clock), None, "{leap} s");
            assert_eq!(minutes(&mut clocks, &clock, 59), None, "{leap} s");
            assert_eq!(minutes(&mut clocks, &clock, 1), Some(clock.now()), "{leap} s");
        }
        // What the time service corrects by and by is no leap; nor is a night that the machine slept through.
        clock.jump_to(clock.now() + SignedDuration::from_secs(1));
        clock.advance(MINUTE * 600);
        assert_eq!(clocks.look(&clock), Some(clock.now()));
    }

    #[test]
    fn what_sensors_told_has_to_be_near() {
        let clock = ManualClock::at_unix_seconds(1_800_000_000);
        let mut clocks = Clocks::begin(&clock);
        let now = clock.now();
        for (hours, confirmed) in [(-1, true), (0, true), (48, true), (49, false), (17_520, false)] {
            let told = now - SignedDuration::from_hours(hours);
            assert_eq!(clocks.confirmed(now, Some(told)), confirmed, "{hours} h");
        }
        assert!(!clocks.confirmed(now, None));
    }

    #[test]
    fn warnings_are_an_hour_apart() {
        let clock = ManualClock::at_unix_seconds(1_800_000_000);
        let mut clocks = Clocks::begin(&clock);
        assert!(clocks.may_warn() && !clocks.may_warn());
        minutes(&mut clocks, &clock, 59);
        assert!(!clocks.may_warn());
        minutes(&mut clocks, &clock, 1);
        assert!(clocks.may_warn());
    }

    proptest! {
        /// Whatever the clocks do: a time is believed only an hour after the last leap.
        #[test]
        fn no_leap_is_believed_before_an_hour(steps in prop::collection::vec((1_u64..1_800, -100_000_i64..100_000), 1..60)) {
            let clock = ManualClock::at_unix_seconds(1_800_000_000);
            let mut clocks = Clocks::begin(&clock);
            let mut even = 0;
            for (seconds, leap) in steps {
                clock.advance(Duration::from_secs(seconds));
                // Most steps are even.
                let leap = if leap % 8 == 0 { leap } else { 0 };
                clock.jump_to(clock.now() + SignedDuration::from_secs(leap));
                even = if leap.abs() >= APART { 0 } else { even + seconds };
                prop_assert_eq!(clocks.look(&clock).is_some(), even >= STEADY.as_secs());
            }
        }
    }
}
