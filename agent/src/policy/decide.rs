//! The decisions.

use jiff::Timestamp;
use portolan_shared::model::manifest::FactsField;
use portolan_shared::model::{
    Commands, CredentialReference, RegistryUrl, RepositoryName, RepositoryPatterns,
};

use super::address::AddressSet;
use super::credentials::CredentialPattern;
use super::host::{HostPattern, HostPort};
use super::lack::Lack;
use super::limits::{AgentLimits, OwnLimits, RegistryLimits, size, time};
use super::modes::CredentialModes;
use super::path::PathPattern;
use super::window::{Hour, Window, hour};

/// The policy says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {why}")]
pub struct PolicyRefusal {
    /// The rule that refused: `policy:allow[2]` for the second entry of the file, `policy:default` where no entry applies.
    pub rule: String,
    /// In words, for the tenant.
    pub why: String,
}

/// One `[[allow]]` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// `policy:allow[1]`, counted from 1 as they stand in the file.
    pub(super) id: String,
    pub(super) host: HostPattern,
    pub(super) ports: Vec<u16>,
    pub(super) paths: Vec<PathPattern>,
    pub(super) addresses: AddressSet,
    pub(super) realms: Vec<HostPort>,
    pub(super) storage: Vec<HostPort>,
    pub(super) credentials: Vec<CredentialPattern>,
    pub(super) modes: CredentialModes,
    pub(super) repositories: RepositoryPatterns,
    pub(super) limits: OwnLimits,
    pub(super) plaintext: bool,
}

/// What a policy file allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub(super) rules: Vec<Rule>,
    pub(super) commands: Commands,
    pub(super) limits: AgentLimits,
    pub(super) windows: Vec<Window>,
    /// Sorted, each once.
    pub(super) withhold: Vec<FactsField>,
    pub(super) hash: [u8; 32],
}

const DEFAULT: &str = "policy:default";

impl PolicyRefusal {
    /// What is said of a job that runs while the last window closes.
    #[must_use]
    pub fn window_over() -> Self {
        Self {
            rule: "policy:window".to_owned(),
            why: "the [[window]] in which the job ran has closed".to_owned(),
        }
    }

    /// What is said of a job whose registry the policy, read again, says something else about.
    #[must_use]
    pub fn changed() -> Self {
        Self {
            rule: "policy:changed".to_owned(),
            why: "the policy was read again while the job ran, and says something else of this registry"
                .to_owned(),
        }
    }
}

impl Policy {
    /// Allows nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            rules: Vec::new(),
            commands: Commands::default(),
            limits: AgentLimits::default(),
            windows: Vec::new(),
            withhold: Vec::new(),
            hash: hash(b""),
        }
    }

    /// Whether it allows nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// SHA-256 of the file.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// What holds for all registries together.
    #[must_use]
    pub fn limits(&self) -> &AgentLimits {
        &self.limits
    }

    /// What holds for one registry that is allowed.
    pub fn registry_limits(&self, registry: &RegistryUrl) -> Result<RegistryLimits, PolicyRefusal> {
        Ok(self.limits.with(&self.rule_for(registry)?.limits))
    }

    /// Whether a job on this registry may have read so many bytes, where all jobs have read `today` on this day.
    pub fn allows_bytes(&self, registry: &RegistryUrl, job: u64, today: u64) -> Result<(), PolicyRefusal> {
        let rule = self.rule_for(registry)?;
        let refused = |rule: String, key, bound| {
            Err(PolicyRefusal {
                rule,
                why: format!("{key} is {} and has been read", size(bound)),
            })
        };
        if today > self.limits.bytes_per_day {
            let bound = self.limits.bytes_per_day;
            return refused("policy:limits.bytes_per_day".to_owned(), "bytes_per_day", bound);
        }
        let bound = self.limits.with(&rule.limits).bytes_per_job;
        if job <= bound {
            return Ok(());
        }
        let whose = if bound == self.limits.bytes_per_job {
            "policy:limits"
        } else {
            &rule.id
        };
        refused(format!("{whose}.bytes_per_job"), "bytes_per_job", bound)
    }

    /// What is said of a job that has taken all the time that it may.
    #[must_use]
    pub fn out_of_time(&self) -> PolicyRefusal {
        PolicyRefusal {
            rule: "policy:limits.job_duration".to_owned(),
            why: format!(
                "the job has taken the {} that job_duration allows",
                time(self.limits.job_duration)
            ),
        }
    }

    /// Whether a job on this registry that began under `former` may go on: whether both say the same of everything that is asked once for a
    /// whole job. Numbers of requests and bytes are none of it, because those are asked for each request.
    #[must_use]
    pub fn goes_on_from(&self, former: &Self, registry: &RegistryUrl) -> bool {
        let Self {
            rules: _,
            commands,
            limits,
            windows,
            withhold,
            hash: _,
        } = self;
        let same_rule = match (self.rule_for(registry), former.rule_for(registry)) {
            (Ok(rule), Ok(before)) => rule.goes_on_from(before),
            _ => false,
        };
        same_rule
            && *commands == former.commands
            && limits.job_duration == former.limits.job_duration
            && *windows == former.windows
            && *withhold == former.withhold
    }

    /// What of an image's facts is kept from the control plane.
    #[must_use]
    pub fn withheld(&self) -> &[FactsField] {
        &self.withhold
    }

    /// Whether jobs are taken at this moment. Gives when they have to have ended, if there is such a moment within a week.
    pub fn allows_now(&self, now: Timestamp) -> Result<Option<Timestamp>, PolicyRefusal> {
        match hour(&self.windows, now) {
            Hour::Open(closes) => Ok(closes),
            Hour::Closed(opens) => Err(PolicyRefusal {
                rule: "policy:window".to_owned(),
                why: format!("no [[window]] is open now; the next one opens at {opens}"),
            }),
        }
    }

    /// Whether this registry may be read. Gives the id of the rule that allows it.
    pub fn allows_registry(&self, registry: &RegistryUrl) -> Result<&str, PolicyRefusal> {
        self.rule_for(registry).map(|rule| rule.id.as_str())
    }

    /// Whether this registry may be read with this credential.
    pub fn allows_credential(
        &self,
        registry: &RegistryUrl,
        reference: &CredentialReference,
    ) -> Result<&str, PolicyRefusal> {
        let rule = self.rule_for(registry)?;
        if !rule.modes.local {
            return Err(rule.refusal(format!(
                "the entry's credential_modes lack \"local\", and {reference} is a credential of this machine"
            )));
        }
        let allowed = rule.credentials.iter().any(|pattern| pattern.matches(reference));
        if allowed {
            Ok(rule.id.as_str())
        } else {
            Err(rule.refusal(format!(
                "the entry's credentials lack {reference}: this machine's administrator can add it to policy.toml"
            )))
        }
    }

    /// Whether this registry may be read with a credential that was sealed for this sensor.
    pub fn allows_sealed_credential(&self, registry: &RegistryUrl) -> Result<&str, PolicyRefusal> {
        let rule = self.rule_for(registry)?;
        if rule.modes.sealed {
            Ok(rule.id.as_str())
        } else {
            Err(rule.refusal("the entry's credential_modes lack \"sealed\"".to_owned()))
        }
    }

    /// Whether this repository of the registry may be read.
    pub fn allows_repository(
        &self,
        registry: &RegistryUrl,
        repository: &RepositoryName,
    ) -> Result<&str, PolicyRefusal> {
        let rule = self.rule_for(registry)?;
        if rule.repositories.matches(repository) {
            Ok(rule.id.as_str())
        } else {
            Err(rule.refusal(format!("the entry's repositories leave out {repository}")))
        }
    }

    /// Whether a repository of this name may be read in any registry.
    #[must_use]
    pub fn names_repository(&self, repository: &RepositoryName) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.repositories.matches(repository))
    }

    /// The patterns that this registry's repositories have to match.
    pub fn repositories(&self, registry: &RegistryUrl) -> Result<&RepositoryPatterns, PolicyRefusal> {
        Ok(&self.rule_for(registry)?.repositories)
    }

    pub(super) fn rule_for(&self, registry: &RegistryUrl) -> Result<&Rule, PolicyRefusal> {
        self.rule_or_lack(registry).map_err(|nearest| match nearest {
            Some((rule, lack)) => rule.refusal(lack.of(registry)),
            None => PolicyRefusal {
                rule: DEFAULT.to_owned(),
                why: format!("no entry allows {}", registry.authority()),
            },
        })
    }

    /// The registry's entry; or the one that is nearest to it, if one has its host at all, with what it lacks.
    pub(super) fn rule_or_lack(&self, registry: &RegistryUrl) -> Result<&Rule, Option<(&Rule, Lack)>> {
        let mut nearest = None;
        for rule in self
            .rules
            .iter()
            .filter(|rule| rule.host.matches(registry.host()))
        {
            match rule.lacks(registry) {
                None => return Ok(rule),
                Some(Lack::Port) => {
                    nearest.get_or_insert((rule, Lack::Port));
                }
                Some(lack) => nearest = Some((rule, lack)),
            }
        }
        Err(nearest)
    }
}

impl Rule {
    /// Whether both allow the same, but for what is counted. Its number in the file is its name alone.
    fn goes_on_from(&self, former: &Self) -> bool {
        let Self {
            id: _,
            host,
            ports,
            paths,
            addresses,
            realms,
            storage,
            credentials,
            modes,
            repositories,
            limits: _,
            plaintext,
        } = self;
        *host == former.host
            && *ports == former.ports
            && *paths == former.paths
            && *addresses == former.addresses
            && *realms == former.realms
            && *storage == former.storage
            && *credentials == former.credentials
            && *modes == former.modes
            && *repositories == former.repositories
            && *plaintext == former.plaintext
    }

    pub(super) fn refusal(&self, why: String) -> PolicyRefusal {
        PolicyRefusal {
            rule: self.id.clone(),
            why,
        }
    }
}

pub(super) fn hash(bytes: &[u8]) -> [u8; 32] {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
