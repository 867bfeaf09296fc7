//! The listener for push events, as Prometheus metrics.

use prometheus::{CounterVec, Gauge, GaugeVec, Opts, Registry};

use super::notify::{NotifierStatus, NotifyStatus};

/// Adds what is known of the listener. The label `registry` is empty for requests that name no registry that is known.
pub(super) fn add_notify_metrics(
    registry: &Registry,
    status: &NotifyStatus,
) -> Result<(), prometheus::Error> {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let count = |n: u64| n as f64;
    let counted = |name: &str, help: &str, value: fn(&NotifierStatus) -> u64, elsewhere: u64| {
        let counters = CounterVec::new(Opts::new(name, help), &["registry"])?;
        for notifier in &status.registries {
            let counter = counters.get_metric_with_label_values(&[&notifier.name])?;
            counter.inc_by(count(value(notifier)));
        }
        if elsewhere > 0 {
            let counter = counters.get_metric_with_label_values(&[""])?;
            counter.inc_by(count(elsewhere));
        }
        registry.register(Box::new(counters))
    };
    counted(
        "portolan_agent_push_events_received_total",
        "Push events that were taken since start.",
        |notifier| notifier.received,
        0,
    )?;
    counted(
        "portolan_agent_push_events_ignored_total",
        "Push events since start that change no inventory, were repeated, or are not told by the policy.",
        |notifier| notifier.ignored,
        0,
    )?;
    counted(
        "portolan_agent_push_events_refused_total",
        "Notifications since start that were not authentic, malformed, too large or too many.",
        |notifier| notifier.refused,
        status.refused_elsewhere,
    )?;
    let waiting = GaugeVec::new(
        Opts::new(
            "portolan_agent_push_events_waiting",
            "Tags, digests and repositories that wait to be told to the control plane.",
        ),
        &["registry"],
    )?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 stay far below 2^53"
    )]
    let seconds = |at: jiff::Timestamp| at.as_millisecond() as f64 / 1_000.0;
    let last = GaugeVec::new(
        Opts::new(
            "portolan_agent_push_event_last_timestamp_seconds",
            "When the last push event was taken.",
        ),
        &["registry"],
    )?;
    for notifier in &status.registries {
        let waits = waiting.get_metric_with_label_values(&[&notifier.name])?;
        waits.set(count(notifier.waiting as u64));
        if let Some(at) = notifier.last_event {
            last.get_metric_with_label_values(&[&notifier.name])?
                .set(seconds(at));
        }
    }
    registry.register(Box::new(waiting))?;
    registry.register(Box::new(last))?;
    let unacknowledged = Gauge::new(
        "portolan_agent_push_events_unacknowledged",
        "Push events that were sent to the control plane and are not acknowledged.",
    )?;
    unacknowledged.set(count(status.on_the_way as u64));
    registry.register(Box::new(unacknowledged))
}

#[cfg(test)]
mod tests {
    use super::super::metrics::metrics_text;
    use super::super::report::tests::sample;

    #[test]
    fn every_registry_has_its_own() {
        let text = metrics_text(&sample()).unwrap();
        for line in [
            "# TYPE portolan_agent_push_events_received_total counter",
            "portolan_agent_push_events_received_total{registry=\"gitlab\"} 12",
            "portolan_agent_push_events_ignored_total{registry=\"gitlab\"} 3",
            "portolan_agent_push_events_refused_total{registry=\"gitlab\"} 1",
            "portolan_agent_push_events_refused_total{registry=\"\"} 4",
            "portolan_agent_push_events_waiting{registry=\"gitlab\"} 2",
            "portolan_agent_push_event_last_timestamp_seconds{registry=\"gitlab\"} 1800000000.123",
            "portolan_agent_push_events_unacknowledged 1",
        ] {
            assert!(
                text.lines().any(|got| got == line),
                "{line:?} is missing in\n{text}"
            );
        }
        let mut without = sample();
        without.notify = None;
        assert!(!metrics_text(&without).unwrap().contains("push_event"));
    }
}
