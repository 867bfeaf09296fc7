//! One repository, with its size if asked for.

use std::collections::BTreeMap;

use axum::response::{IntoResponse as _, Response};
use http::header;
use portolan_shared::model::{Digest, RepositoryName};
use serde_json::json;

use super::query::{Refused, value};
use super::tag_item::time;
use crate::content::{Content, Repository};
use crate::registry::double::State;
use crate::registry::errors;

/// Which size is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    None,
    Itself,
    Descendants,
}

impl Size {
    pub(super) fn asked(query: &str) -> Result<Self, Refused> {
        match value(query, "size").as_deref() {
            None => Ok(Self::None),
            Some("self") => Ok(Self::Itself),
            Some("self_with_descendants") => Ok(Self::Descendants),
            Some(_) => Err(Refused::value(
                "size",
                "value must be one of self, self_with_descendants",
            )),
        }
    }
}

pub(super) fn show(state: &State, name: &str, query: &str) -> Response {
    let size = match Size::asked(query) {
        Ok(size) => size,
        Err(refused) => return refused.response(),
    };
    let content = state.content();
    let Some(repository) = content.repository(name) else {
        return errors::name_unknown(name);
    };
    let pushed = || {
        repository
            .tags()
            .keys()
            .map(|tag| repository.pushed(tag.as_str()))
    };
    let created = pushed().map(|pushed| pushed.created).min().unwrap_or_default();
    let mut body = json!({
        "name": name.rsplit('/').next(),
        "path": name,
        "created_at": time(created),
    });
    if let Some(published) = pushed().map(|pushed| pushed.published()).max() {
        body["last_published_at"] = json!(time(published));
    }
    if size != Size::None {
        let below = |other: &RepositoryName| {
            let rest = other.as_str().strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || (size == Size::Descendants && rest.starts_with('/')))
        };
        let repositories = content.repositories().iter();
        let counted = repositories
            .filter(|(other, _)| below(other))
            .map(|(_, repository)| repository);
        body["size_bytes"] = json!(unique_layers(&content, counted));
        body["size_precision"] = json!("default");
    }
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// The layers of all tagged images, each counted once, in bytes.
pub(crate) fn unique_layers<'a>(
    content: &Content,
    repositories: impl Iterator<Item = &'a Repository>,
) -> u64 {
    let mut layers = BTreeMap::<&Digest, u64>::new();
    let facts = |digest: &Digest| content.manifests().get(digest).map(|stored| &stored.facts);
    for tagged in repositories.flat_map(|repository| repository.tags().values()) {
        let Some(tagged) = facts(tagged) else { continue };
        let children = tagged.children.iter().filter_map(facts);
        for image in children.chain([tagged]) {
            layers.extend(image.layers.iter().map(|(layer, size)| (layer, *size)));
        }
    }
    layers.values().fold(0, |sum, size| sum.saturating_add(*size))
}
