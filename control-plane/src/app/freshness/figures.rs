//! Freshness for Prometheus: read from the database when it is asked for, so that what was removed is gone at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::RegistryId;
use portolan_shared::model::limits::METRICS_REGISTRIES;
use portolan_store::RegistryFigures;
use prometheus::{GaugeVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::state::age;
use crate::app::App;
use crate::app::meters::text_of;

const LABELS: &[&str] = &["tenant", "registry"];

/// What is told of registries, in Prometheus's text format; `promised` is how old what is known of them may become by their schedules.
/// Of `left_out` further ones only how many there are.
///
/// The age of a registry goes on when it is changed what is to be seen of it, other than the one in the API, which is none until a run has seen that: who
/// alerts on it hears of a registry that nothing has seen whole for too long, and to change it neither starts that time anew nor ends an alert.
///
/// # Errors
/// Never in practice: only if two figures had the same name.
pub fn registry_figures(
    registries: &[RegistryFigures],
    promised: &BTreeMap<RegistryId, SignedDuration>,
    left_out: u64,
    now: Timestamp,
) -> Result<String, prometheus::Error> {
    let all = Registry::new();
    let ages = IntGaugeVec::new(
        Opts::new(
            "portolan_registry_last_success_age_seconds",
            "Seconds since a run of the registry was last complete, also if it was changed since what complete is; since it was added if none ever was",
        ),
        LABELS,
    )?;
    let successes = GaugeVec::new(
        Opts::new(
            "portolan_registry_last_success_timestamp_seconds",
            "When a run of the registry was last complete; 0 if none ever was",
        ),
        LABELS,
    )?;
    let starts = GaugeVec::new(
        Opts::new(
            "portolan_registry_next_start_timestamp_seconds",
            "When the clock starts the next run of the registry; left out if it starts none",
        ),
        LABELS,
    )?;
    let intervals = GaugeVec::new(
        Opts::new(
            "portolan_registry_interval_seconds",
            "The longest time between two of the registry's starts around now; left out if the clock starts none",
        ),
        LABELS,
    )?;
    let more = IntGauge::new(
        "portolan_registry_series_left_out",
        "Registries of which nothing is told here, because there are too many",
    )?;
    all.register(Box::new(ages.clone()))?;
    all.register(Box::new(successes.clone()))?;
    all.register(Box::new(starts.clone()))?;
    all.register(Box::new(intervals.clone()))?;
    all.register(Box::new(more.clone()))?;
    more.set(i64::try_from(left_out).unwrap_or(i64::MAX));
    for registry in registries {
        let labels = [registry.tenant.as_str(), registry.name.as_str()];
        let since = registry.last_success_at.unwrap_or(registry.created_at);
        let seconds = i64::try_from(age(since, now)).unwrap_or(i64::MAX);
        ages.with_label_values(&labels).set(seconds);
        successes
            .with_label_values(&labels)
            .set(registry.last_success_at.map_or(0.0, seconds_of));
        let promised = promised.get(&registry.registry);
        if let Some(interval) = promised.filter(|_| registry.schedule.has_starts()) {
            intervals.with_label_values(&labels).set(interval.as_secs_f64());
        }
        if let Some(start) = registry.next_start_at {
            starts.with_label_values(&labels).set(seconds_of(start));
        }
    }
    Ok(text_of(&all))
}

fn seconds_of(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}

impl App {
    /// What is told of all registries, in Prometheus's text format; nothing if the database does not say.
    pub async fn registry_figures(&self) -> String {
        let (figures, left_out) = match self.store.registry_figures(METRICS_REGISTRIES).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "metrics tell nothing of registries"
                );
                return String::new();
            }
        };
        let (promises, now) = (Arc::clone(&self.promises), self.clock.now());
        // Of many registries that is much to reckon: off the reactor. What was begun is finished and kept if nobody waits for it any more.
        let text = tokio::task::spawn_blocking(move || {
            let started = figures.iter().filter(|registry| registry.schedule.has_starts());
            let promised = promises.of_all(
                started.map(|registry| (registry.registry, &registry.schedule)),
                now,
            );
            registry_figures(&figures, &promised, left_out, now)
        });
        let failed = |error: &(dyn std::error::Error + 'static)| {
            tracing::error!(error, "metrics of registries cannot be made");
            String::new()
        };
        match text.await {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => failed(&error),
            Err(error) => failed(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use portolan_shared::model::RegistryId;
    use portolan_shared::process::SeededRng;
    use portolan_store::Schedule;

    use super::*;
    use crate::app::Promises;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn figures(name: &str, success: Option<i64>, start: Option<i64>) -> RegistryFigures {
        RegistryFigures {
            tenant: "ac\"me".to_owned(),
            registry: RegistryId::random(&SeededRng::new(1)),
            name: name.parse().unwrap(),
            schedule: Schedule {
                when: start.map_or("manual", |_| "daily").parse().unwrap(),
                ..Schedule::default()
            },
            created_at: at(-1_000),
            last_success_at: success.map(at),
            next_start_at: start.map(at),
        }
    }

    #[test]
    fn tells_ages_and_times_by_tenant_and_registry() {
        let all = [
            figures("gl", Some(-60), Some(30)),
            figures("never", None, None),
            figures("later", Some(5), None),
        ];
        let promised =
            Promises::default().of_all(std::iter::once((all[0].registry, &all[0].schedule)), at(0));
        let text = registry_figures(&all, &promised, 7, at(0)).unwrap();
        insta::assert_snapshot!(text, @r#"
        # HELP portolan_registry_interval_seconds The longest time between two of the registry's starts around now; left out if the clock starts none
        # TYPE portolan_registry_interval_seconds gauge
        portolan_registry_interval_seconds{registry="gl",tenant="ac\"me"} 86400
        # HELP portolan_registry_last_success_age_seconds Seconds since a run of the registry was last complete, also if it was changed since what complete is; since it was added if none ever was
        # TYPE portolan_registry_last_success_age_seconds gauge
        portolan_registry_last_success_age_seconds{registry="gl",tenant="ac\"me"} 60
        portolan_registry_last_success_age_seconds{registry="later",tenant="ac\"me"} 0
        portolan_registry_last_success_age_seconds{registry="never",tenant="ac\"me"} 1000
        # HELP portolan_registry_last_success_timestamp_seconds When a run of the registry was last complete; 0 if none ever was
        # TYPE portolan_registry_last_success_timestamp_seconds gauge
        portolan_registry_last_success_timestamp_seconds{registry="gl",tenant="ac\"me"} 1799999940
        portolan_registry_last_success_timestamp_seconds{registry="later",tenant="ac\"me"} 1800000005
        portolan_registry_last_success_timestamp_seconds{registry="never",tenant="ac\"me"} 0
        # HELP portolan_registry_next_start_timestamp_seconds When the clock starts the next run of the registry; left out if it starts none
        # TYPE portolan_registry_next_start_timestamp_seconds gauge
        portolan_registry_next_start_timestamp_seconds{registry="gl",tenant="ac\"me"} 1800000030
        # HELP portolan_registry_series_left_out Registries of which nothing is told here, because there are too many
        # TYPE portolan_registry_series_left_out gauge
        portolan_registry_series_left_out 7
        "#);
    }

    #[test]
    fn that_there_are_none_is_told_too() {
        let text = registry_figures(&[], &BTreeMap::new(), 0, at(0)).unwrap();
        assert!(text.contains("\nportolan_registry_series_left_out 0\n"), "{text}");
        assert!(!text.contains('{'), "{text}");
    }
}
