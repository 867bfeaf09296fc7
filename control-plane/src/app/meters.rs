//! What is counted for Prometheus.

use prometheus::{
    Encoder as _, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};

/// The counters of one process.
pub struct Meters {
    registry: Registry,
    /// Sessions that are open.
    pub sessions: IntGauge,
    /// Sessions that were opened.
    pub sessions_opened: IntCounter,
    /// Whoever showed an identity that was in use, or an old state of it, and did not answer when it was asked whether it is alive.
    pub sightings_unanswered: IntCounter,
    /// Sessions that ended, by reason.
    pub sessions_ended: IntCounterVec,
    /// Connections of sensors, strangers included.
    pub connections: IntGauge,
    /// Connections that did not come to be, by reason.
    pub handshakes_refused: IntCounterVec,
    /// Calls that were refused, by reason.
    pub calls_refused: IntCounterVec,
    /// Leases that were given.
    pub leases: IntCounter,
    /// Leases that ran out.
    pub leases_lost: IntCounter,
    /// What is not taken from sensors any more, because it would suddenly be taken from too many: look here first, and raise an alarm above 0.
    pub reapers_stopped: IntGauge,
    /// How long ago the database last said which sensors are shut out, in seconds.
    pub denials_age_seconds: Gauge,
    /// Tags that were committed.
    pub tags_committed: IntCounter,
    /// Items of content that were stored.
    pub content_stored: IntCounter,
    /// Attempts to deliver to webhooks, by what became of the message.
    pub webhook_deliveries: IntCounterVec,
    /// Time that the store took for calls of the upload service, in seconds, by call.
    pub ingest_seconds: HistogramVec,
}

impl Meters {
    /// All at zero.
    ///
    /// # Errors
    /// Never in practice: only if two counters had the same name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let by_reason = |name: &str, help: &str| -> Result<IntCounterVec, prometheus::Error> {
            let counters = IntCounterVec::new(Opts::new(name, help), &["reason"])?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let ingest_seconds = HistogramVec::new(
            HistogramOpts::new(
                "portolan_ingest_seconds",
                "Time that the database took for a call of the upload service",
            )
            .buckets(prometheus::exponential_buckets(0.001, 2.0, 14)?),
            &["call"],
        )?;
        registry.register(Box::new(ingest_seconds.clone()))?;
        let webhook_deliveries = IntCounterVec::new(
            Opts::new(
                "portolan_webhook_deliveries_total",
                "Attempts to deliver to webhooks: the message was delivered, is tried again, or the webhook was disabled",
            ),
            &["outcome"],
        )?;
        registry.register(Box::new(webhook_deliveries.clone()))?;
        let denials_age_seconds = Gauge::new(
            "portolan_denials_age_seconds",
            "Seconds since the database last said which sensors are shut out",
        )?;
        registry.register(Box::new(denials_age_seconds.clone()))?;
        Ok(Self {
            sessions: gauge("portolan_sessions", "Sessions of sensors that are open")?,
            sessions_opened: counter("portolan_sessions_opened_total", "Sessions that were opened")?,
            sightings_unanswered: counter(
                "portolan_sightings_unanswered_total",
                "Streams that showed an identity that was in use or an old state, and did not answer",
            )?,
            sessions_ended: by_reason("portolan_sessions_ended_total", "Sessions that ended")?,
            connections: gauge(
                "portolan_sensor_connections",
                "Connections of sensors that are open",
            )?,
            handshakes_refused: by_reason(
                "portolan_handshakes_refused_total",
                "Connections of sensors that did not come to be",
            )?,
            calls_refused: by_reason(
                "portolan_calls_refused_total",
                "Calls of sensors that were refused",
            )?,
            leases: counter("portolan_leases_total", "Leases that were given")?,
            leases_lost: counter("portolan_leases_lost_total", "Leases that ran out")?,
            reapers_stopped: gauge(
                "portolan_reapers_stopped",
                "Reapers that stopped because too many sensors look lost at once",
            )?,
            denials_age_seconds,
            tags_committed: counter("portolan_tags_committed_total", "Tags that were committed")?,
            content_stored: counter(
                "portolan_content_stored_total",
                "Manifests and image facts that were stored",
            )?,
            ingest_seconds,
            webhook_deliveries,
            registry,
        })
    }

    /// Everything in Prometheus's text format.
    #[must_use]
    pub fn render(&self) -> String {
        text_of(&self.registry)
    }
}

/// What a registry of figures holds, in Prometheus's text format.
pub(in crate::app) fn text_of(registry: &Registry) -> String {
    let mut text = Vec::new();
    if let Err(error) = TextEncoder::new().encode(&registry.gather(), &mut text) {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "metrics cannot be rendered"
        );
    }
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_what_was_counted() {
        let meters = Meters::new().unwrap();
        meters.leases.inc();
        meters.handshakes_refused.with_label_values(&["tls"]).inc();
        meters
            .ingest_seconds
            .with_label_values(&["put_content"])
            .observe(0.5);
        let text = meters.render();
        assert!(text.contains("portolan_leases_total 1"));
        assert!(text.contains("portolan_handshakes_refused_total{reason=\"tls\"} 1"));
        assert!(text.contains("portolan_ingest_seconds_sum{call=\"put_content\"} 0.5"));
        assert!(text.contains("portolan_ingest_seconds_count{call=\"put_content\"} 1"));
    }
}
