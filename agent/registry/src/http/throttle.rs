//! Requests in flight: as many as the registry bears.
//!
//! Additive increase, multiplicative decrease: the bound grows by one for each round of answers that came well and is halved when the
//! registry says that it is busy or stops answering. `Retry-After` parks everybody, not only the request that was told so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portolan_shared::process::{Clock, Uptime};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Where every registry starts.
const START: usize = 4;
/// Growth pauses while answers take this many times as long as the best seen ...
const SLOWER: u32 = 8;
/// ... and longer than this.
const SLOW: Duration = Duration::from_millis(250);

pub(crate) struct Throttle {
    permits: Semaphore,
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
}

struct State {
    /// Requests that may be in flight.
    bound: usize,
    /// Requests that may ever be in flight.
    ceiling: usize,
    /// Permits that are to be taken out of circulation when they come back.
    debt: usize,
    /// Good answers since the bound last changed.
    good: usize,
    /// Counts cuts: requests that began before a cut say nothing about the bound after it.
    cuts: u64,
    parked_until: Option<Uptime>,
    best: Duration,
    usual: Duration,
}

impl Throttle {
    pub(crate) fn new(ceiling: usize, clock: Arc<dyn Clock>) -> Self {
        let ceiling = ceiling.max(1);
        let bound = START.min(ceiling);
        Self {
            permits: Semaphore::new(bound),
            state: Mutex::new(State {
                bound,
                ceiling,
                debt: 0,
                good: 0,
                cuts: 0,
                parked_until: None,
                best: Duration::MAX,
                usual: Duration::ZERO,
            }),
            clock,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests that may be in flight now.
    pub(crate) fn bound(&self) -> usize {
        self.state().bound
    }

    /// Lets no more requests than this be in flight from now on. A higher ceiling than the present one changes nothing.
    pub(crate) fn narrow(&self, ceiling: usize) {
        let mut state = self.state();
        state.ceiling = state.ceiling.min(ceiling.max(1));
        let above = state.bound.saturating_sub(state.ceiling);
        state.bound -= above;
        state.debt += above;
        // Permits that nobody holds are taken at once, the others when they come back.
        let idle = self.permits.forget_permits(state.debt);
        state.debt -= idle;
    }

    /// Waits for a place, and until nobody is parked.
    pub(crate) async fn enter(&self) -> Place<'_> {
        let permit = self
            .permits
            .acquire()
            .await
            .expect("the semaphore lives as long as self and is never closed");
        let place = Place {
            throttle: self,
            permit: Some(permit),
        };
        loop {
            let now = self.clock.uptime();
            let wait = self.state().parked_until.map(|until| until.since(now));
            match wait {
                Some(wait) if !wait.is_zero() => tokio::time::sleep(wait).await,
                _ => return place,
            }
        }
    }

    /// Lets nobody enter for `wait`.
    pub(crate) fn park(&self, wait: Duration) {
        let until = Uptime(self.clock.uptime().0 + wait);
        let mut state = self.state();
        state.parked_until = state.parked_until.max(Some(until));
    }
}

/// A place among the requests in flight. Given back when dropped.
pub(crate) struct Place<'t> {
    throttle: &'t Throttle,
    permit: Option<SemaphorePermit<'t>>,
}

/// What the throttle has to know of a request that has begun.
#[derive(Clone, Copy)]
pub(crate) struct Begun {
    at: Uptime,
    cuts: u64,
}

impl Place<'_> {
    pub(crate) fn begin(&self) -> Begun {
        Begun {
            at: self.throttle.clock.uptime(),
            cuts: self.throttle.state().cuts,
        }
    }

    /// The answer came, and was no complaint.
    pub(crate) fn well(&self, begun: Begun) {
        let took = self.throttle.clock.uptime().since(begun.at);
        let mut state = self.throttle.state();
        state.best = state.best.min(took);
        state.usual = (state.usual * 7 + took) / 8;
        state.good += 1;
        let queueing = state.usual > SLOW && state.usual > state.best.saturating_mul(SLOWER);
        if state.good >= state.bound && state.bound < state.ceiling && !queueing {
            state.good = 0;
            state.bound += 1;
            if state.debt > 0 {
                state.debt -= 1;
            } else {
                self.throttle.permits.add_permits(1);
            }
        }
    }

    /// The registry said that it is busy, or did not answer.
    pub(crate) fn overloaded(&self, begun: Begun) {
        let mut state = self.throttle.state();
        if begun.cuts != state.cuts {
            return;
        }
        let bound = (state.bound / 2).max(1);
        state.debt += state.bound - bound;
        state.bound = bound;
        state.good = 0;
        state.cuts += 1;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.throttle.state();
        if state.debt > 0
            && let Some(permit) = self.permit.take()
        {
            state.debt -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::ManualClock;

    fn throttle(ceiling: usize) -> (Arc<ManualClock>, Throttle) {
        let clock = Arc::new(ManualClock::at_unix_seconds(0));
        (Arc::clone(&clock), Throttle::new(ceiling, clock))
    }

    #[tokio::test]
    async fn grows_to_its_ceiling_and_halves_once_per_round() {
        let (_, throttle) = throttle(8);
        assert_eq!(throttle.bound(), 4);
        for _ in 0..100 {
            let place = throttle.enter().await;
            place.well(place.begin());
        }
        assert_eq!((throttle.bound(), throttle.permits.available_permits()), (8, 8));
        let places = futures::future::join_all((0..8).map(|_| throttle.enter())).await;
        let begun: Vec<Begun> = places.iter().map(Place::begin).collect();
        for (place, begun) in places.iter().zip(&begun) {
            place.overloaded(*begun);
        }
        assert_eq!(throttle.bound(), 4, "eight refusals of one round are one signal");
        drop(places);
        assert_eq!(throttle.permits.available_permits(), 4);
        for _ in 0..10 {
            let place = throttle.enter().await;
            place.overloaded(place.begin());
        }
        assert_eq!(
            (throttle.bound(), throttle.permits.available_permits()),
            (1, 1),
            "never below one"
        );
    }

    #[tokio::test]
    async fn a_ceiling_that_is_lowered_holds_at_once_and_for_good() {
        let (_, throttle) = throttle(32);
        for _ in 0..1_000 {
            let place = throttle.enter().await;
            place.well(place.begin());
        }
        let held = futures::future::join_all((0..20).map(|_| throttle.enter())).await;
        throttle.narrow(8);
        throttle.narrow(16);
        assert_eq!(throttle.bound(), 8);
        assert!(
            futures::poll!(Box::pin(throttle.enter())).is_pending(),
            "more than that are still on their way"
        );
        drop(held);
        for _ in 0..1_000 {
            let place = throttle.enter().await;
            place.well(place.begin());
        }
        assert_eq!((throttle.bound(), throttle.permits.available_permits()), (8, 8));
    }

    #[tokio::test]
    async fn does_not_grow_while_answers_queue_up() {
        let (clock, throttle) = throttle(64);
        for round in 0..200 {
            let place = throttle.enter().await;
            let begun = place.begin();
            clock.advance(Duration::from_millis(if round == 0 { 5 } else { 400 }));
            place.well(begun);
        }
        assert!(throttle.bound() < 16, "{}", throttle.bound());
    }

    #[tokio::test(start_paused = true)]
    async fn parking_stops_everybody() {
        let (clock, throttle) = throttle(4);
        throttle.park(Duration::from_secs(60));
        throttle.park(Duration::from_secs(5));
        let mut entering = Box::pin(throttle.enter());
        assert!(futures::poll!(&mut entering).is_pending());
        clock.advance(Duration::from_secs(59));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(
            futures::poll!(&mut entering).is_pending(),
            "the longer wait stands"
        );
        clock.advance(Duration::from_secs(1));
        entering.await;
    }
}
