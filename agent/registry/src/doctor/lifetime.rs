//! Whether a token lives as long as a repository takes to be read.

use std::time::Duration;

use portolan_shared::model::{Finding, FindingCode, RepositoryName};
use portolan_shared::process::Uptime;

use super::examination::Examination;
use crate::flavour::ListedTag;

/// What was there before a page of tags was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    at: Uptime,
    requests: u64,
}

/// What reading a repository will take, by what its first page took. A token is for one repository, so this is what it has to outlive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Estimate {
    requests: u64,
    each: Duration,
    at_once: u32,
}

impl Estimate {
    fn whole(self) -> Duration {
        let requests = u32::try_from(self.requests).unwrap_or(u32::MAX);
        self.each.saturating_mul(requests) / self.at_once.max(1)
    }
}

impl Examination {
    pub(super) fn before_tags(&self) -> Before {
        Before {
            at: self.access.clock.uptime(),
            requests: self.allowance.begun(),
        }
    }

    /// Judges the life of the tokens that the token service gives by a repository whose first page of tags has just come: one request for
    /// each of them whose digest the page does not tell, at the time that one took here, as many at once as the budget has it. There
    /// may be further pages, so this is the least.
    pub(super) fn token_life(
        &self,
        repository: &RepositoryName,
        tags: &[ListedTag],
        before: Before,
    ) -> Option<Finding> {
        let life = self.client.as_ref()?.token_life()?;
        let made = u32::try_from(self.allowance.begun().saturating_sub(before.requests)).unwrap_or(u32::MAX);
        let took = self.access.clock.uptime().since(before.at);
        let unresolved = tags.iter().filter(|tag| tag.digest.is_none()).count();
        let estimate = Estimate {
            requests: u64::try_from(unresolved).unwrap_or(u64::MAX).saturating_add(1),
            each: took / made.max(1),
            at_once: u32::from(self.access.budget.concurrency),
        };
        judge(life, estimate).map(|seen| {
            let seen = format!("{}: {seen} of {repository}", self.name());
            Finding::new(FindingCode::TokenLifetime, &seen)
        })
    }
}

/// Both numbers, if the token is the shorter-lived.
fn judge(life: Duration, estimate: Estimate) -> Option<String> {
    let whole = estimate.whole();
    (life <= whole).then(|| {
        let Estimate {
            requests,
            each,
            at_once,
        } = estimate;
        format!(
            "tokens live {} s, and about {} s are needed ({requests} requests of {} ms, {at_once} at once) for the first page of tags",
            life.as_secs(),
            whole.as_secs(),
            each.as_millis(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_to_outlive_the_walk() {
        let estimate = Estimate {
            requests: 1_001,
            each: Duration::from_millis(2_400),
            at_once: 8,
        };
        assert_eq!(estimate.whole(), Duration::from_millis(300_300));
        let said = judge(Duration::from_secs(300), estimate).unwrap();
        assert!(said.contains("live 300 s") && said.contains("1001 requests of 2400 ms, 8 at once"));
        assert_eq!(judge(Duration::from_secs(301), estimate), None);
        let slower = Estimate {
            at_once: 1,
            requests: u64::MAX,
            each: Duration::MAX,
        };
        assert!(judge(Duration::from_secs(43_200), slower).is_some());
        let resolved = Estimate {
            requests: 1,
            ..estimate
        };
        assert_eq!(
            judge(Duration::from_secs(60), resolved),
            None,
            "the list tells all digests"
        );
    }
}
