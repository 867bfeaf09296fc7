//! What is recorded when an agent starts: that it does, and what it was told by its administrator. Whoever compares two starts sees what changed.

use data_encoding::HEXLOWER;
use serde_json::json;

use crate::audit::{AuditLog, Entry};
use crate::keyring::Keyring;
use crate::policy::LivePolicy;
use crate::settings::Settings;

/// The agent starts, as this sensor, with these settings, under this policy.
pub(super) fn note_start(
    audit: &AuditLog,
    keyring: &Keyring,
    settings: &Settings,
    policy: &LivePolicy,
    incarnation: u64,
) {
    let enrolled = keyring.enrolled();
    if audit.head().seq <= 1 {
        let details = json!({
            "tenant": enrolled.tenant.to_string(),
            "name": enrolled.name,
            "invitation": enrolled.invitation.to_string(),
            "identity": enrolled.identity,
            "at": enrolled.at,
        });
        audit.append(Entry::by_agent(
            "sensor.enrolled",
            format!("sensor:{}", enrolled.sensor),
            details,
        ));
    }
    let details = json!({"version": env!("CARGO_PKG_VERSION"), "start": incarnation});
    audit.append(Entry::by_agent("agent.start", "agent", details));
    audit.append(settings_read(settings));
    let file = policy.path().display().to_string();
    let hash = HEXLOWER.encode(&policy.current().hash());
    audit.append(Entry::policy("policy.read", &file, &hash, None));
}

/// What the settings came to: what is in the file, by its hash, and wherever they come from, by whom requests go and who may come in. Logins of
/// proxies are left out.
fn settings_read(settings: &Settings) -> Entry {
    let proxies = &settings.registry_proxy;
    let object = settings.file.as_ref().map_or_else(
        || "no settings file".to_owned(),
        |file| file.path.display().to_string(),
    );
    let details = json!({
        "sha256": settings.file.as_ref().map(|file| HEXLOWER.encode(&file.sha256)),
        "policy": settings.policy.display().to_string(),
        "proxy": settings.proxy.proxy.as_ref().map(ToString::to_string),
        "registry_proxies": {
            "https": proxies.https.as_ref().map(ToString::to_string),
            "http": proxies.http.as_ref().map(ToString::to_string),
        },
        "health": settings.health.listen.map(|listen| listen.to_string()),
        "notify": settings.notify.as_ref().map(|notify| notify.listen.to_string()),
    });
    Entry {
        actor: "administrator",
        ..Entry::by_agent("settings.read", object, details)
    }
}
