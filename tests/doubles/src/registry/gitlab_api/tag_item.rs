//! One tag in a list.

use jiff::Timestamp;
use portolan_shared::model::{Digest, TagName};
use serde_json::{Value, json};

use super::query::TagsQuery;
use crate::content::Content;

/// A time as this API writes it: UTC, with milliseconds.
pub(super) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// None if what the tag points to is lost, which the database's constraints rule out.
pub(super) fn item(
    content: &Content,
    repository: &str,
    tag: &TagName,
    digest: &Digest,
    ask: &TagsQuery,
) -> Option<Value> {
    let manifest = content.manifests().get(digest)?;
    let pushed = content.repository(repository)?.pushed(tag.as_str());
    let mut item = json!({
        "name": tag,
        "digest": digest,
        "media_type": manifest.media_type,
        "size_bytes": manifest.facts.size(),
        "created_at": time(pushed.created),
        "published_at": time(pushed.published()),
    });
    if let Some((config, _)) = &manifest.facts.config {
        item["config_digest"] = json!(config);
    }
    if let Some(updated) = pushed.updated {
        item["updated_at"] = json!(time(updated));
    }
    if let Some(types) = &ask.referrers {
        let referrers: Vec<Value> = content
            .referrers(repository, digest)
            .into_iter()
            .filter(|referrer| {
                let kind = referrer["artifactType"].as_str();
                types.is_empty() || types.iter().any(|wanted| Some(wanted.as_str()) == kind)
            })
            .map(|referrer| json!({"artifactType": referrer["artifactType"], "digest": referrer["digest"]}))
            .collect();
        if !referrers.is_empty() {
            item["referrers"] = Value::Array(referrers);
        }
    }
    Some(item)
}
