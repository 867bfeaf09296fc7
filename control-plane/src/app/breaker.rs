//! A circuit breaker for whatever this process takes from sensors by itself, on a timer: if suddenly all of them look lost, the fault is in
//! the database or the clock, not in the sensors. Pure.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use portolan_shared::model::SensorId;
use portolan_shared::process::Uptime;

/// Sensors that something may be taken from within [`WINDOW`], however few there are.
const SENSORS: u64 = 10;
/// Or, in large fleets, this share of the active ones: one in twenty.
const SHARE: u64 = 20;
const WINDOW: Duration = Duration::from_secs(60);

/// How many sensors something may be taken from within a minute.
pub(super) fn bound(active: u64) -> usize {
    usize::try_from(SENSORS.max(active / SHARE)).unwrap_or(usize::MAX)
}

/// Lets through as many sensors as [`bound`] says, and nothing more once there were too many: until those that still wait, and those of the
/// last minute, are within the bound together, or the process starts again.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Oldest first; each sensor once. At most [`bound`].
    taken: VecDeque<(Uptime, SensorId)>,
    open: bool,
}

impl Breaker {
    /// Whether nothing is let through, because there were too many.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Which of these may be taken from now. Those that were within the last minute count once.
    pub(super) fn let_through(&mut self, lost: &[SensorId], active: u64, now: Uptime) -> BTreeSet<SensorId> {
        while self.taken.front().is_some_and(|(at, _)| now.since(*at) >= WINDOW) {
            self.taken.pop_front();
        }
        let before: BTreeSet<SensorId> = self.taken.iter().map(|(_, sensor)| *sensor).collect();
        let mut all = before.clone();
        // In their order: those that are lost for longest come first.
        let fresh: Vec<SensorId> = lost
            .iter()
            .copied()
            .filter(|sensor| all.insert(*sensor))
            .collect();
        let was_open = self.open;
        self.open = all.len() > bound(active);
        if self.open && was_open {
            return BTreeSet::new();
        }
        let room = bound(active).saturating_sub(before.len());
        let fresh = fresh.into_iter().take(room);
        let mut through: BTreeSet<SensorId> = lost
            .iter()
            .copied()
            .filter(|sensor| before.contains(sensor))
            .collect();
        for sensor in fresh {
            self.taken.push_back((now, sensor));
            through.insert(sensor);
        }
        through
    }
}

#[cfg(test)]
mod tests {
    use portolan_shared::process::SeededRng;

    use super::*;

    fn sensors(count: usize) -> Vec<SensorId> {
        let rng = SeededRng::new(4);
        (0..count).map(|_| SensorId::random(&rng)).collect()
    }

    fn at(seconds: u64) -> Uptime {
        Uptime(Duration::from_secs(seconds))
    }

    #[test]
    fn the_bound_is_ten_or_one_in_twenty() {
        for (active, most) in [(0, 10), (10, 10), (219, 10), (220, 11), (10_000, 500)] {
            assert_eq!(bound(active), most, "{active}");
        }
    }

    #[test]
    fn t49_at_the_bound_all_are_let_through_and_above_no_more_than_the_bound() {
        for active in [10, 400] {
            let most = bound(active);
            let lost = sensors(most + 1);
            let mut breaker = Breaker::default();
            assert_eq!(breaker.let_through(&lost[..most], active, at(0)).len(), most);
            assert!(!breaker.is_open());
            let mut breaker = Breaker::default();
            let through = breaker.let_through(&lost, active, at(0));
            assert_eq!(
                through,
                lost[..most].iter().copied().collect(),
                "the first of them"
            );
            assert!(breaker.is_open());
            assert!(breaker.let_through(&lost[most..], active, at(59)).is_empty());
            assert!(breaker.is_open());
            // A minute later the one that waits is within the bound.
            assert_eq!(breaker.let_through(&lost[most..], active, at(60)).len(), 1);
            assert!(!breaker.is_open());
        }
    }

    #[test]
    fn t49_it_stays_open_while_too_many_wait_and_closes_when_they_are_back() {
        let lost = sensors(100);
        let mut breaker = Breaker::default();
        assert_eq!(breaker.let_through(&lost, 100, at(0)).len(), 10);
        for minute in 1..100 {
            assert!(breaker.let_through(&lost[10..], 100, at(60 * minute)).is_empty());
        }
        assert!(breaker.let_through(&[], 100, at(6_001)).is_empty() && !breaker.is_open());
    }

    #[test]
    fn they_may_trickle_and_a_sensor_counts_once() {
        let lost = sensors(40);
        let mut breaker = Breaker::default();
        for (n, sensor) in (0_u64..).zip(&lost) {
            assert_eq!(
                breaker.let_through(&[*sensor, *sensor], 5, at(7 * n)).len(),
                1,
                "{n}"
            );
        }
        let mut breaker = Breaker::default();
        for second in 0..30 {
            assert_eq!(breaker.let_through(&lost[..10], 5, at(second)).len(), 10);
        }
        assert!(!breaker.is_open());
    }
}
