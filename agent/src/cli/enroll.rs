//! The command that makes this machine a sensor.

use std::io::{self, Read as _};
use std::sync::Arc;

use portolan_shared::process::{Shutdown, SystemClock, SystemRng, Tasks};
use portolan_shared::secret::Secret;

use super::exit::{DONE, FAILED, Failed, REFUSED, USAGE, keyring_code, say};
use crate::policy::Allowed;
use crate::settings::{DEFAULT_DATA_DIR, Environment, Settings};
use crate::uplink::EnrolError;
use crate::wiring::{EnrolCommand, EnrolmentError, enrol};

/// A token on standard input is cut off here.
const TOKEN_BYTES: u64 = 4 * 1024;

pub(super) fn read_token(given: Option<&str>, environment: &Environment) -> Result<Secret, Failed> {
    match given {
        Some("-") => {
            let mut text = String::new();
            io::stdin()
                .take(TOKEN_BYTES)
                .read_to_string(&mut text)
                .map_err(|error| Failed::because(FAILED, &error))?;
            Ok(Secret::new(text))
        }
        Some(text) => Ok(Secret::new(text.to_owned())),
        None => environment
            .get("PORTOLAN_ENROLMENT_TOKEN")
            .map(|text| Secret::new(text.to_owned()))
            .ok_or_else(|| {
                Failed(
                    USAGE,
                    "no token: give it as an argument, as - on standard input, or in PORTOLAN_ENROLMENT_TOKEN".to_owned(),
                )
            }),
    }
}

pub(super) async fn enroll(settings: Settings, token: Secret, allow: Allowed) -> Result<u8, Failed> {
    let tasks = Tasks::new(Shutdown::new());
    let note = allow.note_of_sharing();
    let nothing_allowed = allow.registries.is_empty() && !settings.policy.exists();
    let done = enrol(EnrolCommand {
        token,
        data_dir: settings.data_dir.clone(),
        policy: settings.policy.clone(),
        allow,
        proxy: settings.proxy,
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
        tasks: tasks.clone(),
    })
    .await
    .map_err(|error| Failed::because(enrolment_code(&error), &error))?;
    let enrolled = done.enrolled;
    let how = if done.before {
        "was already enrolled with this token"
    } else {
        "is enrolled"
    };
    say(&format!(
        "This machine {how} as sensor {} ({}).",
        enrolled.name, enrolled.sensor
    ))?;
    if let Some(fingerprint) = enrolled.fingerprint() {
        say(&format!(
            "Its fingerprint is {fingerprint}: compare it when you seal a credential for it."
        ))?;
    }
    if nothing_allowed {
        say(&format!(
            "It may not read anything yet: allow registries in {}.",
            settings.policy.display()
        ))?;
    }
    if let Some(note) = note {
        say(&note)?;
    }
    let data_dir = settings.data_dir.display().to_string();
    let flag = if data_dir == DEFAULT_DATA_DIR {
        String::new()
    } else {
        format!(" --data-dir {data_dir}")
    };
    say(&format!("Start it with: portolan-agent run{flag}"))?;
    Ok(DONE)
}

fn enrolment_code(error: &EnrolmentError) -> u8 {
    match error {
        EnrolmentError::Token(_) | EnrolmentError::Policy(_) => USAGE,
        EnrolmentError::Keyring(error) | EnrolmentError::Enrol(EnrolError::Keyring(error)) => {
            keyring_code(error)
        }
        EnrolmentError::Enrol(EnrolError::Failed(_)) => FAILED,
        EnrolmentError::Enrol(
            EnrolError::Untrusted(_) | EnrolError::TokenInvalid | EnrolError::TokenAlreadyBound,
        ) => REFUSED,
    }
}
