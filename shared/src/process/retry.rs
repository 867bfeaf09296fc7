//! The one retry policy: exponential, full jitter, bounded in attempts and in delay.
//!
//! The only file that knows the `backoff` crate, whose maintenance has ended (RUSTSEC-2025-0012): it computes the exponential
//! envelope here, with its own randomness turned off, and nothing else. Replacing it is a change to this file.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

use super::Rng;

/// How often and how patiently to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Upper end of the first delay.
    pub first: Duration,
    /// Upper end of every delay.
    pub longest: Duration,
    /// Tries after the first one; then the last error stands.
    pub retries: u32,
}

impl RetryPolicy {
    /// For reads of a registry: six tries within about half a minute.
    pub const REGISTRY: Self = Self {
        first: Duration::from_millis(250),
        longest: Duration::from_secs(30),
        retries: 5,
    };

    /// Begins a series of tries.
    #[must_use]
    pub fn start(self) -> Retry {
        let envelope = ExponentialBackoff {
            current_interval: self.first,
            initial_interval: self.first,
            randomization_factor: 0.0,
            multiplier: 2.0,
            max_interval: self.longest,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Retry {
            envelope,
            left: self.retries,
        }
    }
}

/// A series of tries under a [`RetryPolicy`].
#[derive(Debug)]
pub struct Retry {
    envelope: ExponentialBackoff,
    left: u32,
}

impl Retry {
    /// How long to wait before the next try; `None` when it is time to give up.
    ///
    /// `asked` is what the other side asked for (`Retry-After`); it wins over the policy's delay, and is the caller's to bound.
    pub fn next_delay(&mut self, rng: &dyn Rng, asked: Option<Duration>) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let ceiling = self.envelope.next_backoff()?;
        Some(asked.unwrap_or_else(|| rng.between(Duration::ZERO, ceiling)))
    }

    /// Tries that are left.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::SeededRng;

    struct Longest;
    impl Rng for Longest {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xff);
        }
    }

    #[test]
    fn grows_to_its_bound_and_ends() {
        let mut retry = RetryPolicy::REGISTRY.start();
        let delays: Vec<u128> = std::iter::from_fn(|| retry.next_delay(&Longest, None))
            .map(|delay| delay.as_millis())
            .collect();
        assert_eq!(
            delays,
            [250, 500, 1000, 2000, 4000],
            "250 ms, then twice as much each time"
        );
        let policy = RetryPolicy {
            first: Duration::from_secs(20),
            longest: Duration::from_secs(30),
            retries: 3,
        };
        let mut retry = policy.start();
        retry.next_delay(&Longest, None);
        assert!(retry.next_delay(&Longest, None).unwrap() <= policy.longest);
    }

    #[test]
    fn what_the_server_asks_for_wins_and_still_counts() {
        let mut retry = RetryPolicy {
            retries: 1,
            ..RetryPolicy::REGISTRY
        }
        .start();
        let rng = SeededRng::new(1);
        assert_eq!(
            retry.next_delay(&rng, Some(Duration::from_secs(7))),
            Some(Duration::from_secs(7))
        );
        assert_eq!(retry.next_delay(&rng, Some(Duration::from_secs(7))), None);
    }
}
