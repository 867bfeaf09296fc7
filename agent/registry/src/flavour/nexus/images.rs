//! The images of Nexus's Docker repositories, one repository after the other.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

use async_trait::async_trait;
use portolan_shared::model::{DiscoveryMethod, Finding, FindingCode, RepositoryName};
use serde::Deserialize;

use super::components::{Components, SUBJECT, Seen};
use super::kept::{Kept, TAGS};
use crate::api::{Page, WalkEnd};
use crate::client::{ApiCall, ApiLogin, Part, RegistryClient};
use crate::error::RegistryError;
use crate::flavour::native::{PAGE_BYTES, ask};
use crate::flavour::product::RepositoryPages;
use crate::flavour::rows::Rows;
use crate::flavour::several::{PARTS, Several};
use crate::flavour::tag_list::ListedTag;

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Among {
    /// In every Docker repository of the instance.
    All,
    /// In these repositories of the instance, which the patterns name.
    Named(Vec<String>),
    /// In this one, whose images are named without it.
    One(String),
}

pub(super) struct Images {
    client: RegistryClient,
    /// Path in front of Nexus's own.
    context: String,
    among: Among,
    kept: Kept,
    /// Repositories that are still to be walked; none before it is known which.
    keys: Option<VecDeque<String>>,
    walk: Option<Walk>,
    several: Several,
    /// How a walk ended that did not see everything.
    cut: Option<WalkEnd>,
    /// Of every name that was given a keyed hash.
    given: HashSet<u64>,
    hasher: RandomState,
    malformed: u64,
    groups: u64,
}

/// The walk through one repository.
struct Walk {
    components: Components,
    /// What was seen so far; none once there was too much of it to be kept.
    seen: Option<BTreeMap<RepositoryName, Vec<ListedTag>>>,
    rows: usize,
    /// Whether rows could not be read, which may have been tags.
    odd: bool,
}

#[derive(Deserialize)]
struct Repository {
    name: String,
    format: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Images {
    pub(super) fn new(client: RegistryClient, context: &str, among: Among, kept: Kept) -> Self {
        Self {
            client,
            context: context.to_owned(),
            among,
            kept,
            keys: None,
            walk: None,
            several: Several::default(),
            cut: None,
            given: HashSet::new(),
            hasher: RandomState::new(),
            malformed: 0,
            groups: 0,
        }
    }

    /// The repositories to look in. Groups show what their members hold, so they are passed over.
    async fn keys(&mut self) -> Result<VecDeque<String>, RegistryError> {
        match &self.among {
            Among::All => {}
            Among::Named(keys) => {
                let fits = |key: &&String| Part::new(key).is_some();
                return Ok(keys.iter().filter(fits).cloned().collect());
            }
            Among::One(key) => return Ok(VecDeque::from([key.clone()])),
        }
        let path = format!("{}/service/rest/v1/repositories", self.context);
        let call = ApiCall {
            bound: PAGE_BYTES,
            ..ApiCall::get(&path, ApiLogin::Basic)
        };
        let rows: Rows<Repository> = ask(&self.client, &SUBJECT, call).await?;
        self.several.unreadable(rows.bad);
        let mut keys = VecDeque::new();
        for row in rows.good {
            match (row.format.as_str(), row.kind.as_str()) {
                ("docker", "group") => self.groups += 1,
                ("docker", _) if Part::new(&row.name).is_some() => keys.push_back(row.name),
                ("docker", _) => self.malformed += 1,
                _ => {}
            }
        }
        if keys.len() > PARTS {
            keys.truncate(PARTS);
            self.cut = Some(WalkEnd::ItemBound);
        }
        Ok(keys)
    }

    fn walk(&mut self, key: &str) -> &mut Walk {
        self.walk.get_or_insert_with(|| Walk {
            components: Components::new(self.client.clone(), &self.context, key),
            seen: Some(BTreeMap::new()),
            rows: 0,
            odd: false,
        })
    }

    /// The names on a page; none while all of them are kept with their tags, which is until the repository's end.
    fn take(&mut self, key: &str, page: Vec<Seen>) -> Vec<RepositoryName> {
        let mut names = Vec::new();
        let is_one = matches!(self.among, Among::One(_));
        let Some(walk) = &mut self.walk else {
            return names;
        };
        for row in page {
            let name = if is_one {
                row.image
            } else {
                format!("{key}/{}", row.image)
            };
            let Ok(name) = name.parse::<RepositoryName>() else {
                self.malformed += 1;
                continue;
            };
            match &mut walk.seen {
                Some(seen) => {
                    walk.rows += 1;
                    seen.entry(name).or_default().extend(row.tag);
                }
                None if names.last() != Some(&name) => names.push(name),
                None => {}
            }
        }
        if walk.rows > TAGS {
            names.extend(walk.seen.take().unwrap_or_default().into_keys());
        }
        names
    }

    /// Those of the names that were not given before, up to the bound: beyond it nothing is looked for any more.
    fn fresh(&mut self, mut names: Vec<RepositoryName>) -> Vec<RepositoryName> {
        let bound = self.client.limits().repositories;
        let (given, hasher) = (&mut self.given, &self.hasher);
        let mut is_over = false;
        names.retain(|name| {
            let hash = hasher.hash_one(name.as_str());
            is_over |= given.len() >= bound && !given.contains(&hash);
            !is_over && given.insert(hash)
        });
        if is_over {
            self.cut = Some(WalkEnd::ItemBound);
            self.keys = Some(VecDeque::new());
        }
        names
    }

    /// Goes on with the next repository; the names of the one before that were kept.
    fn turn(&mut self) -> Vec<RepositoryName> {
        if let Some(keys) = &mut self.keys {
            keys.pop_front();
        }
        let Some(walk) = self.walk.take() else {
            return Vec::new();
        };
        let seen = walk.seen.unwrap_or_default();
        let names = seen.keys().cloned().collect();
        match walk.components.end() {
            Some(WalkEnd::Complete) if walk.odd => {}
            Some(WalkEnd::Complete) => self.kept.keep(seen),
            end => self.cut = self.cut.or(end),
        }
        names
    }
}

#[async_trait]
impl RepositoryPages for Images {
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError> {
        if self.keys.is_none() {
            self.kept.clear();
            self.keys = Some(self.keys().await?);
        }
        while let Some((key, is_last)) = self
            .keys
            .as_ref()
            .and_then(|keys| Some((keys.front()?.clone(), keys.len() == 1)))
        {
            let items = match self.walk(&key).components.next().await {
                Ok(Some((page, odd))) => {
                    self.several.unreadable(odd);
                    self.walk(&key).odd |= odd > 0;
                    self.take(&key, page)
                }
                Ok(None) => {
                    self.several.listed();
                    self.turn()
                }
                Err(error) => {
                    let names = self.turn();
                    self.several.failed(error, is_last)?;
                    names
                }
            };
            let items = self.fresh(items);
            if !items.is_empty() {
                return Ok(Some(Page { items }));
            }
        }
        Ok(None)
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }

    fn shortfall(&self) -> Option<Finding> {
        self.several
            .shortfall(&self.client, DiscoveryMethod::NexusComponents, self.cut)
    }

    fn remark(&self) -> Option<Finding> {
        let registry = self.client.url().reference_host();
        let seen = format!("{registry}: {} group repositories were passed over", self.groups);
        (self.groups > 0).then(|| Finding::new(FindingCode::MergedPassedOver, &seen))
    }
}
