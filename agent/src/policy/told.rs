//! Refusals that somebody was told of already.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Pairs of host and rule that are remembered: those beyond count as told.
const REMEMBERED: usize = 64;

/// Which refusals have been told, so that a job which asks the same host ten thousand times says it once.
#[derive(Debug, Default)]
pub struct Told(Mutex<BTreeSet<(String, String)>>);

impl Told {
    /// Whether this is the first time that `rule` refuses `host`.
    #[must_use]
    pub fn first(&self, host: &str, rule: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < REMEMBERED && told.insert((host.to_owned(), rule.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_and_rule_is_told_once_and_there_is_a_bound() {
        let told = Told::default();
        assert!(told.first("h:1", "a") && told.first("h:1", "b") && told.first("h:2", "a"));
        assert!(!told.first("h:1", "a"));
        let first = (0..2 * REMEMBERED).filter(|number| told.first(&format!("x:{number}"), "a"));
        assert_eq!(first.count(), REMEMBERED - 3);
    }
}
