//! What GitLab's registry is to the others here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::http::HeaderMap;
use async_trait::async_trait;
use portolan_shared::model::{
    CredentialFacts, CredentialKind, DiscoveryMethod, Finding, FindingCode, ListingMethod, RepositoryName,
};
use url::Url;

use super::associations::AssociatedProjects;
use super::groups::Groups;
use super::introspection::{self, Introspection};
use super::projects::Projects;
use super::rest::{Rest, closed_to};
use super::rest_tags::RestTags;
use super::v1_tags::{Metadata, V1Tags};
use super::{cleanup, explain, project, web};
use crate::api::Greeting;
use crate::auth::TokenHint;
use crate::client::RegistryClient;
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::ladder::Wanted;
use crate::flavour::not_asked::not_asked;
use crate::flavour::product::{Product, RepositoryPages, Rung, TagPages, folders, owners};

/// Why the REST API is not asked at all.
const NO_API: &str = "where GitLab's API is cannot be told, for the registry names another token service than GitLab's own (/jwt/auth)";

/// Repositories whose projects are looked up, of those that cannot be read: beyond them the general reason is given.
const LOOKUPS: usize = 32;

pub(in crate::flavour) struct GitLab {
    /// Where the web interface and the REST API are, if the challenge says so.
    web: Option<Url>,
    metadata: Arc<Metadata>,
    /// What was said of which login.
    introspected: tokio::sync::Mutex<Option<(TokenHint, Introspection)>>,
    /// How many more repositories' projects are looked up to find out why they cannot be read.
    lookups: AtomicUsize,
}

impl GitLab {
    pub(in crate::flavour) fn new(greeting: &Greeting) -> Self {
        Self {
            web: web::web_of(greeting),
            metadata: Arc::default(),
            introspected: tokio::sync::Mutex::default(),
            lookups: AtomicUsize::new(LOOKUPS),
        }
    }

    pub(super) fn rest(&self, client: &RegistryClient) -> Option<Rest> {
        Some(Rest {
            client: client.clone(),
            web: self.web.clone()?,
        })
    }

    /// What the API says of why this repository cannot be read; nothing once it has shown that it does not say, or was asked often enough.
    pub(super) async fn obstacle(
        &self,
        client: &RegistryClient,
        repository: &RepositoryName,
    ) -> Option<(FindingCode, String)> {
        let rest = self.rest(client)?;
        let hint = client.token_hint().await.ok()?;
        if closed_to(hint.as_ref()).is_some() {
            return None;
        }
        let fewer = |left: usize| left.checked_sub(1);
        self.lookups
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
            .ok()?;
        match project::obstacle(&rest, repository).await {
            Ok(obstacle) => obstacle,
            Err(Fault::Missing { .. }) => None,
            Err(fault) => {
                tracing::debug!(%fault, %repository, "GitLab says nothing of the project");
                if matches!(fault, Fault::Denied { .. }) {
                    self.lookups.store(0, Ordering::Relaxed);
                }
                None
            }
        }
    }

    /// What GitLab says of the token, asked once for each login.
    pub(super) async fn introspect(&self, client: &RegistryClient, hint: &TokenHint) -> Introspection {
        let Some(rest) = self.rest(client) else {
            return Introspection::Nothing;
        };
        if closed_to(Some(hint)).is_some() {
            return Introspection::Nothing;
        }
        let mut known = self.introspected.lock().await;
        if let Some((of, told)) = &*known
            && of.is_same(hint)
        {
            return told.clone();
        }
        let told = introspection::ask(&rest, hint).await;
        // Silence as well: whoever explains a refusal asks again for every error.
        *known = Some((hint.clone(), told.clone()));
        told
    }
}

#[async_trait]
impl Product for GitLab {
    fn rungs(&self, client: &RegistryClient, wanted: &Wanted) -> Vec<Rung> {
        let rung = |method, shows_all, pages: Box<dyn RepositoryPages>| Rung {
            method,
            shows_all,
            pages,
        };
        let Some(rest) = self.rest(client) else {
            return vec![not_asked(client, DiscoveryMethod::GitLabProjects, NO_API)];
        };
        let mut rungs = vec![
            rung(
                DiscoveryMethod::GitLabProjects,
                true,
                Box::new(Projects::new(rest.clone(), wanted.patterns.clone())),
            ),
            rung(
                DiscoveryMethod::GitLabAssociations,
                false,
                Box::new(AssociatedProjects::new(rest.clone())),
            ),
        ];
        let folders = folders(&wanted.patterns);
        if !folders.is_empty() {
            // Every pattern lies in a group: then all that is wanted is in these.
            let shows_all = owners(&wanted.patterns).is_some();
            let groups = Groups::new(rest, folders);
            rungs.push(rung(DiscoveryMethod::GitLabGroups, shows_all, Box::new(groups)));
        }
        rungs
    }

    fn tags(
        &self,
        client: &RegistryClient,
        repository: &RepositoryName,
    ) -> Option<(ListingMethod, Box<dyn TagPages>)> {
        let pages = V1Tags::new(client.clone(), Arc::clone(&self.metadata), repository.clone());
        self.metadata
            .may_be_open()
            .then(|| (ListingMethod::GitLabV1, Box::new(pages) as Box<dyn TagPages>))
    }

    fn last_tags(
        &self,
        client: &RegistryClient,
        repository: &RepositoryName,
    ) -> Option<(ListingMethod, Box<dyn TagPages>)> {
        let pages = RestTags::new(self.rest(client)?, repository.clone());
        Some((ListingMethod::GitLabRest, Box::new(pages)))
    }

    /// A job's token is refused before it is tried: it would work now and fail when its job ends.
    async fn may_log_in(&self, client: &RegistryClient) -> Result<(), Fault> {
        match client.token_hint().await? {
            Some(hint) if hint.kind == CredentialKind::CiJobToken => Err(Fault::Unfit { kind: hint.kind }),
            _ => Ok(()),
        }
    }

    fn entered(&self, headers: &HeaderMap) {
        self.metadata.told(headers);
    }

    async fn credential(&self, client: &RegistryClient) -> Result<Option<CredentialFacts>, RegistryError> {
        let failed = |fault| client.error(Subject::Credential, fault);
        let Some(hint) = client.token_hint().await.map_err(failed)? else {
            return Ok(None);
        };
        let ended = |code, what: &str| {
            let registry = client.url().reference_host();
            let finding = Finding::new(code, &format!("{registry}: GitLab says that the token {what}"));
            let status = ::http::StatusCode::UNAUTHORIZED;
            failed(Fault::Denied { status, code: None }).explained(Some(finding))
        };
        match self.introspect(client, &hint).await {
            Introspection::Told(facts) => Ok(Some(facts)),
            Introspection::Expired => Err(ended(FindingCode::CredentialExpired, "has expired")),
            Introspection::Revoked => Err(ended(FindingCode::CredentialRevoked, "was revoked")),
            Introspection::Refused | Introspection::Nothing => {
                let facts = CredentialFacts::of_kind(hint.kind);
                Ok(Some(match hint.username() {
                    Some(name) if !name.is_empty() => facts.owned_by(name),
                    _ => facts,
                }))
            }
        }
    }

    async fn explain(&self, client: &RegistryClient, error: &RegistryError) -> Option<Finding> {
        explain::explain(self, client, error).await
    }

    async fn remarks(&self, client: &RegistryClient) -> Vec<Finding> {
        let Ok(Some(hint)) = client.token_hint().await else {
            return Vec::new();
        };
        let registry = client.url().reference_host();
        let unusual = hint.unusual_name();
        unusual
            .map(|what| Finding::new(FindingCode::CredentialNameUnusual, &format!("{registry}: {what}")))
            .into_iter()
            .collect()
    }

    async fn advisories(&self, client: &RegistryClient, repository: &RepositoryName) -> Vec<Finding> {
        match self.rest(client) {
            Some(rest) => cleanup::advisories(&rest, repository).await,
            None => Vec::new(),
        }
    }
}
