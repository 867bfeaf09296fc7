//! Webhooks for Prometheus: read from the database when it is asked for.

use jiff::Timestamp;
use portolan_store::WebhookFigures;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use crate::app::App;
use crate::app::meters::text_of;

/// What is told of the webhooks of all tenants, in Prometheus's text format.
///
/// # Errors
/// Never in practice: only if two figures had the same name.
pub fn webhook_figures(figures: &WebhookFigures, now: Timestamp) -> Result<String, prometheus::Error> {
    let all = Registry::new();
    let webhooks = IntGaugeVec::new(Opts::new("portolan_webhooks", "Webhooks, by state"), &["state"])?;
    let failing = IntGauge::new(
        "portolan_webhooks_failing",
        "Active webhooks whose message was tried in vain so far",
    )?;
    let age = IntGauge::new(
        "portolan_webhook_longest_failure_seconds",
        "Seconds since the first attempt at the message that is tried in vain for longest; 0 if there is none",
    )?;
    all.register(Box::new(webhooks.clone()))?;
    all.register(Box::new(failing.clone()))?;
    all.register(Box::new(age.clone()))?;
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    for (state, count) in [
        ("active", figures.active),
        ("paused", figures.paused),
        ("disabled", figures.disabled),
    ] {
        webhooks.with_label_values(&[state]).set(whole(count));
    }
    failing.set(whole(figures.failing));
    age.set(
        figures
            .failing_since
            .map_or(0, |since| now.duration_since(since).as_secs().max(0)),
    );
    Ok(text_of(&all))
}

impl App {
    /// What is told of webhooks, in Prometheus's text format; nothing if the database does not say.
    pub async fn webhook_figures(&self) -> String {
        let text = match self.store.webhook_figures().await {
            Ok(figures) => webhook_figures(&figures, self.clock.now()),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "metrics tell nothing of webhooks"
                );
                return String::new();
            }
        };
        text.unwrap_or_else(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "metrics of webhooks cannot be made"
            );
            String::new()
        })
    }
}
