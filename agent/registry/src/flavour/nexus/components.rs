//! Pages of components of one repository of Nexus.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use portolan_shared::model::{DiscoveryMethod, TagName};
use serde::Deserialize;

use crate::api::WalkEnd;
use crate::client::{ApiCall, ApiLogin, RegistryClient};
use crate::error::{RegistryError, Subject};
use crate::flavour::native::{PAGE_BYTES, ask, loose, manifest_type, sha256};
use crate::flavour::rows::{Rows, encoded, time};
use crate::flavour::tag_list::ListedTag;

pub(super) const SUBJECT: Subject = Subject::Discovery(DiscoveryMethod::NexusComponents);

/// A walk along continuation tokens.
pub(super) struct Components {
    client: RegistryClient,
    /// Path and query up to the token.
    path: String,
    token: Option<String>,
    /// Of every token so far a keyed hash.
    met: HashSet<u64>,
    hasher: RandomState,
    pages: usize,
    end: Option<WalkEnd>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ComponentPage {
    items: Rows<Component>,
    /// A text or `null`: with anything else nobody knows whether there is another page.
    #[serde(default)]
    continuation_token: Option<String>,
}

#[derive(Deserialize)]
struct Component {
    name: String,
    version: String,
    #[serde(default)]
    assets: Option<Rows<Asset>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asset {
    #[serde(default, deserialize_with = "loose")]
    path: Option<String>,
    #[serde(default)]
    checksum: Checksum,
    #[serde(default, deserialize_with = "loose")]
    content_type: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    last_modified: Option<String>,
}

#[derive(Deserialize, Default)]
struct Checksum {
    #[serde(default, deserialize_with = "loose")]
    sha256: Option<String>,
}

/// One image of a page, and one tag of it.
pub(super) struct Seen {
    pub(super) image: String,
    /// `None` if the component is no tag.
    pub(super) tag: Option<ListedTag>,
}

impl Components {
    /// Those of the repository `key`; `context` is the path in front of Nexus's own.
    pub(super) fn new(client: RegistryClient, context: &str, key: &str) -> Self {
        Self {
            path: format!("{context}/service/rest/v1/components?repository={}", encoded(key)),
            client,
            token: None,
            met: HashSet::new(),
            hasher: RandomState::new(),
            pages: 0,
            end: None,
        }
    }

    /// The next page, and how many of its rows cannot be read; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<(Vec<Seen>, u64)>, RegistryError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let mut path = self.path.clone();
        if let Some(token) = &self.token {
            path.push_str("&continuationToken=");
            path.push_str(&encoded(token));
        }
        let call = ApiCall {
            bound: PAGE_BYTES,
            ..ApiCall::get(&path, ApiLogin::Basic)
        };
        let page: ComponentPage = ask(&self.client, &SUBJECT, call).await?;
        self.turn(page.continuation_token);
        let seen = page.items.good.into_iter().map(Component::seen).collect();
        Ok(Some((seen, page.items.bad)))
    }

    fn turn(&mut self, token: Option<String>) {
        self.pages += 1;
        self.end = match &token {
            None => Some(WalkEnd::Complete),
            Some(token) if !self.met.insert(self.hasher.hash_one(token)) => Some(WalkEnd::Circle),
            Some(_) if self.pages >= self.client.limits().pages => Some(WalkEnd::PageBound),
            Some(_) => None,
        };
        self.token = token;
    }

    /// How the walk ended; `None` while it goes on.
    pub(super) fn end(&self) -> Option<WalkEnd> {
        self.end
    }
}

impl Component {
    fn seen(self) -> Seen {
        let tag = self.version.parse::<TagName>().ok().map(|tag| {
            // The manifest itself: nothing else of a component is named after its tag.
            let ending = format!("/manifests/{tag}");
            let Rows { good: assets, bad } = self.assets.unwrap_or_default();
            let is_manifest =
                |asset: &&Asset| asset.path.as_deref().is_some_and(|path| path.ends_with(&ending));
            let only = match assets.as_slice() {
                [asset] if asset.path.is_none() && bad == 0 => Some(asset),
                _ => None,
            };
            let manifest = assets.iter().find(is_manifest).or(only);
            let digest = manifest.and_then(|asset| sha256(asset.checksum.sha256.as_deref()));
            let content_type = manifest.and_then(|asset| asset.content_type.as_deref());
            ListedTag {
                media_type: manifest_type(content_type).filter(|_| digest.is_some()),
                pushed_at: time(manifest.and_then(|asset| asset.last_modified.as_deref())),
                digest,
                ..ListedTag::unresolved(tag)
            }
        });
        Seen {
            image: self.name,
            tag,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(row: &str) -> Seen {
        serde_json::from_str::<Component>(row).unwrap().seen()
    }

    #[test]
    fn the_digest_is_that_of_the_manifest_and_of_nothing_else() {
        let hex = "a".repeat(64);
        let asset = |path: &str, hex: &str| format!(r#"{{"path":{path},"checksum":{{"sha256":"{hex}"}}}}"#);
        let row = |assets: &[String]| {
            let assets = assets.join(",");
            seen(&format!(
                r#"{{"name":"app","version":"1.0","assets":[{assets}]}}"#
            ))
            .tag
            .unwrap()
        };
        let other = asset(r#""v2/app/blobs/x""#, &"b".repeat(64));
        let manifest = asset(r#""v2/app/manifests/1.0""#, &hex);
        let digest = Some(format!("sha256:{hex}").parse().unwrap());
        assert_eq!(row(&[other.clone(), manifest]).digest, digest);
        assert_eq!(row(&[asset("null", &hex)]).digest, digest, "the only one");
        assert_eq!(row(std::slice::from_ref(&other)).digest, None);
        assert_eq!(
            row(&[asset("null", &hex), other]).digest,
            None,
            "nobody knows which"
        );
        assert_eq!(row(&[asset("7", "xyz")]).digest, None);
    }

    #[test]
    fn what_is_no_tag_still_names_its_image() {
        let untagged = seen(r#"{"name":"app","version":"sha256:00","assets":null}"#);
        assert_eq!((untagged.image.as_str(), untagged.tag), ("app", None));
        assert!(serde_json::from_str::<Component>(r#"{"name":1,"version":"1"}"#).is_err());
    }
}
