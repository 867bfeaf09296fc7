//! What operators say of registries.

use std::num::{NonZeroU16, NonZeroU32};

use portolan_shared::model::{
    Budget, CaTrust, CredentialReference, NamePatterns, RegistryId, RegistryName, RegistryUrl,
    RepositoryPatterns, TagFilter,
};
use portolan_shared::tls::{RegistryTrust, SystemRoots};
use portolan_store::{NewRegistry, RegistryRecord, Schedule, SealedVersion};

use super::schedule_patch::SchedulePatch;
use crate::app::AppError;

/// A registry to be added.
#[derive(Debug, Clone)]
pub struct RegistryInput {
    /// Its id, if the caller made one up.
    pub id: Option<RegistryId>,
    /// Its name.
    pub name: RegistryName,
    /// Where it is.
    pub url: RegistryUrl,
    /// Whose certificates are trusted.
    pub ca: CaTrust,
    /// Which repositories are wanted.
    pub repositories: RepositoryPatterns,
    /// Which of their tags are wanted.
    pub tags: TagFilter,
    /// Where the sensor finds the credential.
    pub credential: Option<CredentialReference>,
    /// A sealed credential, bound to that id. Then there is no reference.
    pub sealed: Option<SealedVersion>,
    /// How hard it may be worked.
    pub budget: Budget,
    /// When it is read.
    pub schedule: Schedule,
    /// Names or ids of the sensors that may read it, the preferred first.
    pub sensors: Vec<String>,
}

/// A change of a registry; what is none stays as it is.
#[derive(Debug, Clone, Default)]
pub struct RegistryPatch {
    /// New name.
    pub name: Option<RegistryName>,
    /// New address.
    pub url: Option<RegistryUrl>,
    /// New bundle of authorities, or `Some(None)` for the system's alone.
    pub ca_bundle_pem: Option<Option<String>>,
    /// Whether only the bundle counts.
    pub only_ca_bundle: Option<bool>,
    /// New patterns of repositories.
    pub repositories: Option<RepositoryPatterns>,
    /// New patterns of tags.
    pub tags: Option<NamePatterns>,
    /// Only so many of the newest tags, or `Some(None)` for however many.
    pub newest_tags: Option<Option<NonZeroU32>>,
    /// Only tags pushed within so many days, or `Some(None)` for whatever age.
    pub max_tag_age_days: Option<Option<NonZeroU32>>,
    /// New credential reference, or `Some(None)` to read anonymously.
    pub credential: Option<Option<CredentialReference>>,
    /// New bound of requests in flight.
    pub concurrency: Option<u16>,
    /// New bound of requests per second, or `Some(None)` for none.
    pub requests_per_second: Option<Option<NonZeroU16>>,
    /// New bound of requests per day, or `Some(None)` for none.
    pub requests_per_day: Option<Option<NonZeroU32>>,
    /// New members of the schedule.
    pub schedule: SchedulePatch,
    /// New sensors, by name or id.
    pub sensors: Option<Vec<String>>,
}

impl RegistryPatch {
    /// What is changed, for the audit log.
    pub(super) fn fields(&self) -> Vec<&'static str> {
        [
            (self.name.is_some(), "name"),
            (self.url.is_some(), "url"),
            (self.touches_ca(), "ca"),
            (self.repositories.is_some(), "repositories"),
            (self.tags.is_some(), "tags"),
            (self.newest_tags.is_some(), "newest_tags"),
            (self.max_tag_age_days.is_some(), "max_tag_age_days"),
            (self.credential.is_some(), "credential_reference"),
            (self.concurrency.is_some(), "concurrency"),
            (self.requests_per_second.is_some(), "requests_per_second"),
            (self.requests_per_day.is_some(), "requests_per_day"),
            (!self.schedule.is_empty(), "schedule"),
            (self.sensors.is_some(), "sensors"),
        ]
        .into_iter()
        .filter_map(|(changed, field)| changed.then_some(field))
        .collect()
    }

    fn touches_ca(&self) -> bool {
        self.ca_bundle_pem.is_some() || self.only_ca_bundle.is_some()
    }

    fn touches_tags(&self) -> bool {
        self.tags.is_some() || self.newest_tags.is_some() || self.max_tag_age_days.is_some()
    }

    fn touches_budget(&self) -> bool {
        self.concurrency.is_some() || self.requests_per_second.is_some() || self.requests_per_day.is_some()
    }

    /// Whether parts of a value are changed that the store keeps, or that are checked, as a whole: completed from what is there, the change
    /// only holds for that version.
    pub(super) fn needs_completion(&self) -> bool {
        self.touches_ca()
            || self.touches_tags()
            || self.touches_budget()
            || !self.schedule.is_empty()
            || self.repositories.is_some()
    }

    /// The trust, completed from what is there; none if it stays.
    pub(super) fn ca(&self, current: &RegistryRecord) -> Option<CaTrust> {
        let current = &current.registry.ca;
        self.touches_ca().then(|| CaTrust {
            bundle_pem: self.ca_bundle_pem.as_ref().unwrap_or(&current.bundle_pem).clone(),
            only_bundle: self.only_ca_bundle.unwrap_or(current.only_bundle),
        })
    }

    /// The filter of tags, completed from what is there; none if it stays.
    pub(super) fn tag_filter(&self, current: &RegistryRecord) -> Option<TagFilter> {
        let current = &current.registry.tags;
        self.touches_tags().then(|| TagFilter {
            names: self.tags.as_ref().unwrap_or(&current.names).clone(),
            newest: self.newest_tags.unwrap_or(current.newest),
            max_age_days: self.max_tag_age_days.unwrap_or(current.max_age_days),
        })
    }

    /// The budget, completed from what is there; none if it stays.
    pub(super) fn budget(&self, current: &RegistryRecord) -> Option<Budget> {
        let current = &current.registry.budget;
        self.touches_budget().then(|| Budget {
            concurrency: self.concurrency.unwrap_or(current.concurrency),
            per_second: self.requests_per_second.unwrap_or(current.per_second),
            per_day: self.requests_per_day.unwrap_or(current.per_day),
        })
    }

    /// The schedule, completed from what is there; none if it stays.
    pub(super) fn schedule(&self, current: &RegistryRecord) -> Option<Schedule> {
        let current = &current.registry.schedule;
        (!self.schedule.is_empty()).then(|| self.schedule.clone().applied_to(current.clone()))
    }
}

/// What no registry may be, whoever says so.
pub(super) fn check(registry: &NewRegistry) -> Result<(), AppError> {
    check_ca(&registry.ca)?;
    check_budget(registry.budget)?;
    check_patterns(&registry.repositories, &registry.tags)
}

/// Reads the bundle as the sensor will, so that a bad one is refused where the operator sees it.
pub(in crate::app) fn check_ca(ca: &CaTrust) -> Result<(), AppError> {
    RegistryTrust::new(SystemRoots::none(), ca, None)
        .map(drop)
        .map_err(|error| AppError::invalid("ca_bundle_pem", error))
}

pub(super) fn check_budget(budget: Budget) -> Result<(), AppError> {
    if (1..=Budget::MAX_CONCURRENCY).contains(&budget.concurrency) {
        Ok(())
    } else {
        Err(AppError::invalid(
            "concurrency",
            format!("expected 1 to {}", Budget::MAX_CONCURRENCY),
        ))
    }
}

/// Both lists of patterns travel in one message.
pub(in crate::app) fn check_patterns(
    repositories: &RepositoryPatterns,
    tags: &TagFilter,
) -> Result<(), AppError> {
    let together = repositories.names().check_beside(&tags.names);
    together.map_err(|error| AppError::invalid("tags", error))
}
