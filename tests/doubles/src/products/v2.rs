//! The API that all products share, over some content: what is behind `/v2/`, wherever a product has it.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::response::Response;
use http::{Method, StatusCode, header};
use portolan_shared::model::{Digest, RepositoryName, TagName};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::stage::{Question, with};
use crate::content::{Content, StoredManifest};

/// What a path behind `/v2/` asks for. Repository names contain slashes, so paths are taken apart from their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked<'a> {
    Root,
    Catalog,
    Tags(&'a str),
    Manifest(&'a str, &'a str),
    Blob(&'a str, &'a str),
}

impl<'a> Asked<'a> {
    pub(super) fn of(behind: &'a str) -> Option<Self> {
        match behind {
            "" => return Some(Self::Root),
            "_catalog" => return Some(Self::Catalog),
            _ => {}
        }
        if let Some(name) = behind.strip_suffix("/tags/list") {
            return Some(Self::Tags(name));
        }
        let (front, last) = behind.rsplit_once('/')?;
        let (name, kind) = front.rsplit_once('/')?;
        match kind {
            "manifests" => Some(Self::Manifest(name, last)),
            "blobs" => Some(Self::Blob(name, last)),
            _ => None,
        }
    }

    /// The repository that it is about.
    pub(super) fn repository(&self) -> Option<&'a str> {
        match *self {
            Self::Root | Self::Catalog => None,
            Self::Tags(name) | Self::Manifest(name, _) | Self::Blob(name, _) => Some(name),
        }
    }
}

/// How lists are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Linked {
    /// To the next page, by its path behind the host, whatever a client was asked for in front of it.
    Path,
    /// As `Path`, but what is in front of `/v2/` is lost.
    PathWithoutPrefix,
    /// Never, though there is more.
    Never,
    /// Also from the last page, to one that is empty.
    BeyondTheEnd,
}

/// How lists are served.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lists {
    pub(super) linked: Linked,
    /// Entries on a page if the client names no number; all of them if none.
    pub(super) usual: Option<usize>,
    /// Most entries on a page, whatever the client asks for.
    pub(super) most: usize,
    /// Whether lists of tags have holes.
    pub(super) holes: bool,
}

/// A part of some content: the repositories below some first components, without these. `None` is all of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) content: &'a Content,
    pub(super) keys: Option<&'a [String]>,
}

impl<'a> View<'a> {
    pub(super) fn all(content: &'a Content) -> Self {
        Self { content, keys: None }
    }

    /// The names within it, each once, in order.
    pub(super) fn names(&self) -> BTreeSet<&'a str> {
        let names = self.content.repositories().keys().map(RepositoryName::as_str);
        match self.keys {
            None => names.collect(),
            Some(keys) => {
                let within = |name: &'a str| {
                    let (key, rest) = name.split_once('/')?;
                    keys.iter().any(|wanted| wanted == key).then_some(rest)
                };
                names.filter_map(within).collect()
            }
        }
    }

    /// The whole names of the repositories that go by this name.
    fn whole(&self, name: &str) -> Vec<String> {
        let all = match self.keys {
            None => vec![name.to_owned()],
            Some(keys) => keys.iter().map(|key| format!("{key}/{name}")).collect(),
        };
        let exists = |name: &String| self.content.repository(name).is_some();
        all.into_iter().filter(exists).collect()
    }

    fn tags(&self, name: &str) -> Option<BTreeSet<String>> {
        let whole = self.whole(name);
        let tags = whole.iter().filter_map(|name| self.content.repository(name));
        let tags = tags.flat_map(|repository| repository.tags().keys().map(TagName::to_string));
        (!whole.is_empty()).then(|| tags.collect())
    }

    fn manifest(&self, name: &str, reference: &str) -> Option<(Digest, &'a StoredManifest)> {
        self.whole(name).iter().find_map(|name| {
            let digest = match reference.parse::<Digest>() {
                Ok(digest) => digest,
                Err(_) => self.content.resolve(name, reference)?.clone(),
            };
            Some((digest.clone(), self.content.manifest_in(name, &digest)?))
        })
    }
}

/// The answer to somebody who may have it. `names` are those that the catalog lists.
pub(super) fn answer(view: View<'_>, asked: &Asked<'_>, question: &Question, lists: Lists) -> Response {
    if !matches!(question.method, Method::GET | Method::HEAD) {
        return error(405, "UNSUPPORTED");
    }
    match *asked {
        Asked::Root => super::stage::json(200, &json!({})),
        Asked::Catalog => {
            let names: Vec<_> = view.names().into_iter().map(str::to_owned).collect();
            catalog(&names, question, lists)
        }
        Asked::Tags(name) => match view.tags(name) {
            None => error(404, "NAME_UNKNOWN"),
            Some(tags) => {
                let tags: Vec<_> = tags.into_iter().collect();
                let page = Page::cut(&tags, question, lists);
                let mut entries: Vec<Value> = page.entries.iter().map(|tag| json!(tag)).collect();
                if lists.holes {
                    entries.insert(0, Value::Null);
                }
                page.respond(&json!({"name": name, "tags": entries}), question, lists)
            }
        },
        Asked::Manifest(name, reference) => match view.manifest(name, reference) {
            None => error(404, "MANIFEST_UNKNOWN"),
            Some((digest, stored)) => manifest(question, &digest, stored),
        },
        Asked::Blob(name, digest) => {
            let digest: Option<Digest> = digest.parse().ok();
            let whole = view.whole(name);
            let blob =
                digest.and_then(|digest| whole.iter().find_map(|name| view.content.blob_in(name, &digest)));
            match blob {
                None => error(404, "BLOB_UNKNOWN"),
                Some(blob) => super::stage::text(200, "application/octet-stream", blob.clone()),
            }
        }
    }
}

/// A page of the catalog.
pub(super) fn catalog(names: &[String], question: &Question, lists: Lists) -> Response {
    let page = Page::cut(names, question, lists);
    page.respond(&json!({"repositories": page.entries}), question, lists)
}

/// An error as the specification words it.
pub(super) fn error(status: u16, code: &str) -> Response {
    super::stage::json(
        status,
        &json!({"errors": [{"code": code, "message": "refused", "detail": null}]}),
    )
}

/// 401 with these challenges, each in a header of its own.
pub(super) fn challenged(challenges: &[String]) -> Response {
    let response = error(401, "UNAUTHORIZED");
    challenges.iter().fold(response, |response, challenge| {
        with(response, "www-authenticate", challenge)
    })
}

fn manifest(question: &Question, digest: &Digest, stored: &StoredManifest) -> Response {
    let named = question.header(header::IF_NONE_MATCH).trim_matches('"') == digest.to_string();
    let body = if question.method == Method::HEAD || named {
        Body::empty()
    } else {
        Body::from(stored.bytes.clone())
    };
    let mut response = Response::new(body);
    if named {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let response = with(response, "content-type", stored.media_type.as_str());
    let response = with(response, "content-length", &stored.bytes.len().to_string());
    with(response, "docker-content-digest", &digest.to_string())
}

struct Page<'a> {
    entries: &'a [String],
    more: bool,
    number: Option<usize>,
}

impl<'a> Page<'a> {
    fn cut(all: &'a [String], question: &Question, lists: Lists) -> Self {
        let asked = question.number("n").filter(|number| *number > 0);
        let number = asked.or(lists.usual).map(|number| number.min(lists.most));
        let last = question.parameter("last").unwrap_or_default();
        let rest = &all[all.partition_point(|entry| *entry <= last)..];
        let end = number.unwrap_or(rest.len()).min(rest.len());
        Self {
            entries: &rest[..end],
            more: end < rest.len(),
            number,
        }
    }

    fn respond(&self, body: &Value, question: &Question, lists: Lists) -> Response {
        let response = super::stage::json(200, body);
        let linked = match lists.linked {
            Linked::Never => false,
            Linked::BeyondTheEnd => !self.entries.is_empty(),
            Linked::Path | Linked::PathWithoutPrefix => self.more,
        };
        let Some(last) = self.entries.last().filter(|_| linked) else {
            return response;
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("last", last);
        if let Some(number) = self.number {
            query.append_pair("n", &number.to_string());
        }
        let path = match (lists.linked, question.path.find("/v2/")) {
            (Linked::PathWithoutPrefix, Some(at)) => &question.path[at..],
            _ => &question.path,
        };
        with(
            response,
            "link",
            &format!("<{path}?{}>; rel=\"next\"", query.finish()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Asked;

    #[test]
    fn takes_paths_apart_from_their_end() {
        assert_eq!(Asked::of(""), Some(Asked::Root));
        assert_eq!(Asked::of("_catalog"), Some(Asked::Catalog));
        assert_eq!(Asked::of("a/tags/tags/list"), Some(Asked::Tags("a/tags")));
        assert_eq!(
            Asked::of("a/manifests/b/manifests/x"),
            Some(Asked::Manifest("a/manifests/b", "x"))
        );
        assert_eq!(
            Asked::of("a/b/blobs/sha256:00"),
            Some(Asked::Blob("a/b", "sha256:00"))
        );
        assert_eq!(Asked::of("manifests/x"), None);
    }
}
