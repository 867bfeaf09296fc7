//! Exit codes, and how a command fails.

use std::io::{self, Write as _};

use crate::keyring::KeyringError;

/// Done.
pub const DONE: u8 = 0;
/// Failed; trying again may help.
pub const FAILED: u8 = 1;
/// The other side is not trusted, or does not accept the token; of the doctor: a stage failed; of `policy test`: refused; of
/// `audit verify`: a record is not what it was; of `audit accept-checkpoint`: there is nothing to accept.
pub const REFUSED: u8 = 2;
/// Wrong usage, settings or policy.
pub const USAGE: u8 = 64;
/// This sensor is revoked. A service unit must not start it again.
pub const REVOKED: u8 = 78;

/// A command that did not succeed: what to say, and the exit code.
pub(super) struct Failed(pub(super) u8, pub(super) String);

impl Failed {
    pub(super) fn because(code: u8, error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        Self(code, text)
    }
}

pub(super) fn say(text: &str) -> Result<(), Failed> {
    writeln!(io::stdout(), "{text}").map_err(|error| Failed::because(FAILED, &error))
}

pub(super) fn keyring_code(error: &KeyringError) -> u8 {
    match error {
        KeyringError::Revoked { .. } => REVOKED,
        KeyringError::NotEnrolled { .. } | KeyringError::AlreadyEnrolled { .. } => USAGE,
        KeyringError::InUse { .. }
        | KeyringError::File(_)
        | KeyringError::Damaged { .. }
        | KeyringError::IdentityLost { .. }
        | KeyringError::TrustUnrelated { .. }
        | KeyringError::Versions(_)
        | KeyringError::Key(_) => FAILED,
    }
}
