//! What is read from a registry's answers and notifications, with what must hold whatever they are: the entrances of `tests/fuzz`, and of the
//! tests below.
//!
//! Each takes any bytes, panics where a promise is broken, and says whether it read something out of them.

use std::collections::BTreeSet;

use ::http::header::{LINK, WWW_AUTHENTICATE};
use ::http::{HeaderMap, HeaderName, HeaderValue};
use portolan_shared::events::{self, PushAction, Sender};
use portolan_shared::model::manifest::{ArtifactKind, ImageFacts, Manifest, signed_payload};
use portolan_shared::model::{ImageReference, MediaType, RepositoryName, TagName, limits};
use url::Url;

use crate::api::next_query;
use crate::auth::{Challenge, Challenges};

/// Challenges that are kept of one answer.
const CHALLENGES: usize = 16;

/// An entrance: whether something was read out of the bytes.
pub type Entrance = fn(&[u8]) -> bool;

/// Every entrance by its name, which is also that of its fuzz target and of the folder with its seeds.
pub const ENTRANCES: [(&str, Entrance); 8] = [
    ("challenge", challenge),
    ("reference", reference),
    ("link", link),
    ("manifest", manifest),
    ("config", config),
    ("helm", helm),
    ("schema1", schema1),
    ("notification", notification),
];

/// A header with these lines, as far as they can be header lines at all.
fn headers(name: &HeaderName, lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let lines = lines.split(|byte| *byte == b'\n').take(64);
    for line in lines.filter_map(|line| HeaderValue::from_bytes(line).ok()) {
        headers.append(name, line);
    }
    headers
}

/// `WWW-Authenticate`: bounded, without empty realms, and what was read of a challenge is read again when it is written properly.
pub fn challenge(bytes: &[u8]) -> bool {
    let found = Challenges::of(&headers(&WWW_AUTHENTICATE, bytes));
    assert!(found.0.len() <= CHALLENGES, "more challenges than are kept");
    let Some(bearer) = found.bearer() else {
        return found.basic();
    };
    let Challenge::Bearer {
        realm,
        service,
        scope,
        error,
    } = bearer
    else {
        return found.basic();
    };
    assert!(!realm.is_empty(), "a realm that is empty");
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut written = format!("Bearer realm={}", quoted(realm));
    for (name, value) in [("service", service), ("scope", scope), ("error", error)] {
        if let Some(value) = value {
            written.push_str(&format!(",{name}={}", quoted(value)));
        }
    }
    // Escapes may have made it longer than a line may be.
    if written.len() <= 8 * 1024 {
        let again = Challenges::of(&headers(&WWW_AUTHENTICATE, written.as_bytes()));
        assert_eq!(
            again.0,
            std::slice::from_ref(bearer),
            "not read as it was written"
        );
    }
    true
}

/// A reference that a person typed: what is written of it is read as the same; so are the names in it.
pub fn reference(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    if let Ok(name) = text.parse::<RepositoryName>() {
        assert_eq!(name.as_str(), text, "a repository's name that changed");
    }
    if let Ok(tag) = text.parse::<TagName>() {
        assert_eq!(tag.as_str(), text, "a tag that changed");
    }
    let Ok(reference) = text.parse::<ImageReference>() else {
        return false;
    };
    assert_eq!(
        reference.to_string().parse().as_ref(),
        Ok(&reference),
        "not read as it was written"
    );
    true
}

/// `Link`: a query and nothing else, which cannot lead to another host or path, and which is read as itself when it comes again.
pub fn link(bytes: &[u8]) -> bool {
    let Some(query) = next_query(&headers(&LINK, bytes)) else {
        return false;
    };
    let url = Url::parse(&format!("https://registry.example/v2/a/tags/list?{query}"));
    let url = url.expect("a URL with any query is one");
    assert_eq!(url.host_str(), Some("registry.example"), "another host");
    assert_eq!(url.path(), "/v2/a/tags/list", "another path");
    assert_eq!(url.query(), Some(query.as_str()), "a query that is not escaped");
    assert_eq!(url.fragment(), None, "a fragment");
    let again = format!("</v2/a/tags/list?{query}>; rel=\"next\"");
    if again.len() <= crate::http::URL_BYTES {
        let again = next_query(&headers(&LINK, again.as_bytes()));
        assert_eq!(again, Some(query), "not read as it was written");
    }
    true
}

/// A manifest of any kind, served as any type: bounded in every list, and with children only if it is an index.
pub fn manifest(bytes: &[u8]) -> bool {
    let mut read = false;
    let served = [
        None,
        Some(&MediaType::OCI_MANIFEST),
        Some(&MediaType::OCI_INDEX),
        Some(&MediaType::DOCKER_MANIFEST),
        Some(&MediaType::DOCKER_LIST),
    ];
    for served_as in served {
        let Ok(manifest) = Manifest::parse(bytes, served_as) else {
            continue;
        };
        read = true;
        assert!(manifest.layers.len() <= limits::LAYERS, "too many layers");
        assert!(
            manifest.children.len() <= limits::INDEX_CHILDREN,
            "too many children"
        );
        assert!(
            manifest.annotations.len() <= limits::ANNOTATIONS,
            "too many annotations"
        );
        assert!(
            manifest.media_type.is_index() || manifest.children.is_empty(),
            "children of what is no index"
        );
        assert!(
            manifest.platforms().len() <= manifest.children.len() + 1,
            "platforms of nothing"
        );
        assert!(
            MediaType::MANIFESTS.contains(&manifest.media_type),
            "a type of no manifest"
        );
        let _ = manifest.content_size();
    }
    read
}

/// An image config: no value of the environment is kept, and what is kept fits and is read as it was written.
pub fn config(bytes: &[u8]) -> bool {
    let Ok(facts) = ImageFacts::from_config(bytes) else {
        return false;
    };
    let names = facts.environment.iter();
    assert!(
        names.clone().all(|name| !name.contains('=')),
        "a value of the environment"
    );
    let json = facts.to_json();
    assert!(json.len() <= limits::IMAGE_FACTS_BYTES, "facts that do not fit");
    let again: ImageFacts = serde_json::from_slice(&json).expect("what was written can be read");
    assert!(again == facts || again.cut, "not read as it was written");
    true
}

/// A Helm chart's manifest, or its config: charts are told by their types alone, have no platforms, and a chart's config that calls
/// itself an image's does no harm.
pub fn helm(bytes: &[u8]) -> bool {
    config(bytes);
    let Ok(manifest) = Manifest::parse(bytes, Some(&MediaType::OCI_MANIFEST)) else {
        return false;
    };
    let of_helm = |media_type: &MediaType| media_type.as_str().starts_with("application/vnd.cncf.helm.");
    if manifest.kind != ArtifactKind::HelmChart {
        let artifact_type = manifest.artifact_type.as_ref().map(MediaType::as_str);
        assert_ne!(
            artifact_type,
            Some("application/vnd.cncf.helm.config.v1+json").filter(|_| !manifest.media_type.is_index()),
            "a chart that was not told"
        );
        return false;
    }
    let types = manifest.layers.iter().map(|layer| &layer.media_type);
    assert!(
        types.chain(&manifest.artifact_type).any(of_helm),
        "a chart without any sign of one"
    );
    assert!(manifest.platforms().is_empty(), "a chart with platforms");
    true
}

/// A manifest of schema 1, signed or not: layers without sizes, no config, and a payload that is a part of what was served.
pub fn schema1(bytes: &[u8]) -> bool {
    let payload = signed_payload(bytes);
    if let Some(payload) = &payload {
        assert!(
            payload.len() <= bytes.len().saturating_mul(2),
            "a payload out of nothing"
        );
    }
    let mut read = payload.is_some();
    for served_as in [MediaType::DOCKER_SCHEMA1, MediaType::DOCKER_SCHEMA1_SIGNED] {
        for text in [Some(bytes), payload.as_deref()].into_iter().flatten() {
            let Ok(manifest) = Manifest::parse(text, Some(&served_as)) else {
                continue;
            };
            let old = [MediaType::DOCKER_SCHEMA1, MediaType::DOCKER_SCHEMA1_SIGNED];
            if !old.contains(&manifest.media_type) {
                continue;
            }
            read = true;
            assert_eq!(manifest.kind, ArtifactKind::DockerSchema1, "another kind");
            assert!(
                manifest.layers.iter().all(|layer| layer.size == 0),
                "a layer with a size"
            );
            assert!(
                manifest.config.is_none() && manifest.children.is_empty(),
                "a part it cannot have"
            );
        }
    }
    read
}

/// A notification: the sender's word on the first line, headers on the next ones, then, behind an empty line, the body. Bounded, everything once,
/// no id twice, and nothing said to have been pushed without a tag.
pub fn notification(bytes: &[u8]) -> bool {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((bytes, &[][..]), |end| (&bytes[..end], &bytes[end + 2..]));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let Some(Ok(sender)) = lines.next().map(str::parse::<Sender>) else {
        return false;
    };
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
    let Ok(notification) = events::read(sender, &headers, body) else {
        return false;
    };
    let events = &notification.events;
    assert!(
        events.len() <= limits::EVENTS_PER_NOTIFICATION,
        "more than are read"
    );
    let ids: BTreeSet<_> = events.iter().filter_map(|event| event.id.as_ref()).collect();
    let with_id = events.iter().filter(|event| event.id.is_some()).count();
    assert_eq!(ids.len(), with_id, "an id twice");
    let meanings: BTreeSet<_> = events
        .iter()
        .map(|event| (event.action, &event.repository, &event.tag, &event.digest))
        .collect();
    assert_eq!(meanings.len(), events.len(), "an event twice");
    for event in events {
        let nothing = event.tag.is_none() && event.digest.is_none();
        match event.action {
            PushAction::Pushed => assert!(event.tag.is_some(), "pushed without a tag"),
            PushAction::Deleted => assert!(!nothing, "nothing was deleted"),
            PushAction::RepositoryDeleted | PushAction::RepositoryRenamed => {
                assert!(nothing, "a part of a whole repository");
            }
        }
    }
    !events.is_empty()
}

#[cfg(test)]
mod tests;
