//! GitLab's REST API: pages, and what refusals say.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use bytes::Bytes;
use portolan_shared::model::{CredentialKind, DiscoveryMethod, Finding, FindingCode};
use serde::Deserialize;
use url::Url;

use crate::api::{fault_of, next_query, unexpected};
use crate::auth::TokenHint;
use crate::client::{ApiCall, ApiLogin, RegistryClient};
use crate::error::{Fault, RegistryError, Subject};
use crate::http::Reply;

/// Pages of one listing of the REST API, of a hundred rows each: it ends beyond, and says so.
const PAGES: usize = 10_000;

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
        self.client.call(ApiCall::get(&path, login).at(&self.web)).await
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

/// The pages of one listing. Of a link only the query is taken: whatever host it names, the web host is asked.
pub(super) struct Pages {
    path: String,
    next: Option<String>,
    asked: HashSet<u64>,
    hasher: RandomState,
    shortfall: Option<&'static str>,
}

impl Pages {
    /// Pages of `path`, from the one that `query` asks for.
    pub(super) fn new(path: impl Into<String>, query: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            next: Some(query.into()),
            asked: HashSet::new(),
            hasher: RandomState::new(),
            shortfall: None,
        }
    }

    /// The next page; `None` at the end.
    pub(super) async fn next(&mut self, rest: &Rest) -> Result<Option<Reply>, Fault> {
        let Some(query) = self.next.take() else {
            return Ok(None);
        };
        if self.asked.len() >= PAGES {
            self.shortfall = Some("more pages than are read");
            return Ok(None);
        }
        if !self.asked.insert(self.hasher.hash_one(&query)) {
            self.shortfall = Some("pages that lead in circles");
            return Ok(None);
        }
        let reply = rest.get(&format!("{}?{query}", self.path)).await?;
        self.next = next_query(&reply.headers).or_else(|| next_number(&reply, &query));
        Ok(Some(reply))
    }

    /// Once the end was reached: why this is not everything.
    pub(super) fn shortfall(&self) -> Option<&'static str> {
        self.shortfall
    }
}

/// The query of the page that `x-next-page` names, where there is no link.
fn next_number(reply: &Reply, query: &str) -> Option<String> {
    let next: u32 = reply
        .headers
        .get("x-next-page")?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let mut changed = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if name != "page" {
            changed.append_pair(&name, &value);
        }
    }
    Some(changed.append_pair("page", &next.to_string()).finish())
}

/// The error of a rung, in GitLab's terms.
pub(super) fn rung_error(rest: &Rest, method: DiscoveryMethod, fault: Fault) -> RegistryError {
    rest.client.error(Subject::Discovery(method), fault)
}

/// Why a rung did not show everything that it could have.
pub(super) fn shortfall(rest: &Rest, method: DiscoveryMethod, why: &str) -> Finding {
    let registry = rest.client.url().reference_host();
    Finding::new(
        FindingCode::ViewIsPartial,
        &format!("{registry}: {method}: {why}"),
    )
}

/// Names of repositories that a listing of them holds. How many rows have none that can be asked for.
pub(super) fn repository_names(
    body: &Bytes,
    into: &mut Vec<portolan_shared::model::RepositoryName>,
) -> Result<u64, Fault> {
    #[derive(Deserialize)]
    struct Row {
        path: Option<String>,
    }
    let rows: Vec<Row> = serde_json::from_slice(body).map_err(|_| Fault::Protocol {
        problem: "the answer is not a list of repositories",
    })?;
    let mut malformed = 0;
    for row in rows {
        // The registry knows paths in lower case only.
        match row.path.unwrap_or_default().to_lowercase().parse() {
            Ok(name) => into.push(name),
            Err(_) => malformed += 1,
        }
    }
    Ok(malformed)
}
