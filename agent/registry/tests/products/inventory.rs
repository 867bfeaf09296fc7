//! A whole registry, listed; content to list; and clients.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portolan_doubles::Content;
use portolan_doubles::content::{Attested, Image};
use portolan_registry::{Access, Credential, Head, Registry, RegistryClient, Wanted};
use portolan_shared::model::{
    CaTrust, Digest, DiscoveryMethod, DiscoveryStep, ListingMethod, ListingStep, ReferenceTarget,
    RepositoryName, RepositoryPatterns,
};
use portolan_shared::process::{RetryPolicy, Shutdown, Tasks};
use portolan_shared::secret::Secret;
use portolan_shared::tls::{RegistryTrust, SystemRoots};

/// Every (repository, tag) and what it points to.
pub(crate) type Found = BTreeMap<(String, String), Digest>;

/// Of an instance's repositories those below `key`, as they are named there.
pub(crate) fn within(key: &str, found: &Found) -> Found {
    let strip = |((name, tag), digest): (&(String, String), &_)| {
        let name = name.strip_prefix(key)?.strip_prefix('/')?;
        Some(((name.to_owned(), tag.clone()), Clone::clone(digest)))
    };
    found.iter().filter_map(strip).collect()
}

/// What came of listing a registry.
pub(crate) struct Inventory {
    pub(crate) registry: Registry,
    pub(crate) found: Found,
    /// When each tag was pushed, where that was said.
    pub(crate) pushed: BTreeMap<(String, String), Timestamp>,
    /// Tags that had to be asked for by HEAD.
    pub(crate) asked: usize,
    pub(crate) steps: Vec<DiscoveryStep>,
    pub(crate) complete: bool,
}

impl Inventory {
    pub(crate) fn listings(&self) -> Vec<ListingStep> {
        self.registry.listings()
    }

    /// The methods of discovery that were tried, with what each gave and whether to its end.
    pub(crate) fn tried(&self) -> Vec<(DiscoveryMethod, u64, bool)> {
        let of = |step: &DiscoveryStep| (step.method, step.found, step.complete);
        self.steps.iter().map(of).collect()
    }

    /// The ways of listing tags that were tried: repositories listed, and given up.
    pub(crate) fn listed(&self) -> Vec<(ListingMethod, u64, u64)> {
        let of = |step: &ListingStep| (step.method, step.repositories, step.given_up);
        self.listings().iter().map(of).collect()
    }
}

pub(crate) fn tasks() -> Tasks {
    Tasks::new(Shutdown::new())
}

pub(crate) fn login(name: &str, secret: &str) -> Credential {
    Credential::Login {
        username: name.to_owned(),
        secret: Secret::new(secret.to_owned()),
    }
}

/// Access with short delays.
pub(crate) fn access(url: &str, login: Option<Credential>) -> Access {
    let trust = RegistryTrust::new(SystemRoots::none(), &CaTrust::default(), None).unwrap();
    let mut access = Access::new(url.parse().unwrap(), trust);
    access.limits.retry = RetryPolicy {
        first: Duration::from_millis(2),
        longest: Duration::from_millis(20),
        retries: 2,
    };
    if let Some(login) = login {
        access.credentials = Arc::new(login);
    }
    access
}

pub(crate) async fn open(url: &str, login: Option<Credential>) -> Registry {
    let client = RegistryClient::new(access(url, login)).unwrap();
    Registry::open(client).await.unwrap()
}

pub(crate) fn wanted(patterns: &[&str]) -> Wanted {
    Wanted {
        patterns: RepositoryPatterns::new(patterns.iter().map(ToString::to_string).collect()).unwrap(),
        ..Wanted::default()
    }
}

/// Lists everything, and asks by HEAD for what the lists do not say.
pub(crate) async fn list(registry: Registry, wanted: &Wanted) -> Inventory {
    let mut ladder = registry.repositories(wanted);
    let mut repositories: Vec<RepositoryName> = Vec::new();
    while let Some(page) = ladder.next_page().await.unwrap() {
        repositories.extend(page);
    }
    let mut inventory = Inventory {
        found: Found::new(),
        pushed: BTreeMap::new(),
        asked: 0,
        steps: ladder.steps().to_vec(),
        complete: ladder.is_complete(),
        registry,
    };
    for repository in repositories {
        list_tags(&mut inventory, &repository).await;
    }
    inventory
}

async fn list_tags(inventory: &mut Inventory, repository: &RepositoryName) {
    let mut tags = inventory.registry.tags(repository);
    while let Some(page) = tags.next_page().await.unwrap() {
        for tag in page.tags {
            let place = (repository.to_string(), tag.tag.to_string());
            let digest = match tag.digest {
                Some(digest) => digest,
                None => {
                    inventory.asked += 1;
                    let target = ReferenceTarget::Tag(tag.tag.clone());
                    let client = inventory.registry.client();
                    let Head::Found(head) = client.head_manifest(repository, &target, None).await.unwrap()
                    else {
                        panic!("{repository}:{} is listed and not there", tag.tag);
                    };
                    head.digest
                }
            };
            if let Some(at) = tag.pushed_at {
                inventory.pushed.insert(place.clone(), at);
            }
            let before = inventory.found.insert(place.clone(), digest);
            assert!(before.is_none(), "{place:?} came twice");
        }
    }
}

/// The same registry by the way that is open everywhere, when nothing is known of it: what an inventory must come to.
pub(crate) fn expected(content: &Content, visible: impl Fn(&str) -> bool) -> Found {
    let mut found = content.expected();
    found.retain(|(repository, _), _| visible(repository));
    found
}

/// Some repositories below `acme/` and `tools/`: one with many tags, an index whose child has a tag as well, a signature with a tag.
pub(crate) fn content(many: usize) -> Content {
    let mut content = Content::new();
    let mut shop = content.shelf("acme/shop");
    for tag in 0..many {
        let image = shop.image(&Image::new(&format!("shop {}", tag / 2)));
        shop.tag(&format!("1.{tag}"), &image);
        shop.pushed(&format!("1.{tag}"), "2026-02-03T04:05:06Z", None);
    }
    let mut web = content.shelf("acme/shop/web");
    let index = web.multi_arch(&Image::new("web"), &["linux/amd64", "linux/arm64"], Attested::No);
    web.tag("latest", &index);
    let child = web.image(&Image::new("web").platform("linux/amd64"));
    web.tag("amd64", &child);
    let signature = web.cosign_signature(&index);
    let name = format!("{}.sig", index.to_string().replace(':', "-"));
    web.tag(&name, &signature);
    let mut lint = content.shelf("tools/lint");
    let image = lint.image(&Image::new("lint").docker());
    lint.tag("stable", &image);
    content
}
