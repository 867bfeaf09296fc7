//! When the certificate is renewed. Pure.

use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::process::{Clock, Rng, Uptime};
use portolan_shared::tls::CertificateLife;

use super::reconnect::Decorrelated;

/// The moment of renewal, on both clocks: the time of day may be set back, and uptime begins anew with the machine. The earlier one counts.
#[derive(Debug)]
pub(super) struct RenewalSchedule {
    wall: Timestamp,
    uptime: Uptime,
    retry: Decorrelated,
    not_before: Uptime,
}

impl RenewalSchedule {
    /// Draws the moment for a certificate.
    #[must_use]
    pub(super) fn new(life: CertificateLife, clock: &dyn Clock, rng: &dyn Rng) -> Self {
        let wall = life.renewal_at(rng);
        let left = Duration::try_from(wall.duration_since(clock.now())).unwrap_or(Duration::ZERO);
        let now = clock.uptime();
        Self {
            wall,
            uptime: Uptime(now.0 + left),
            retry: Decorrelated::new(Duration::from_secs(30), Duration::from_secs(15 * 60)),
            not_before: now,
        }
    }

    /// Whether it is time.
    #[must_use]
    pub(super) fn is_due(&self, clock: &dyn Clock) -> bool {
        let now = clock.uptime();
        (clock.now() >= self.wall || now >= self.uptime) && now >= self.not_before
    }

    /// It failed; `asked` is when the control plane wants to be asked again.
    pub(super) fn failed(&mut self, asked: Option<Duration>, now: Uptime, rng: &dyn Rng) {
        let delay = self.retry.next(rng);
        self.not_before = Uptime(now.0 + asked.unwrap_or(delay));
    }

    /// When it is planned, by the time of day.
    #[must_use]
    pub(super) fn planned(&self) -> Timestamp {
        self.wall
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::{ManualClock, SeededRng};

    const DAY: Duration = Duration::from_secs(86_400);

    fn schedule(clock: &ManualClock) -> RenewalSchedule {
        let life = CertificateLife {
            issued_at: clock.now(),
            not_after: clock.now() + DAY,
        };
        RenewalSchedule::new(life, clock, &SeededRng::new(5))
    }

    #[test]
    fn due_in_the_middle_of_the_life_even_if_the_clock_is_set_back() {
        let clock = ManualClock::at_unix_seconds(1_000_000_000);
        let start = clock.now();
        let schedule = schedule(&clock);
        clock.advance(DAY.mul_f64(0.39));
        assert!(!schedule.is_due(&clock));
        clock.jump_to(start);
        assert!(!schedule.is_due(&clock));
        clock.advance(DAY.mul_f64(0.22));
        assert!(schedule.is_due(&clock), "uptime says so");
    }

    #[test]
    fn due_at_once_after_the_machine_was_off_over_night() {
        let clock = ManualClock::at_unix_seconds(1_000_000_000);
        let schedule = schedule(&clock);
        clock.jump_to(clock.now() + DAY);
        assert!(schedule.is_due(&clock), "the time of day says so");
    }

    #[test]
    fn a_failed_renewal_waits_between_30_seconds_and_15_minutes() {
        let (clock, rng) = (ManualClock::at_unix_seconds(1_000_000_000), SeededRng::new(6));
        let mut schedule = schedule(&clock);
        clock.advance(DAY);
        for _ in 0..30 {
            assert!(schedule.is_due(&clock));
            schedule.failed(None, clock.uptime(), &rng);
            clock.advance(Duration::from_millis(29_990));
            assert!(!schedule.is_due(&clock));
            clock.advance(Duration::from_secs(15 * 60));
        }
        schedule.failed(Some(Duration::from_secs(3_000)), clock.uptime(), &rng);
        clock.advance(Duration::from_secs(2_999));
        assert!(!schedule.is_due(&clock));
    }
}
