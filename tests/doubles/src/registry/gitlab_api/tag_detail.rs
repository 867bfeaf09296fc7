//! One tag, with the platforms of what it points to.

use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use portolan_shared::model::Digest;
use serde_json::{Value, json};

use super::tag_item::time;
use crate::content::{Content, StoredManifest};
use crate::registry::double::State;
use crate::registry::errors;

pub(super) fn show(state: &State, name: &str, tag: &str) -> Response {
    let content = state.content();
    let Some(repository) = content.repository(name) else {
        return errors::name_unknown(name);
    };
    let found = repository.tags().get(tag);
    let Some((digest, manifest)) = found.and_then(|digest| Some((digest, content.manifests().get(digest)?)))
    else {
        return errors::error(
            StatusCode::NOT_FOUND,
            "TAG_UNKNOWN",
            "tag name for repository does not exist",
            &json!({"tagName": tag}),
        );
    };
    let pushed = repository.pushed(tag);
    let mut body = json!({
        "repository": name,
        "name": tag,
        "image": image(&content, digest, manifest),
        "created_at": time(pushed.created),
        "published_at": time(pushed.published()),
    });
    if let Some(updated) = pushed.updated {
        body["updated_at"] = json!(time(updated));
    }
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// An image; an index with the images below it.
fn image(content: &Content, digest: &Digest, manifest: &StoredManifest) -> Value {
    let mut image = json!({
        "size_bytes": manifest.facts.size(),
        "manifest": {"digest": digest, "media_type": manifest.media_type},
    });
    if let Some((config, media_type)) = &manifest.facts.config {
        image["config"] = json!({"digest": config, "media_type": media_type});
        let blob = content.blobs().get(config);
        let config: Value = blob
            .and_then(|blob| serde_json::from_slice(blob).ok())
            .unwrap_or_default();
        if config["architecture"].is_string() && config["os"].is_string() {
            image["config"]["platform"] = json!({"architecture": config["architecture"], "os": config["os"]});
        }
    }
    let children: Vec<Value> = manifest
        .facts
        .children
        .iter()
        .filter_map(|child| image_of_child(content, child))
        .collect();
    if !children.is_empty() {
        image["manifest"]["references"] = Value::Array(children);
    }
    image
}

/// A child that is no index: GitLab goes one level deep.
fn image_of_child(content: &Content, child: &Digest) -> Option<Value> {
    let manifest = content.manifests().get(child)?;
    manifest
        .facts
        .children
        .is_empty()
        .then(|| image(content, child, manifest))
}
