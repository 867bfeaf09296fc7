//! What a registry looks like.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU32};

use jiff::Timestamp;
use portolan_shared::model::SensorId;
use portolan_store::RegistryRecord;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::facts::RegistryFactsView;
use super::{EventCountView, ScheduleView};
use crate::app::KnownRegistries;
use crate::web::api::{FindingView, FreshnessView};

/// A sensor, named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SensorName {
    /// Its id.
    #[schema(format = "uuid")]
    pub id: String,
    /// Its name.
    pub name: String,
}

impl SensorName {
    pub(in crate::web::api) fn of(id: SensorId, names: &BTreeMap<SensorId, String>) -> Self {
        Self {
            id: id.to_string(),
            name: names.get(&id).cloned().unwrap_or_default(),
        }
    }
}

/// A registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Registry {
    /// Its id.
    #[schema(format = "uuid")]
    pub id: String,
    /// Its name, unique within the tenant.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Certificates of authorities given for it.
    pub ca_certificates: usize,
    /// These certificates as PEM; left out in lists, where they would make up most of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_pem: Option<String>,
    /// Whether only these count, not the sensor's system store.
    pub only_ca_bundle: bool,
    /// Patterns of the repositories that are wanted; all if empty.
    pub repositories: Vec<String>,
    /// Patterns of the tags that are wanted; all if empty.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Only so many tags of a repository are wanted, those that were pushed last.
    #[serde(default)]
    pub newest_tags: Option<u32>,
    /// Only tags are wanted that were pushed within so many days.
    #[serde(default)]
    pub max_tag_age_days: Option<u32>,
    /// Where the sensor finds the credential; read anonymously if null.
    pub credential_reference: Option<String>,
    /// Requests in flight at most.
    pub concurrency: u16,
    /// Requests begun per second at most; not bounded if null.
    #[serde(default)]
    pub requests_per_second: Option<u16>,
    /// Requests within any 24 hours at most, of all sensors together; not bounded if null.
    #[serde(default)]
    pub requests_per_day: Option<u32>,
    /// When it is read.
    pub schedule: ScheduleView,
    /// Sensors that may read it, the preferred first.
    pub sensors: Vec<SensorName>,
    /// Grows with each change.
    pub version: u64,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// When a run of it last began; one of what push events named does not count.
    pub last_attempt_at: Option<Timestamp>,
    /// When a run of it was last complete.
    pub last_success_at: Option<Timestamp>,
    /// When a push event last named something in it: one that a sensor told later, when it came to the sensor.
    pub last_event_at: Option<Timestamp>,
    /// What push events came in, by door; left out if none ever did, in lists, and where a registry was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<EventCountView>>,
    /// What sensors found out about it.
    #[serde(default)]
    pub facts: RegistryFactsView,
    /// How fresh what is known of it is.
    pub freshness: FreshnessView,
    /// What is to be said of it, the most important first: why nothing is seen of it, or not all, what has ended or ends soon.
    #[serde(default)]
    pub findings: Vec<FindingView>,
}

impl Registry {
    /// As an item of a list.
    pub(super) fn listed(record: RegistryRecord, known: &KnownRegistries, now: Timestamp) -> Self {
        Self {
            ca_bundle_pem: None,
            ..Self::of(record, known, now)
        }
    }

    /// As it is at `now`.
    pub(super) fn of(record: RegistryRecord, known: &KnownRegistries, now: Timestamp) -> Self {
        let (freshness, concerns) = known.judge(&record, now);
        let schedule = ScheduleView::of(&record, now);
        let registry = record.registry;
        Self {
            id: registry.id.to_string(),
            name: registry.name.to_string(),
            url: registry.url.to_string(),
            ca_certificates: registry.ca.bundle_pem.as_deref().map_or(0, certificates),
            ca_bundle_pem: registry.ca.bundle_pem,
            only_ca_bundle: registry.ca.only_bundle,
            repositories: registry.repositories.as_slice().to_vec(),
            tags: registry.tags.names.as_slice().to_vec(),
            newest_tags: registry.tags.newest.map(NonZeroU32::get),
            max_tag_age_days: registry.tags.max_age_days.map(NonZeroU32::get),
            credential_reference: registry.credential.map(|reference| reference.to_string()),
            concurrency: registry.budget.concurrency,
            requests_per_second: registry.budget.per_second.map(NonZeroU16::get),
            requests_per_day: registry.budget.per_day.map(NonZeroU32::get),
            schedule,
            sensors: registry
                .sensors
                .into_iter()
                .map(|id| SensorName::of(id, known.sensor_names()))
                .collect(),
            version: record.version,
            created_at: record.created_at,
            changed_at: record.changed_at,
            last_attempt_at: record.last_attempt_at,
            last_success_at: record.last_success_at,
            last_event_at: record.last_event_at,
            events: None,
            facts: RegistryFactsView::of(record.facts, now),
            freshness: freshness.into(),
            findings: concerns
                .into_iter()
                .map(|concern| FindingView {
                    cure: concern.cure,
                    ..concern.finding.into()
                })
                .collect(),
        }
    }
}

fn certificates(pem: &str) -> usize {
    pem.matches("-----BEGIN CERTIFICATE-----").count()
}
