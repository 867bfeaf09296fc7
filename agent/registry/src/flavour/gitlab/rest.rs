//! GitLab's REST API: pages, and what refusals say.

use bytes::Bytes;
use portolan_shared::model::{CredentialKind, DiscoveryMethod, Finding, FindingCode, RepositoryName};
use serde::Deserialize;
use url::Url;

use crate::api::{fault_of, unexpected};
use crate::auth::TokenHint;
use crate::client::{ApiCall, ApiLogin, RegistryClient};
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::not_asked;
use crate::flavour::rows::Rows;
use crate::http::Reply;

/// Bytes of one answer, after decompression.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// The web host, to be asked with the credential.
#[derive(Clone)]
pub(super) struct Rest {
    pub(super) client: RegistryClient,
    pub(super) web: Url,
}

impl Rest {
    /// Asks for `path` below `/api/v4`; every status but success is a fault.
    pub(super) async fn get(&self, path: &str) -> Result<Reply, Fault> {
        let reply = self.ask(path, ApiLogin::Secret).await?;
        if !reply.status.is_success() || reply.elsewhere {
            return Err(match Said::of(&reply) {
                Said::Nothing if reply.elsewhere => Fault::Redirect {
                    to: reply.url.host_str().map(str::to_owned),
                    why: "away from GitLab's API",
                },
                _ => fault_of(&reply),
            });
        }
        Ok(reply)
    }

    /// Asks for `path` below `/api/v4` and returns the answer, whatever its status.
    pub(super) async fn ask(&self, path: &str, login: ApiLogin<'_>) -> Result<Reply, Fault> {
        let path = format!("/api/v4{path}");
        let call = ApiCall {
            bound: ANSWER_BYTES,
            ..ApiCall::get(&path, login)
        };
        self.client.call(call.at(&self.web)).await
    }

    /// The same as [`Rest::get`], read as JSON.
    pub(super) async fn read<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<T, Fault> {
        let reply = self.get(path).await?;
        read(&reply)
    }
}

/// A good answer, read as JSON.
pub(super) fn read<T: for<'de> Deserialize<'de>>(reply: &Reply) -> Result<T, Fault> {
    serde_json::from_slice(&reply.body)
        .map_err(|_| unexpected(reply, "the answer is not that of GitLab's API"))
}

/// Why the REST API cannot be asked with this credential; `None` if it can be tried. A deploy token is never tried: the API would count it as a failed login.
pub(super) fn closed_to(hint: Option<&TokenHint>) -> Option<&'static str> {
    let Some(hint) = hint else {
        return Some("GitLab's REST API lists nothing to strangers");
    };
    match hint.kind {
        CredentialKind::DeployToken => Some("a deploy token cannot use GitLab's REST API"),
        CredentialKind::CiJobToken => Some("the token of a CI job cannot list projects"),
        CredentialKind::RunnerToken | CredentialKind::OtherToken => {
            Some("a token of this kind cannot use GitLab's REST API")
        }
        _ if hint.username().is_none() => Some("the credential is not one that GitLab's REST API takes"),
        _ => None,
    }
}

/// What a refusal of the REST API says of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// It has ended.
    Expired,
    /// It was revoked.
    Revoked,
    /// It may not do this.
    ScopeMissing,
    /// Nothing that is understood.
    Nothing,
}

impl Said {
    pub(super) fn of(reply: &Reply) -> Self {
        #[derive(Deserialize)]
        struct Wire {
            error: Option<String>,
            error_description: Option<String>,
        }
        let Ok(wire) = serde_json::from_slice::<Wire>(&reply.body) else {
            return Self::Nothing;
        };
        let description = wire.error_description.unwrap_or_default().to_ascii_lowercase();
        match (reply.status.as_u16(), wire.error.as_deref()) {
            (401, Some("invalid_token")) if description.contains("expired") => Self::Expired,
            (401, Some("invalid_token")) if description.contains("revoked") => Self::Revoked,
            (403, Some("insufficient_scope")) => Self::ScopeMissing,
            _ => Self::Nothing,
        }
    }
}

/// Whether a failure at one project or group will be one at all others: the API has closed altogether, or the login is wrong.
pub(super) fn is_final(fault: &Fault) -> bool {
    match fault {
        Fault::Denied { status, .. } => *status == ::http::StatusCode::UNAUTHORIZED,
        Fault::LoginRefused { .. } | Fault::Credential(_) | Fault::Policy { .. } | Fault::BudgetSpent => true,
        _ => false,
    }
}

/// The error of a rung, in GitLab's terms.
pub(super) fn rung_error(rest: &Rest, method: DiscoveryMethod, fault: Fault) -> RegistryError {
    let finding = match fault {
        Fault::NotAsked { why } => Some(not_asked::finding(&rest.client, method, why)),
        _ => None,
    };
    let error = rest.client.error(Subject::Discovery(method), fault);
    error.explained(finding)
}

/// Why a rung did not show everything that it could have.
pub(super) fn shortfall(rest: &Rest, method: DiscoveryMethod, why: &str) -> Finding {
    let registry = rest.client.url().reference_host();
    Finding::new(
        FindingCode::ViewIsPartial,
        &format!("{registry}: {method}: {why}"),
    )
}

/// The same for rows that cannot be read: what they stand for is not known, and is not to count as gone.
pub(super) fn unreadable(rest: &Rest, method: DiscoveryMethod, rows: u64) -> Option<Finding> {
    let registry = rest.client.url().reference_host();
    let seen = format!("{registry}: {method}: {rows} rows of lists could not be read");
    (rows > 0).then(|| Finding::new(FindingCode::ListingIncomplete, &seen))
}

/// The rows of a list, each on its own. How many there may be, the pages have seen to.
pub(super) fn rows<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<Rows<T>, Fault> {
    let rows = body.trim_ascii_start().starts_with(b"[").then_some(body);
    rows.and_then(|body| serde_json::from_slice(body).ok())
        .ok_or(Fault::Protocol {
            problem: "the answer is not a list of GitLab's API",
        })
}

/// Rows that gave no name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Nameless {
    /// Those whose name is none that can be asked for.
    pub(super) malformed: u64,
    /// Those without a name, or that are something else.
    pub(super) unreadable: u64,
}

/// Names of repositories that a listing of them holds.
pub(super) fn repository_names(body: &Bytes, into: &mut Vec<RepositoryName>) -> Result<Nameless, Fault> {
    #[derive(Deserialize)]
    struct Row {
        path: String,
    }
    let rows: Rows<Row> = rows(body)?;
    let mut nameless = Nameless {
        malformed: 0,
        unreadable: rows.bad,
    };
    for row in rows.good {
        // The registry knows paths in lower case only.
        match row.path.to_lowercase().parse() {
            Ok(name) => into.push(name),
            Err(_) => nameless.malformed += 1,
        }
    }
    Ok(nameless)
}
