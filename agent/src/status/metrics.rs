//! The report as Prometheus metrics.

use jiff::Timestamp;
use prometheus::{Counter, Encoder as _, Gauge, Opts, Registry, TextEncoder};

use super::notify_metrics::add_notify_metrics;
use super::report::StatusReport;

/// The metrics of a report, in Prometheus' text format. The names are a promise: dashboards are built on them.
pub fn metrics_text(report: &StatusReport) -> Result<String, prometheus::Error> {
    let registry = Registry::new();
    let connection = report.connection.as_ref();
    let certificate = report.certificate.as_ref();
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let count = |n: u64| n as f64;
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 stay far below 2^53"
    )]
    let seconds = |at: Timestamp| at.as_millisecond() as f64 / 1_000.0;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a skew in milliseconds stays far below 2^53"
    )]
    let skew = connection
        .and_then(|connection| connection.skew_ms)
        .map(|ms| ms as f64 / 1_000.0);
    let jobs = count(report.jobs.len() as u64);
    let entries = count(report.policy.allows.len() as u64);
    let flag = |on: bool| Some(f64::from(u8::from(on)));
    let values = [
        (
            "portolan_agent_connected",
            "1 while a session is open.",
            flag(report.ready),
        ),
        (
            "portolan_agent_sessions_total",
            "Sessions opened since start.",
            connection.map(|connection| count(connection.sessions)),
        ),
        (
            "portolan_agent_connection_failures_total",
            "Connections that failed since start.",
            connection.map(|connection| count(connection.failures)),
        ),
        (
            "portolan_agent_clock_skew_seconds",
            "How far the control plane's clock is ahead of this machine's.",
            skew,
        ),
        (
            "portolan_agent_certificate_days_left",
            "Days until the certificate ends.",
            certificate.map(|certificate| certificate.days_left),
        ),
        (
            "portolan_agent_renewals_total",
            "Certificates renewed since start.",
            certificate.map(|certificate| count(certificate.renewals)),
        ),
        (
            "portolan_agent_recoveries_total",
            "Certificates recovered since start.",
            certificate.map(|certificate| count(certificate.recoveries)),
        ),
        (
            "portolan_agent_shut_out",
            "1 while the control plane lets this sensor in no more.",
            report
                .sensor
                .as_ref()
                .and_then(|sensor| flag(sensor.refused.is_some())),
        ),
        ("portolan_agent_jobs_running", "Jobs that run.", Some(jobs)),
        (
            "portolan_agent_jobs_ended_total",
            "Jobs ended since start.",
            Some(count(report.jobs_ended)),
        ),
        (
            "portolan_agent_policy_entries",
            "Entries of the policy in force.",
            Some(entries),
        ),
        (
            "portolan_agent_policy_faulty",
            "1 while the policy file cannot be used and nothing is allowed.",
            flag(report.policy.fault.is_some()),
        ),
        (
            "portolan_agent_audit_records",
            "Records of this sensor's own audit log.",
            report.audit.as_ref().map(|audit| count(audit.records)),
        ),
        (
            "portolan_agent_audit_checkpoint_timestamp_seconds",
            "When the newest checkpoint of the control plane's audit log that is kept was signed; alert when it is older than a day.",
            report
                .audit
                .as_ref()
                .and_then(|audit| audit.checkpoint_at)
                .map(seconds),
        ),
        (
            "portolan_agent_audit_checkpoint_refused",
            "1 while a checkpoint of the control plane's audit log is refused: the log is not what it was.",
            report
                .audit
                .as_ref()
                .and_then(|audit| flag(audit.refused.is_some())),
        ),
    ];
    for (name, help, value) in values {
        let Some(value) = value else { continue };
        let options = Opts::new(name, help);
        // What counts up since start is a counter, and says so by its name.
        if name.ends_with("_total") {
            let counter = Counter::with_opts(options)?;
            counter.inc_by(value);
            registry.register(Box::new(counter))?;
        } else {
            let gauge = Gauge::with_opts(options)?;
            gauge.set(value);
            registry.register(Box::new(gauge))?;
        }
    }
    if let Some(notify) = &report.notify {
        add_notify_metrics(&registry, notify)?;
    }
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::*;

    #[test]
    fn everything_that_is_known_is_shown() {
        let text = metrics_text(&sample()).unwrap();
        for line in [
            "portolan_agent_connected 1",
            "portolan_agent_sessions_total 2",
            "portolan_agent_certificate_days_left 0.75",
            "portolan_agent_clock_skew_seconds -1.5",
            "portolan_agent_jobs_ended_total 5",
            "portolan_agent_recoveries_total 1",
            "portolan_agent_shut_out 0",
            "# TYPE portolan_agent_jobs_ended_total counter",
            "# TYPE portolan_agent_sessions_total counter",
            "# TYPE portolan_agent_jobs_running gauge",
            "portolan_agent_policy_faulty 0",
            "portolan_agent_audit_records 40",
            "portolan_agent_audit_checkpoint_timestamp_seconds 1800000000.123",
            "portolan_agent_audit_checkpoint_refused 0",
        ] {
            assert!(
                text.lines().any(|got| got == line),
                "{line:?} is missing in\n{text}"
            );
        }
    }
}
