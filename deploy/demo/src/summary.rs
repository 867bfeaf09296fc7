//! What the inventory holds, asked through the REST API.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use crate::installation::Operator;

/// Questions under way at a time.
const AT_ONCE: usize = 8;

/// Distinct images that are asked for platforms and referrers; the summary says if there were more.
const IMAGES: usize = 2_000;

/// What a registry holds, counted.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    repositories: u64,
    tags: u64,
    digests: u64,
    kinds: BTreeMap<String, u64>,
    platforms: BTreeMap<String, u64>,
    referrers: BTreeMap<String, u64>,
    images_asked: usize,
    example: Option<Example>,
}

/// A tag that is worth asking about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Example {
    /// What refers to its image, and platforms: the more, the better.
    worth: (usize, usize),
    repository: String,
    tag: String,
    digest: String,
}

impl Summary {
    /// Counts everything of `registry`: every repository, every tag, and up to [`IMAGES`] distinct digests.
    pub(crate) async fn ask(operator: &Operator, registry: &str) -> anyhow::Result<Self> {
        let repositories = operator.list("/repositories", &[("registry", registry)]).await?;
        let names: Vec<String> = repositories
            .iter()
            .map(|repository| text(repository, "name"))
            .collect();
        let tags: Vec<(String, Vec<Value>)> = stream::iter(names)
            .map(async |name| {
                let tags = operator
                    .list("/tags", &[("registry", registry), ("repository", &name)])
                    .await?;
                anyhow::Ok((name, tags))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut summary = Self {
            repositories: u64::try_from(tags.len())?,
            ..Self::default()
        };
        let mut images = BTreeMap::new();
        for (repository, tag) in tags
            .iter()
            .flat_map(|(name, tags)| tags.iter().map(move |tag| (name, tag)))
        {
            summary.tags += 1;
            *summary.kinds.entry(kind(tag)).or_default() += 1;
            images
                .entry(text(tag, "digest"))
                .or_insert_with(|| (repository.clone(), text(tag, "tag")));
        }
        summary.digests = u64::try_from(images.len())?;
        summary.images_asked = images.len().min(IMAGES);
        let answers: Vec<(String, Value)> = stream::iter(images.into_iter().take(IMAGES))
            .map(async |(digest, (repository, tag))| {
                let reference = format!("{registry}/{repository}@{digest}");
                let image = operator.get("/images", &[("reference", &reference)]).await?;
                anyhow::Ok((tag, image))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        for (tag, image) in &answers {
            summary.count(tag, image);
        }
        Ok(summary)
    }

    fn count(&mut self, tag: &str, image: &Value) {
        let mut platforms: BTreeSet<String> = items(image, "platforms")
            .map(|entry| text(entry, "platform"))
            .collect();
        platforms.extend(image["facts"]["platform"].as_str().map(str::to_owned));
        for referrer in items(image, "referrers") {
            *self.referrers.entry(kind(referrer)).or_default() += 1;
        }
        let inside = number(image, "/attestations");
        if inside > 0 {
            *self
                .referrers
                .entry("attestation (inside an index)".to_owned())
                .or_default() += inside;
        }
        let worth = (items(image, "referrers").count(), platforms.len());
        if self.example.as_ref().is_none_or(|example| example.worth < worth) {
            self.example = Some(Example {
                worth,
                repository: text(image, "repository"),
                tag: tag.to_owned(),
                digest: text(image, "digest"),
            });
        }
        for platform in platforms {
            *self.platforms.entry(platform).or_default() += 1;
        }
    }

    /// Headings with their rows.
    pub(crate) fn tables(&self) -> Vec<(&'static str, Vec<(String, String)>)> {
        let counted = |counts: &BTreeMap<String, u64>| {
            let mut rows: Vec<(&String, &u64)> = counts.iter().collect();
            rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            rows.into_iter()
                .map(|(name, count)| (name.clone(), count.to_string()))
                .collect::<Vec<_>>()
        };
        let mut totals = vec![
            ("repositories".to_owned(), self.repositories.to_string()),
            ("tags".to_owned(), self.tags.to_string()),
            ("distinct digests under them".to_owned(), self.digests.to_string()),
        ];
        if self.digests > self.images_asked as u64 {
            let asked = format!("of the first {} digests", self.images_asked);
            totals.push(("platforms and referrers below are".to_owned(), asked));
        }
        vec![
            ("In all", totals),
            ("Tags by kind", counted(&self.kinds)),
            ("Images by platform", counted(&self.platforms)),
            (
                "Signatures and what else refers to an image",
                counted(&self.referrers),
            ),
        ]
    }

    /// Arguments of `portolan` that are worth trying.
    pub(crate) fn questions(&self) -> Vec<String> {
        let mut questions = vec![
            "repository list".to_owned(),
            "run list".to_owned(),
            "sensor list".to_owned(),
        ];
        if let Some(Example {
            repository,
            tag,
            digest,
            ..
        }) = &self.example
        {
            questions.extend([
                format!("tag list {repository}"),
                format!("image show {repository}:{tag}"),
                format!("history {repository}:{tag}"),
                format!("where {digest}"),
            ]);
        }
        questions
    }
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn kind(value: &Value) -> String {
    value["kind"].as_str().unwrap_or("not read").to_owned()
}

/// The number at a JSON pointer; 0 if there is none.
pub(crate) fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// A finding in one line.
pub(crate) fn finding(value: &Value) -> Option<String> {
    let code = value["code"].as_str()?;
    let (seen, cure) = (text(value, "seen"), text(value, "cure"));
    Some(format!("{code}: {seen}. {cure}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_platforms_and_referrers_and_picks_the_richest_example() {
        let mut summary = Summary::default();
        summary.count(
            "1.0",
            &json!({"repository": "a", "digest": "sha256:1", "facts": {"platform": "linux/amd64"}}),
        );
        summary.count(
            "2.0",
            &json!({
                "repository": "b",
                "digest": "sha256:2",
                "platforms": [{"platform": "linux/amd64"}, {"platform": "linux/arm64"}],
                "attestations": 2,
                "referrers": [{"kind": "cosign_signature"}, {"kind": "sbom"}],
            }),
        );
        summary.count(
            "3.0",
            &json!({"repository": "c", "digest": "sha256:3", "facts": null}),
        );
        assert_eq!(
            summary.platforms,
            BTreeMap::from([("linux/amd64".into(), 2), ("linux/arm64".into(), 1)])
        );
        assert_eq!(summary.referrers.values().sum::<u64>(), 4);
        assert!(summary.questions().contains(&"image show b:2.0".to_owned()));
    }
}
