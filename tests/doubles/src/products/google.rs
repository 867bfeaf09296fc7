//! Google's Container Registry and Artifact Registry: one repository a token, and a `tags/list` that says much more than others.
//!
//! Sources: `go-containerregistry`, which reads these members of `tags/list`, and reports about its tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::response::Response;
use http::header;
use portolan_shared::model::TagName;
use portolan_shared::process::Tasks;
use serde_json::{Map, Value, json};

use super::double::ProductDouble;
use super::stage::{Question, json, page};
use super::tokens::Tokens;
use super::v2::{self, Asked, Linked, Lists, View};
use crate::content::Content;

/// A running registry of Google's.
pub type GoogleDouble = ProductDouble<Google>;

/// One of Google's registries. A new one has no accounts and no catalog.
#[derive(Debug, Default)]
pub struct Google {
    accounts: BTreeMap<(String, String), Vec<String>>,
    catalog: bool,
    times_as_numbers: bool,
    tokens: Tokens,
}

impl Google {
    /// A registry without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an access token, to be used as the secret of `oauth2accesstoken`, that reads everything below these paths.
    #[must_use]
    pub fn access_token(mut self, token: &str, below: &[&str]) -> Self {
        let login = ("oauth2accesstoken".to_owned(), token.to_owned());
        let below = below.iter().map(ToString::to_string).collect();
        self.accounts.insert(login, below);
        self
    }

    /// Has a catalog, as the older product.
    #[must_use]
    pub fn with_catalog(mut self) -> Self {
        self.catalog = true;
        self
    }

    /// Says as numbers when something was uploaded, as the newer product; as texts otherwise.
    #[must_use]
    pub fn times_as_numbers(mut self) -> Self {
        self.times_as_numbers = true;
        self
    }

    /// Starts it holding `content`, over TLS if a configuration is given.
    pub async fn start(
        self,
        content: Content,
        tls: Option<Arc<rustls::ServerConfig>>,
        tasks: &Tasks,
    ) -> anyhow::Result<GoogleDouble> {
        ProductDouble::start("Google's registry", self, content, tls, tasks, answer).await
    }

    /// A token for the first scope that is asked for, and for no other.
    fn token(&mut self, question: &Question) -> Response {
        let Some((name, secret)) = question.basic() else {
            return v2::error(401, "UNAUTHORIZED");
        };
        let Some(below) = self.accounts.get(&(name.clone(), secret)) else {
            return v2::error(401, "UNAUTHORIZED");
        };
        let scope = question.parameter("scope");
        let repository = scope
            .as_ref()
            .and_then(|scope| Some(scope.strip_prefix("repository:")?.rsplit_once(':')?.0));
        let readable = repository.filter(|name| {
            below.iter().any(|root| {
                *name == root
                    || name
                        .strip_prefix(root.as_str())
                        .is_some_and(|rest| rest.starts_with('/'))
            })
        });
        let mut scopes: Vec<String> = readable
            .map(|name| format!("repository:{name}:pull"))
            .into_iter()
            .collect();
        scopes.extend(scope.filter(|scope| scope == "registry:catalog:*"));
        let token = self.tokens.issue(Some(name), scopes);
        json(200, &json!({"token": token, "expires_in": 3600}))
    }

    fn tags(&self, content: &Content, name: &str) -> Response {
        let prefix = format!("{name}/");
        let children: BTreeSet<&str> = content
            .repositories()
            .keys()
            .filter_map(|other| other.as_str().strip_prefix(&prefix)?.split('/').next())
            .collect();
        let repository = content.repository(name);
        if repository.is_none() && children.is_empty() {
            return v2::error(404, "NAME_UNKNOWN");
        }
        let mut manifests = Map::new();
        let mut tags: Vec<&TagName> = Vec::new();
        if let Some(repository) = repository {
            tags.extend(repository.tags().keys());
            for digest in repository.manifests() {
                let Some(stored) = content.manifests().get(digest) else {
                    continue;
                };
                let named: Vec<&TagName> = repository
                    .tags()
                    .iter()
                    .filter(|(_, to)| *to == digest)
                    .map(|(tag, _)| tag)
                    .collect();
                let pushed = named
                    .first()
                    .map_or_else(Default::default, |tag| repository.pushed(tag.as_str()));
                let uploaded = pushed.published().as_millisecond();
                let uploaded = if self.times_as_numbers {
                    json!(uploaded)
                } else {
                    json!(uploaded.to_string())
                };
                manifests.insert(
                    digest.to_string(),
                    json!({
                        "imageSizeBytes": stored.facts.size().to_string(),
                        "layerId": "",
                        "mediaType": stored.media_type,
                        "tag": named,
                        "timeCreatedMs": "1767323045000",
                        "timeUploadedMs": uploaded,
                    }),
                );
            }
        }
        json(
            200,
            &json!({"child": children, "manifest": Value::Object(manifests), "name": name, "tags": tags}),
        )
    }
}

fn answer(google: &mut Google, content: &Content, question: &Question) -> Response {
    if question.path == "/v2/token" {
        return google.token(question);
    }
    let Some(behind) = question.path.strip_prefix("/v2/") else {
        return page(404);
    };
    let Some(asked) = Asked::of(behind) else {
        return v2::error(404, "NAME_UNKNOWN");
    };
    if question.header(header::AUTHORIZATION).is_empty() {
        let host = question.here.split_once("://").map_or("", |(_, host)| host);
        let mut challenge = format!("Bearer realm=\"{}/v2/token\",service=\"{host}\"", question.here);
        if let Some(name) = asked.repository() {
            challenge.push_str(&format!(",scope=\"repository:{name}:pull\""));
        }
        return v2::challenged(&[challenge]);
    }
    let Some(issued) = question.bearer().and_then(|token| google.tokens.find(token)) else {
        return v2::error(401, "UNAUTHORIZED");
    };
    if asked.repository().is_some_and(|name| !issued.pulls(name)) {
        // Without a challenge, as if another token would not do either.
        return v2::error(403, "DENIED");
    }
    match asked {
        Asked::Catalog if !google.catalog => v2::error(404, "NAME_UNKNOWN"),
        Asked::Tags(name) => google.tags(content, name),
        Asked::Root | Asked::Catalog | Asked::Manifest(..) | Asked::Blob(..) => {
            let lists = Lists {
                linked: Linked::Path,
                usual: None,
                most: usize::MAX,
                holes: false,
            };
            v2::answer(View::all(content), &asked, question, lists)
        }
    }
}
