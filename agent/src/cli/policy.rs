//! The commands about the local policy.

use std::path::Path;

use portolan_shared::process::{Clock as _, ProxyRules, SystemClock};

use super::egress::doors;
use super::exit::{DONE, FAILED, Failed, REFUSED, USAGE, say};
use crate::policy::{Policy, exposure};
use crate::settings::Settings;
use crate::trial::{Request, TrialArguments, judge};

/// Says in plain words what a policy file allows.
pub(super) fn check_policy(file: &Path, proxies: &ProxyRules) -> Result<u8, Failed> {
    let policy = Policy::load(file).map_err(|error| Failed::because(USAGE, &error))?;
    say(&format!("{}\n", file.display()))?;
    say(&policy.explain())?;
    for warning in exposure(file).into_iter().chain(policy.warnings(proxies)) {
        say(&format!("\nWarning: {warning}."))?;
    }
    Ok(DONE)
}

/// Says whether one request would be allowed.
pub(super) async fn test_policy(arguments: &TrialArguments, settings: &Settings) -> Result<u8, Failed> {
    let usage = |error: &dyn std::error::Error| Failed::because(USAGE, error);
    let policy = Policy::load(&settings.policy).map_err(|error| usage(&error))?;
    let request = Request::of(arguments).map_err(|error| usage(&error))?;
    let doors = doors(settings);
    let proxies = &settings.registry_proxy;
    let verdict = judge(&policy, &request, proxies, doors, SystemClock.now()).await;
    let text = if arguments.is_json() {
        serde_json::to_string_pretty(&verdict).map_err(|error| Failed::because(FAILED, &error))?
    } else {
        verdict.to_string()
    };
    say(&text)?;
    Ok(match (verdict.allowed, verdict.unresolved) {
        (false, _) => REFUSED,
        (true, true) => FAILED,
        (true, false) => DONE,
    })
}
