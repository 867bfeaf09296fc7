//! Azure Container Registry: everybody's API, and a bound of its own.

use portolan_shared::model::CredentialKind;

use super::product::Product;

/// Requests at once, as its vendor's own command line holds.
const CONCURRENCY: usize = 6;
/// The user name that comes with a token of Azure's directory service in place of a password.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

pub(super) struct Acr;

impl Product for Acr {
    fn concurrency_hint(&self) -> Option<usize> {
        Some(CONCURRENCY)
    }

    fn kind_of(&self, username: &str) -> CredentialKind {
        if username == NOBODY {
            CredentialKind::OauthToken
        } else {
            CredentialKind::Password
        }
    }
}
