//! Products that keep several registries behind one address: which of them a request is for.
//!
//! Artifactory and Nexus have one registry a repository of theirs, each with its own `/v2/` below a path that names it. Read through one
//! connection, the first component of a repository's name here is that name, the *key*; what follows is the name within.

use std::sync::{Arc, OnceLock};

use crate::auth::Scope;

/// One of several registries behind one address: its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Part(Arc<str>);

impl Part {
    /// The part of this key; `None` for a text that could lead out of its place in a path.
    pub(crate) fn new(key: &str) -> Option<Self> {
        let fits = key.parse::<portolan_shared::model::RepositoryName>().is_ok() && !key.contains('/');
        fits.then(|| Self(key.into()))
    }

    pub(crate) fn key(&self) -> &str {
        &self.0
    }
}

/// Where the parts are: not set for a registry that has none.
#[derive(Debug, Default)]
pub(super) struct Routes(OnceLock<String>);

/// A request to a part: where its `/v2/` is, the path behind that, and the right that it needs there.
pub(super) struct Routed<'p> {
    /// Path from the host to and including `/v2/`.
    pub(super) front: String,
    pub(super) path: &'p str,
    pub(super) scope: Scope,
}

impl Routes {
    /// From now on the part of a key is below `front/KEY`. Only the first call counts: what a registry is does not change.
    pub(super) fn set(&self, front: &str) {
        let _ = self.0.set(front.trim_end_matches('/').to_owned());
    }

    /// Which part a request goes to; `None` if it is one to the registry itself. `path` is the one behind `/v2/`.
    pub(super) fn of<'p>(&self, path: &'p str, scope: &Scope) -> Option<Routed<'p>> {
        let front = self.0.get()?;
        let (key, path) = path.split_once('/')?;
        let part = Part::new(key)?;
        let within = match scope {
            // As the part knows it. A name without a second component is in no part.
            Scope::Pull(repository) => {
                let name = repository.as_str().strip_prefix(key)?.strip_prefix('/')?;
                Scope::Pull(name.parse().ok()?)
            }
            Scope::Catalog => Scope::Catalog,
            Scope::Login | Scope::Within(..) => return None,
        };
        Some(Routed {
            front: format!("{front}/{key}/v2/"),
            path,
            scope: Scope::Within(part, Box::new(within)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(name: &str) -> Scope {
        Scope::Pull(name.parse().unwrap())
    }

    #[test]
    fn the_first_component_names_the_part() {
        let routes = Routes::default();
        let ask = |path: &'static str, scope: &Scope| {
            let routed = routes.of(path, scope)?;
            Some((routed.front, routed.path, routed.scope.text()))
        };
        assert_eq!(
            ask("key/image/tags/list", &pull("key/image")),
            None,
            "there are no parts"
        );
        routes.set("/artifactory/api/docker/");
        routes.set("/elsewhere");
        let front = "/artifactory/api/docker/key/v2/".to_owned();
        assert_eq!(
            ask("key/a/b/tags/list", &pull("key/a/b")),
            Some((front.clone(), "a/b/tags/list", "repository:a/b:pull".into()))
        );
        assert_eq!(
            ask("key/_catalog", &Scope::Catalog),
            Some((front, "_catalog", "registry:catalog:*".into()))
        );
        assert_eq!(
            ask("key/tags/list", &pull("key")),
            None,
            "no part has an image without a name"
        );
        assert_eq!(ask("", &Scope::Login), None);
        assert_eq!(ask("_catalog", &Scope::Catalog), None);
    }

    #[test]
    fn a_key_cannot_lead_out_of_its_place() {
        for bad in ["", "..", ".", "a/b", "a?b", "a#b", "a%2f", "a b"] {
            assert_eq!(Part::new(bad), None, "{bad}");
        }
        assert_eq!(Part::new("docker-local").unwrap().key(), "docker-local");
    }
}
