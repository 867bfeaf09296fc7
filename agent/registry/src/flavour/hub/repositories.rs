//! What is in namespaces.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use portolan_shared::model::{DiscoveryMethod, Finding, FindingCode, RepositoryName};
use serde::Deserialize;

use super::web_api::{List, WebApi};
use crate::api::{Page, WalkEnd};
use crate::client::RegistryClient;
use crate::error::{RegistryError, Subject};
use crate::flavour::not_asked;
use crate::flavour::product::RepositoryPages;
use crate::flavour::rows::Rows;
use crate::flavour::several::Several;

/// The repositories of some namespaces.
pub(super) struct Repositories {
    client: RegistryClient,
    api: Arc<WebApi>,
    /// Namespaces that the patterns name; none if they could match in any.
    named: Option<Vec<String>>,
    /// Those that are still to be listed; none before it is known which.
    namespaces: Option<VecDeque<String>>,
    list: Option<List>,
    several: Several,
    /// How a walk ended that did not see everything.
    cut: Option<WalkEnd>,
    malformed: u64,
}

const DISCOVERY: Subject = Subject::Discovery(DiscoveryMethod::HubRepositories);

#[derive(Deserialize)]
struct RepositoryRow {
    name: String,
}

impl Repositories {
    pub(super) fn new(client: RegistryClient, api: Arc<WebApi>, named: Option<Vec<String>>) -> Self {
        Self {
            client,
            api,
            named,
            namespaces: None,
            list: None,
            several: Several::default(),
            cut: None,
            malformed: 0,
        }
    }

    /// The namespaces that the patterns name; if these name none, the one of the login.
    async fn namespaces(&self) -> Result<VecDeque<String>, RegistryError> {
        let names = match &self.named {
            Some(named) => named.clone(),
            None => {
                let hint = self.client.token_hint().await;
                let hint = hint.map_err(|fault| self.client.error(DISCOVERY, fault))?;
                hint.and_then(|hint| hint.username().map(str::to_owned))
                    .into_iter()
                    .collect()
            }
        };
        let fits = |namespace: &String| format!("{namespace}/x").parse::<RepositoryName>().is_ok();
        Ok(names.into_iter().filter(fits).collect())
    }

    /// The list of the namespace that is first now.
    fn list(&mut self, namespace: &str) -> &mut List {
        self.list.get_or_insert_with(|| {
            let path = format!("/v2/namespaces/{namespace}/repositories");
            let bound = self.client.limits().repositories;
            List::new(self.client.clone(), Arc::clone(&self.api), DISCOVERY, path, bound)
        })
    }

    fn names(&mut self, namespace: &str, rows: Rows<RepositoryRow>) -> Vec<RepositoryName> {
        self.several.unreadable(rows.bad);
        let mut names = Vec::new();
        for row in rows.good {
            match format!("{namespace}/{}", row.name).parse() {
                Ok(name) => names.push(name),
                Err(_) => self.malformed += 1,
            }
        }
        names
    }
}

#[async_trait]
impl RepositoryPages for Repositories {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        if self.namespaces.is_none() {
            self.namespaces = Some(self.namespaces().await?);
        }
        while let Some((namespace, is_last)) = self
            .namespaces
            .as_ref()
            .and_then(|namespaces| Some((namespaces.front()?.clone(), namespaces.len() == 1)))
        {
            match self.list(&namespace).next(|row: &RepositoryRow| &row.name).await {
                Ok(Some(rows)) => {
                    let items = self.names(&namespace, rows);
                    return Ok(Some(Page { items }));
                }
                Ok(None) => self.several.listed(),
                Err(error) => self.several.failed(error, is_last)?,
            }
            let list = self.list.take();
            let end = list.and_then(|list| list.end()).filter(|end| !end.is_complete());
            self.cut = self.cut.or(end);
            self.namespaces.as_mut().and_then(VecDeque::pop_front);
        }
        Ok(None)
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }

    fn shortfall(&self) -> Option<Finding> {
        let nowhere = self.named.is_none() && self.several.is_untried();
        if nowhere {
            let why = "it lists what is in one namespace, and neither a pattern nor a login names one";
            return Some(not_asked::finding(
                &self.client,
                DiscoveryMethod::HubRepositories,
                why,
            ));
        }
        let others = || {
            let registry = self.client.url().reference_host();
            let seen =
                format!("{registry}: only the login's own namespace was looked in, for no other is named");
            self.named
                .is_none()
                .then(|| Finding::new(FindingCode::ViewIsPartial, &seen))
        };
        self.several
            .shortfall(&self.client, DiscoveryMethod::HubRepositories, self.cut)
            .or_else(others)
    }
}
