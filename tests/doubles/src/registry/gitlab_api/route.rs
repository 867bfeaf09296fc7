//! From a path to the one that answers it.

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use url::form_urlencoded;

use super::{paths, repository, tag_detail, tags};
use crate::registry::behaviour::{Behaviour, Flavour};
use crate::registry::double::State;
use crate::token::Access;

/// What a path below `/gitlab/v1` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::registry) enum Route<'a> {
    /// Whether there is such an API at all.
    Base,
    /// The tags of a repository.
    Tags(&'a str),
    /// One tag of a repository.
    TagDetail(&'a str, &'a str),
    /// A repository.
    Repository(&'a str),
    /// The repositories below a path.
    Paths(&'a str),
    /// One of these without the slash at its end.
    Unslashed,
}

impl<'a> Route<'a> {
    /// `rest` is the path after `/gitlab/v1`.
    pub(in crate::registry) fn of(rest: &'a str) -> Option<Self> {
        let Some(rest) = rest.strip_suffix('/') else {
            let known = rest.is_empty()
                || rest.starts_with("/repositories/")
                || rest.starts_with("/repository-paths/");
            return known.then_some(Self::Unslashed);
        };
        if rest.is_empty() {
            return Some(Self::Base);
        }
        if let Some(rest) = rest.strip_prefix("/repository-paths/") {
            return rest.strip_suffix("/repositories/list").map(Self::Paths);
        }
        let rest = rest.strip_prefix("/repositories/")?;
        if let Some(name) = rest.strip_suffix("/tags/list") {
            return Some(Self::Tags(name));
        }
        match rest.rsplit_once("/tags/detail/") {
            Some((name, tag)) if !tag.contains('/') => Some(Self::TagDetail(name, tag)),
            Some(_) | None => Some(Self::Repository(rest)),
        }
    }

    pub(in crate::registry) fn needs(&self, query: &str) -> Vec<Access> {
        let with_descendants = |path: &str| vec![Access::pull(path), Access::pull(&format!("{path}/*"))];
        match self {
            Self::Base | Self::Unslashed => Vec::new(),
            Self::Paths(path) => with_descendants(path),
            Self::Repository(name) if repository::Size::asked(query) == Ok(repository::Size::Descendants) => {
                with_descendants(name)
            }
            Self::Tags(name) | Self::TagDetail(name, _) | Self::Repository(name) => vec![Access::pull(name)],
        }
    }
}

/// The answer to a request that may be made.
pub(in crate::registry) fn serve(
    state: &State,
    behaviour: &Behaviour,
    request: &Request,
    route: &Route<'_>,
) -> Response {
    // The check for the database comes after that of the token.
    if behaviour.flavour != Flavour::GitLabDatabase {
        return StatusCode::NOT_FOUND.into_response();
    }
    let query = request.uri().query().unwrap_or_default();
    match route {
        Route::Base => ([(header::CONTENT_TYPE, "application/json")], "{}").into_response(),
        Route::Tags(name) => tags::list(state, behaviour, request, name, query),
        Route::TagDetail(name, tag) => tag_detail::show(state, name, tag),
        Route::Repository(name) => repository::show(state, name, query),
        Route::Paths(path) => paths::list(state, behaviour, request, path, query),
        Route::Unslashed => slashed(request),
    }
}

/// Sends the client to the same path with a slash at its end, as Go's router does before anything else is looked at.
pub(in crate::registry) fn slashed(request: &Request) -> Response {
    let mut location = format!("{}/", request.uri().path());
    if let Some(query) = request.uri().query() {
        location.push('?');
        location.push_str(query);
    }
    (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, location)]).into_response()
}

/// A query from its pairs, in the order of their names, as Go writes them.
pub(super) fn query_of(mut pairs: Vec<(&str, String)>) -> String {
    pairs.sort();
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_paths_apart_from_their_end() {
        for (path, route) in [
            ("/", Some(Route::Base)),
            ("", Some(Route::Unslashed)),
            ("/repositories/a/b/tags/list/", Some(Route::Tags("a/b"))),
            ("/repositories/a/b/tags/list", Some(Route::Unslashed)),
            (
                "/repositories/a/tags/detail/x/tags/detail/1.0/",
                Some(Route::TagDetail("a/tags/detail/x", "1.0")),
            ),
            ("/repositories/a/b/", Some(Route::Repository("a/b"))),
            ("/repository-paths/a/repositories/list/", Some(Route::Paths("a"))),
            ("/repository-paths/a/", None),
            ("/other/", None),
            ("/other", None),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }
}
