//! How a credential is, in words, and what is to be done.

use jiff::Timestamp;

use crate::web::api::credentials::CredentialView;

/// Days before its end from which on a new one is asked for.
const SOON: i64 = 14;

/// The state of a credential.
pub(super) fn state(shown: &CredentialView) -> String {
    match shown.state.as_str() {
        "awaiting_sealing" => format!("waits to be sealed for {}", with_state(shown, "awaiting_sealing")),
        "enter_again" => "to be entered again: the registry has moved".to_owned(),
        "awaiting_trial" => "not seen to work yet".to_owned(),
        other => other.replace('_', " "),
    }
}

/// The state of a sensor towards a credential.
pub(super) fn recipient(state: &str) -> String {
    match state {
        "sealed" => "can open it".to_owned(),
        "awaiting_sealing" => "cannot open it yet".to_owned(),
        "outdated_key" => "can open it, and will renew its key".to_owned(),
        "local" => "has it on its own machine".to_owned(),
        "rotate_at_registry" => "knew it, and should not any more".to_owned(),
        other => other.replace('_', " "),
    }
}

/// What is to be done, most pressing first; nothing if all is well.
pub(super) fn to_do(shown: &CredentialView, now: Timestamp) -> Vec<String> {
    let registry = &shown.registry;
    let enter = format!("`portolan registry set {registry} --username USER --password-stdin`");
    let mut all = Vec::new();
    match shown.state.as_str() {
        "enter_again" => all.push(format!(
            "the registry's address is not the one that the login was sealed for, so no sensor uses it; enter it again: {enter}"
        )),
        "awaiting_sealing" => all.push(format!(
            "{} cannot open it; enter it again, to seal it for all sensors of the registry: {enter}",
            with_state(shown, "awaiting_sealing")
        )),
        "awaiting_trial" => {
            let mut text = format!("see whether it works: `portolan registry test {registry}`");
            if shown.former_version.is_some() {
                text.push_str(&format!(
                    "; back to the version before: `portolan credential revert {registry}`"
                ));
            }
            all.push(text);
        }
        _ => {}
    }
    let knew = with_state(shown, "rotate_at_registry");
    if !knew.is_empty() {
        all.push(format!(
            "{knew} knew the login and should not any more: change it at the registry, then enter the new one: {enter}"
        ));
    }
    if let Some(end) = shown.expires_at {
        match days_left(end, now) {
            left if left < 0 => all.push(format!("it has ended: enter a new one: {enter}")),
            left if left <= SOON => all.push(format!("it ends soon: enter a new one: {enter}")),
            _ => {}
        }
    }
    all
}

/// Whole days until then; below 0 once it is over.
pub(super) fn days_left(end: Timestamp, now: Timestamp) -> i64 {
    (end.as_second() - now.as_second()).div_euclid(86_400)
}

fn with_state(shown: &CredentialView, state: &str) -> String {
    let names = shown.recipients.iter().filter(|one| one.state == state);
    let names: Vec<_> = names.map(|one| one.sensor.as_str()).collect();
    names.join(" and ")
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
