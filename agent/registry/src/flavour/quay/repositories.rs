//! The repositories of namespaces.

use std::collections::{HashSet, VecDeque};

use async_trait::async_trait;
use portolan_shared::model::{DiscoveryMethod, Finding, FindingCode, RepositoryName};
use serde::Deserialize;

use super::login::Caller;
use crate::api::{Page, WalkEnd};
use crate::client::{ApiCall, RegistryClient};
use crate::error::{Fault, RegistryError, Subject};
use crate::flavour::product::RepositoryPages;
use crate::flavour::rows::{Rows, encoded, read};
use crate::http::URL_BYTES;

#[derive(Deserialize)]
struct Answer {
    repositories: Rows<Row>,
    next_page: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    namespace: String,
    name: String,
    kind: Option<String>,
}

pub(super) struct Repositories {
    client: RegistryClient,
    /// Namespaces that the operator named, until the walk begins.
    named: Option<Vec<String>>,
    caller: Option<Caller>,
    waiting: VecDeque<String>,
    current: Option<Namespace>,
    pages_left: usize,
    rows_left: usize,
    listed: bool,
    malformed: u64,
    shortfall: Option<(FindingCode, String)>,
    failed: Option<Fault>,
}

/// A namespace on its way.
struct Namespace {
    name: String,
    cursor: Option<String>,
    /// Cursors that were followed.
    followed: HashSet<String>,
}

impl Repositories {
    /// Those of `named`, or of the namespace of a robot. No others can be asked for.
    pub(super) fn new(client: RegistryClient, named: Option<Vec<String>>) -> Self {
        let (pages_left, rows_left) = (client.limits().pages, client.limits().repositories);
        Self {
            client,
            named,
            caller: None,
            waiting: VecDeque::new(),
            current: None,
            pages_left,
            rows_left,
            listed: false,
            malformed: 0,
            shortfall: None,
            failed: None,
        }
    }

    async fn advance(&mut self) -> Result<Option<Page<RepositoryName>>, Fault> {
        let caller = match &self.caller {
            Some(caller) => caller.clone(),
            None => self.begin().await?,
        };
        loop {
            let Some(namespace) = &mut self.current else {
                let Some(name) = self.waiting.pop_front() else {
                    return match self.failed.take().filter(|_| !self.listed) {
                        Some(fault) => Err(fault),
                        None => Ok(None),
                    };
                };
                self.current = Some(Namespace {
                    name,
                    cursor: None,
                    followed: HashSet::new(),
                });
                continue;
            };
            if self.pages_left == 0 || self.rows_left == 0 {
                let end = if self.pages_left == 0 {
                    WalkEnd::PageBound
                } else {
                    WalkEnd::ItemBound
                };
                self.fall_short(FindingCode::ListingIncomplete, end.to_string());
                self.current = None;
                self.waiting.clear();
                continue;
            }
            self.pages_left -= 1;
            let mut path = format!(
                "/api/v1/repository?namespace={}&last_modified=true",
                encoded(&namespace.name)
            );
            if let Some(cursor) = &namespace.cursor {
                path.push_str("&next_page=");
                path.push_str(&encoded(cursor));
            }
            let reply = self.client.call(ApiCall::get(&path, caller.login())).await?;
            match read::<Answer>(&reply) {
                Ok(answer) => return Ok(Some(self.page(answer))),
                Err(fault) => self.lose(fault)?,
            }
        }
    }

    async fn begin(&mut self) -> Result<Caller, Fault> {
        let caller = Caller::of(&self.client).await?;
        self.waiting = match (self.named.take(), &caller) {
            (Some(named), _) => named.into(),
            (None, Caller::Robot(namespace)) => VecDeque::from([namespace.clone()]),
            (None, _) => {
                let why = "the API lists the repositories of one namespace only, and no pattern names one";
                self.fall_short(FindingCode::NativeApiNotAsked, why.to_owned());
                VecDeque::new()
            }
        };
        if !caller.is_shown_all() && !self.waiting.is_empty() {
            let why = "the API takes OAuth tokens only; asked without the login it shows what is public";
            self.fall_short(FindingCode::ViewIsPartial, why.to_owned());
        }
        self.caller = Some(caller.clone());
        Ok(caller)
    }

    fn fall_short(&mut self, code: FindingCode, why: String) {
        self.shortfall.get_or_insert((code, why));
    }

    fn page(&mut self, answer: Answer) -> Page<RepositoryName> {
        self.listed = true;
        let unreadable = answer.repositories.bad;
        if unreadable > 0 {
            let why = format!("{unreadable} rows cannot be read");
            self.fall_short(FindingCode::ListingIncomplete, why);
        }
        self.rows_left = self.rows_left.saturating_sub(answer.repositories.total());
        let mut items = Vec::new();
        for row in answer.repositories.good {
            // The other kind holds applications, which are no images.
            if row.kind.is_some_and(|kind| kind != "image") {
                continue;
            }
            match format!("{}/{}", row.namespace, row.name).parse() {
                Ok(name) => items.push(name),
                Err(_) => self.malformed += 1,
            }
        }
        let next = answer.next_page.filter(|cursor| !cursor.is_empty());
        match (next, &mut self.current) {
            (Some(cursor), Some(namespace)) if cursor.len() <= URL_BYTES => {
                if namespace.followed.insert(cursor.clone()) {
                    namespace.cursor = Some(cursor);
                } else {
                    self.current = None;
                    self.fall_short(FindingCode::ListingIncomplete, WalkEnd::Circle.to_string());
                }
            }
            (Some(_), _) => {
                self.current = None;
                let why = "a cursor is longer than any that is followed";
                self.fall_short(FindingCode::ListingIncomplete, why.to_owned());
            }
            (None, _) => self.current = None,
        }
        Page { items }
    }

    /// A namespace could not be listed: the others still may.
    fn lose(&mut self, fault: Fault) -> Result<(), Fault> {
        self.current = None;
        match fault {
            Fault::Missing { .. } | Fault::Denied { .. } | Fault::Rejected { .. } => {
                let why = format!("a namespace could not be listed: {fault}");
                self.fall_short(FindingCode::ListingIncomplete, why);
                self.failed.get_or_insert(fault);
            }
            fault => return Err(fault),
        }
        Ok(())
    }
}

#[async_trait]
impl RepositoryPages for Repositories {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        let outcome = self.advance().await;
        outcome.map_err(|fault| {
            let subject = Subject::Discovery(DiscoveryMethod::QuayRepositories);
            self.client.error(subject, fault)
        })
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }

    fn shortfall(&self) -> Option<Finding> {
        let (code, why) = self.shortfall.as_ref()?;
        let registry = self.client.url().reference_host();
        let seen = format!("{registry}: {why}, reading {}", DiscoveryMethod::QuayRepositories);
        Some(Finding::new(*code, &seen))
    }
}
