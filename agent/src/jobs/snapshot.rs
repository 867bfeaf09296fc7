//! The policy as it was when a job began. All that is asked once for a whole job is asked of it, so that no two answers come from different
//! files; when the file says something else, the job ends.

use std::sync::Arc;

use jiff::Timestamp;
use portolan_registry::doctor::LocalPolicy;
use portolan_shared::model::{
    Budget, Finding, FindingCode, RegistryTarget, RegistryUrl, RepositoryName, RepositoryPatterns,
};
use portolan_shared::process::{Clock, Uptime};
use tokio::sync::watch;

use super::bound::Bound;
use crate::inventory::Terms;
use crate::policy::{LivePolicy, Policy, PolicyRefusal};

/// What one job asks.
pub(super) struct Snapshot {
    policy: Arc<Policy>,
    later: watch::Receiver<Arc<Policy>>,
}

impl Snapshot {
    /// Of the policy in force now.
    pub(super) fn of(live: &LivePolicy) -> Self {
        let mut later = live.follow();
        let policy = Arc::clone(&later.borrow_and_update());
        Self { policy, later }
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns when a later policy says something else of this registry, with what is to be said of the job.
    pub(super) async fn outdated(&self, registry: &RegistryUrl) -> Finding {
        let mut later = self.later.clone();
        let other = later.wait_for(|later| !later.goes_on_from(&self.policy, registry));
        if other.await.is_err() {
            // Nobody is left who could read the file again.
            std::future::pending::<()>().await;
        }
        refusal(&PolicyRefusal::changed())
    }

    /// What the control plane asks, and no more than the policy allows. Its requests per second are kept by the gate, for all jobs together.
    pub(super) fn budget(&self, target: &RegistryTarget) -> Budget {
        let limits = self.policy.registry_limits(&target.url);
        // One that is not allowed is refused at its host.
        let most = limits.map_or(Budget::MAX_CONCURRENCY, |limits| limits.concurrency);
        Budget {
            concurrency: target.budget.concurrency.min(most),
            ..target.budget
        }
    }

    /// What this machine's administrator allows of a job that begins now, and until when.
    pub(super) fn terms(
        &self,
        target: &RegistryTarget,
        clock: &dyn Clock,
    ) -> Result<(Terms, Bound), PolicyRefusal> {
        let policy = &self.policy;
        let now = clock.now();
        let closes = policy.allows_now(now)?;
        let bound = Bound {
            ends: Uptime(clock.uptime().0 + policy.limits().job_duration),
            out_of_time: refusal(&policy.out_of_time()),
            closes: closes.map(|closes| (closes, refusal(&PolicyRefusal::window_over()))),
        };
        let terms = Terms {
            repositories: policy.repositories(&target.url)?.clone(),
            rule: allowed(policy, target, now)?.to_owned(),
            withheld: policy.withheld().to_vec(),
        };
        Ok((terms, bound))
    }

    /// What the policy, which is this file, says of the registry, for the doctor's first stage; and which repositories may be looked at, if any.
    pub(super) fn local_policy(
        &self,
        target: &RegistryTarget,
        repository: Option<&RepositoryName>,
        now: Timestamp,
        file: &str,
    ) -> Result<(LocalPolicy, RepositoryPatterns), Finding> {
        let policy = &self.policy;
        let judged = allowed(policy, target, now).and_then(|rule| match repository {
            Some(repository) => policy.allows_repository(&target.url, repository),
            None => Ok(rule),
        });
        let judged = judged.and_then(|rule| Ok((rule, policy.repositories(&target.url)?)));
        let (rule, repositories) = judged
            .map_err(|refused| refusal(&refused).with_detail(&policy.advice(&target.url).join("\n")))?;
        let local = LocalPolicy {
            seen: vec![format!("{file}: {rule}")],
            finding: None,
        };
        Ok((local, repositories.clone()))
    }
}

/// The rule by which this registry may be read with this credential at this moment.
pub(super) fn allowed<'p>(
    policy: &'p Policy,
    target: &RegistryTarget,
    now: Timestamp,
) -> Result<&'p str, PolicyRefusal> {
    let rule = match &target.credential {
        Some(reference) => policy.allows_credential(&target.url, reference)?,
        None => policy.allows_registry(&target.url)?,
    };
    policy.allows_now(now)?;
    Ok(rule)
}

pub(super) fn refusal(refused: &PolicyRefusal) -> Finding {
    Finding::new(FindingCode::PolicyRefused, &refused.to_string())
}

#[cfg(test)]
mod tests {
    use portolan_shared::model::{CaTrust, RegistryId, TagFilter};
    use portolan_shared::process::SystemRng;

    use super::*;

    #[test]
    fn the_first_stage_says_what_can_be_done_about_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, "version = 1\n[[allow]]\nhost = \"git.example.com\"\n").unwrap();
        let snapshot = Snapshot::of(&LivePolicy::load(&file).unwrap());
        let refused = |url: &str| {
            let target = RegistryTarget {
                registry: RegistryId::random(&SystemRng),
                url: url.parse().unwrap(),
                ca: CaTrust::default(),
                repositories: RepositoryPatterns::all(),
                credential: None,
                tags: TagFilter::default(),
                budget: Budget::default(),
                requests_left: None,
            };
            let judged = snapshot.local_policy(&target, None, Timestamp::UNIX_EPOCH, "policy.toml");
            judged.err().unwrap()
        };
        let page = refused("https://git.example.com/gitlab");
        assert!(page.seen.contains("does it belong in the URL?"), "{page}");
        let detail = page.detail.unwrap();
        assert!(
            detail.contains("leave it out of the registry's URL: https://git.example.com.")
                && detail.ends_with("\npaths = [\"/\", \"/artifactory\", \"/artifactory/api/docker/*\", \"/repository/*\", \"/nexus\", \"/nexus/repository/*\", \"/gitlab\"]"),
            "{detail}"
        );
        assert_eq!(refused("https://other.example.com/gitlab").detail, None);
    }
}
