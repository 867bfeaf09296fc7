//! What its `tags/list` says.

use std::collections::BTreeMap;
use std::fmt;

use ::http::HeaderValue;
use jiff::Timestamp;
use portolan_shared::model::{Digest, MediaType, RepositoryName, TagName, limits};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::api::{next_query, unexpected};
use crate::auth::Scope;
use crate::client::{RegistryClient, Request};
use crate::error::Fault;
use crate::flavour::rows::{Rows, read};
use crate::flavour::tag_list::ListedTag;

/// One answer, taken apart.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Names of what lies directly below.
    pub(super) children: Vec<String>,
    /// Rows of these that cannot be read.
    pub(super) unreadable_children: u64,
    pub(super) tags: Vec<ListedTag>,
    /// Rows of these that cannot be read.
    pub(super) unreadable_tags: u64,
    /// Whether there is anything in it, with a tag or without.
    pub(super) is_repository: bool,
    /// Tags that no request can be made for.
    pub(super) malformed: u64,
    /// The query of the next page, if there is one.
    pub(super) next: Option<String>,
}

/// Asks for the list of a path, which need not be a repository's, in at most `bytes` bytes.
pub(super) async fn list(
    client: &RegistryClient,
    path: &RepositoryName,
    query: Option<&str>,
    bytes: usize,
) -> Result<Listing, Fault> {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    let scope = Scope::Pull(path.clone());
    let asked = format!("{path}/tags/list");
    let request = Request {
        query,
        listing: true,
        ..Request::get(&asked, JSON, &scope, bytes.min(client.limits().list_bytes))
    };
    let reply = client.send(request).await?;
    let wire: Wire<'_> = read(&reply)?;
    let listing = wire.taken_apart(client.limits().tags);
    let mut listing = listing.ok_or_else(|| unexpected(&reply, "the answer is not a listing"))?;
    listing.next = next_query(&reply.headers);
    Ok(listing)
}

#[derive(serde::Deserialize)]
struct Wire<'r> {
    #[serde(default, deserialize_with = "there")]
    child: Option<Names>,
    #[serde(default, deserialize_with = "there")]
    tags: Option<Names>,
    #[serde(borrow, default)]
    manifest: Option<Manifests<'r>>,
}

/// Rows of a list, and entries of the map: an answer with more is not read. All of it comes in one answer.
const MOST: usize = 2 * limits::TAGS_PER_REPOSITORY;

type Names = Rows<String, MOST>;

/// A member that is there, be it `null`, as lists without rows are here.
fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Names>, D::Error> {
    let names = Option::<Names>::deserialize(deserializer)?;
    Ok(Some(names.unwrap_or_default()))
}

/// What is said of each manifest, not read yet.
#[derive(Default)]
struct Manifests<'r>(BTreeMap<String, &'r RawValue>);

impl<'de: 'r, 'r> Deserialize<'de> for Manifests<'r> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReadManifests)
    }
}

struct ReadManifests;

impl<'de> Visitor<'de> for ReadManifests {
    type Value = Manifests<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("manifests by their digests")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Manifests<'de>, A::Error> {
        let mut manifests = BTreeMap::new();
        while let Some((digest, manifest)) = entries.next_entry()? {
            if manifests.len() >= MOST {
                return Err(A::Error::custom("more manifests than are read"));
            }
            manifests.insert(digest, manifest);
        }
        Ok(Manifests(manifests))
    }
}

#[derive(serde::Deserialize)]
struct Manifest {
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    #[serde(rename = "timeUploadedMs")]
    uploaded: Option<Milliseconds>,
    #[serde(default)]
    tag: Option<Rows<String>>,
}

impl Wire<'_> {
    /// Takes it apart, with at most `bound` tags and one more, which shows that there are more. `None` if it is no listing.
    fn taken_apart(self, bound: usize) -> Option<Listing> {
        if self.tags.is_none() && self.child.is_none() && self.manifest.is_none() {
            return None;
        }
        let tags = self.tags.unwrap_or_default();
        let manifests = self.manifest.unwrap_or_default().0;
        let is_repository = !manifests.is_empty() || tags.total() > 0;
        let mut known: BTreeMap<TagName, ListedTag> = BTreeMap::new();
        for (digest, manifest) in manifests {
            let Ok(manifest) = serde_json::from_str::<Manifest>(manifest.get()) else {
                continue;
            };
            let Ok(digest) = digest.parse::<Digest>() else {
                continue;
            };
            let media_type: Option<MediaType> = manifest.media_type.and_then(|kind| kind.parse().ok());
            let named = manifest
                .tag
                .unwrap_or_default()
                .good
                .into_iter()
                .filter_map(|tag| tag.parse::<TagName>().ok());
            for tag in named.take(bound.saturating_add(1).saturating_sub(known.len())) {
                let listed = ListedTag {
                    tag: tag.clone(),
                    digest: Some(digest.clone()),
                    media_type: media_type.clone(),
                    pushed_at: manifest.uploaded.as_ref().and_then(|uploaded| uploaded.0),
                };
                // A tag is of one manifest; that it is said to be of two must not decide which.
                known
                    .entry(tag.clone())
                    .and_modify(|known| *known = ListedTag::unresolved(tag))
                    .or_insert(listed);
            }
        }
        let children = self.child.unwrap_or_default();
        let mut listing = Listing {
            children: children.good,
            unreadable_children: children.bad,
            is_repository,
            unreadable_tags: tags.bad,
            ..Listing::default()
        };
        for tag in tags.good {
            match tag.parse::<TagName>() {
                Ok(tag) if listing.tags.len() <= bound => {
                    let listed = known.remove(&tag);
                    listing
                        .tags
                        .push(listed.unwrap_or_else(|| ListedTag::unresolved(tag)));
                }
                Ok(_) => break,
                Err(_) => listing.malformed += 1,
            }
        }
        // Those that only a manifest names.
        let room = bound.saturating_add(1).saturating_sub(listing.tags.len());
        listing.tags.extend(known.into_values().take(room));
        Some(listing)
    }
}

/// Milliseconds since 1970: a text in the older product, a number in the newer one. Anything else is no time.
struct Milliseconds(Option<Timestamp>);

impl Milliseconds {
    fn at(milliseconds: i64) -> Self {
        let time = Timestamp::from_millisecond(milliseconds).ok();
        Self(time.filter(|time| *time > Timestamp::UNIX_EPOCH))
    }
}

impl<'de> Deserialize<'de> for Milliseconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadMilliseconds)
    }
}

struct ReadMilliseconds;

impl Visitor<'_> for ReadMilliseconds {
    type Value = Milliseconds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("milliseconds")
    }

    fn visit_i64<E>(self, milliseconds: i64) -> Result<Milliseconds, E> {
        Ok(Milliseconds::at(milliseconds))
    }

    fn visit_u64<E>(self, milliseconds: u64) -> Result<Milliseconds, E> {
        Ok(Milliseconds::at(i64::try_from(milliseconds).unwrap_or_default()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Milliseconds, E> {
        Ok(Milliseconds(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Milliseconds, E> {
        Ok(Milliseconds::at(text.parse().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DIGEST: &str = "sha256:fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae";

    fn read_with(body: &str, bound: usize) -> Option<Listing> {
        let wire: Wire<'_> = serde_json::from_str(body).ok()?;
        wire.taken_apart(bound)
    }

    #[test]
    fn reads_what_both_products_say() {
        for uploaded in ["\"1767323045000\"", "1767323045000"] {
            let body = format!(
                r#"{{"child":["b"],"tags":["1","2","x y"],"name":"p","manifest":{{"{DIGEST}":{{"imageSizeBytes":"7","mediaType":"application/vnd.oci.image.manifest.v1+json","timeUploadedMs":{uploaded},"tag":["1","3"]}},"nonsense":{{"tag":["2"]}},"sha256:00":7}}}}"#
            );
            let listing = read_with(&body, 10).unwrap();
            assert_eq!(listing.children, ["b"]);
            assert_eq!(listing.malformed, 1);
            let tags: Vec<_> = listing
                .tags
                .iter()
                .map(|tag| (tag.tag.to_string(), tag.digest.is_some(), tag.pushed_at.is_some()))
                .collect();
            assert_eq!(
                tags,
                [
                    ("1".into(), true, true),
                    ("2".into(), false, false),
                    ("3".into(), true, true)
                ]
            );
        }
        assert!(
            !read_with(r#"{"child":["a"],"manifest":{},"tags":[]}"#, 10)
                .unwrap()
                .is_repository
        );
        assert!(read_with(r#"{"tags":null,"child":null,"manifest":null}"#, 10).is_some());
        for bad in [
            r#"{"tags":{}}"#,
            r#"{"manifest":[]}"#,
            "[]",
            "{}",
            r#"{"name":"a"}"#,
            "<html>",
        ] {
            assert!(read_with(bad, 10).is_none(), "{bad}");
        }
    }

    #[test]
    fn rows_that_cannot_be_read_are_counted_and_too_many_are_refused() {
        let odd = read_with(r#"{"child":["a",1,{}],"tags":["1",2,"x y"]}"#, 10).unwrap();
        assert_eq!((odd.unreadable_children, odd.unreadable_tags), (2, 1));
        assert_eq!(odd.malformed, 1);
        let rows = |many: usize| format!("[{}1]", "1,".repeat(many - 1));
        let entries = |many: usize| {
            let entries: Vec<String> = (0..many).map(|entry| format!("\"{entry}\":0")).collect();
            format!("{{{}}}", entries.join(","))
        };
        for (member, most, over) in [
            ("child", rows(MOST), rows(MOST + 1)),
            ("tags", rows(MOST), rows(MOST + 1)),
            ("manifest", entries(MOST), entries(MOST + 1)),
        ] {
            assert!(
                read_with(&format!("{{\"{member}\":{most}}}"), 10).is_some(),
                "{member}"
            );
            assert!(
                read_with(&format!("{{\"{member}\":{over}}}"), 10).is_none(),
                "{member}"
            );
        }
    }

    #[test]
    fn a_tag_of_two_manifests_is_left_to_be_asked_for() {
        let other = DIGEST.replace('f', "0");
        let body = format!(
            r#"{{"tags":["1"],"manifest":{{"{DIGEST}":{{"tag":["1"]}},"{other}":{{"tag":["1"]}}}}}}"#
        );
        assert_eq!(read_with(&body, 10).unwrap().tags[0].digest, None);
    }

    #[test]
    fn one_tag_beyond_the_bound_is_kept_as_a_sign() {
        let names: Vec<String> = (0..9).map(|tag| format!("\"{tag}\"")).collect();
        let names = names.join(",");
        let body = format!(r#"{{"tags":[{names}],"manifest":{{"{DIGEST}":{{"tag":[{names}]}}}}}}"#);
        assert_eq!(read_with(&body, 9).unwrap().tags.len(), 9);
        assert_eq!(read_with(&body, 5).unwrap().tags.len(), 6);
    }

    proptest! {
        #[test]
        fn no_body_panics(body in "\\PC{0,80}|\\{\"manifest\":\\{\"sha256:0\":\\PC{0,40}\\}\\}") {
            let _ = read_with(&body, 3);
        }

        #[test]
        fn no_time_panics(text in "-?[0-9]{0,22}(\\.[0-9])?") {
            let _ = serde_json::from_str::<Milliseconds>(&text);
            let _ = serde_json::from_str::<Milliseconds>(&format!("\"{text}\""));
        }
    }
}
