//! What the given address is.

use url::Url;

use crate::client::Part;

/// Path of the instance where it is not in front of `/v2/` itself.
const CONTEXT: &str = "/artifactory";
/// What is between the instance and the key of a repository.
const BELOW: &str = "/api/docker/";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// One repository.
    Repository { context: String, key: String },
    /// The instance, with all of its repositories.
    Instance { context: String },
    /// A registry of which nothing tells whether it is one repository, behind a port or host name of its own, or all of them.
    Unknown,
}

impl Place {
    /// `prefix` is the path of the given address, `realm` the token service that is asked for there, and `is_registry` whether there is a registry
    /// right below it.
    pub(super) fn of(prefix: &str, realm: Option<&Url>, is_registry: bool) -> Self {
        if let Some(place) = Self::below(prefix) {
            return place;
        }
        if !prefix.is_empty() || !is_registry {
            let context = if prefix.is_empty() { CONTEXT } else { prefix };
            return Self::Instance {
                context: context.to_owned(),
            };
        }
        match realm.map(|realm| realm.path().trim_end_matches('/')) {
            // The token service of a repository names it, also behind a port of its own.
            Some(path) if path.contains(BELOW) => {
                let front = path.strip_suffix("/token").unwrap_or(path);
                let front = front.strip_suffix("/v2").unwrap_or(front);
                Self::below(front).unwrap_or(Self::Unknown)
            }
            // That of a proxy for repository paths is right below the address.
            Some("/v2/token") => Self::Instance {
                context: CONTEXT.to_owned(),
            },
            _ => Self::Unknown,
        }
    }

    fn below(path: &str) -> Option<Self> {
        let (context, key) = path.rsplit_once(BELOW)?;
        // What is written where no key could be found out.
        if key == "null" {
            return Some(Self::Instance {
                context: context.to_owned(),
            });
        }
        Part::new(key)?;
        Some(Self::Repository {
            context: context.to_owned(),
            key: key.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_and_token_service_tell_what_is_read() {
        let of = |prefix: &str, realm: &str, is_registry| {
            let realm = Url::parse(realm).ok();
            Place::of(prefix, realm.as_ref(), is_registry)
        };
        let instance = |context: &str| Place::Instance {
            context: context.into(),
        };
        let repository = |context: &str| Place::Repository {
            context: context.into(),
            key: "docker-local".into(),
        };
        assert_eq!(of("", "", false), instance("/artifactory"));
        assert_eq!(of("/artifactory", "", false), instance("/artifactory"));
        assert_eq!(of("/jfrog/art", "", false), instance("/jfrog/art"));
        assert_eq!(
            of("/artifactory/api/docker/docker-local", "", true),
            repository("/artifactory")
        );
        assert_eq!(
            of("", "https://h/artifactory/api/docker/docker-local/v2/token", true),
            repository("/artifactory"),
            "behind a port of its own"
        );
        assert_eq!(
            of("", "https://h/artifactory/api/docker/null/v2/token", true),
            instance("/artifactory")
        );
        assert_eq!(of("", "https://h/v2/token", true), instance("/artifactory"));
        assert_eq!(
            of("", "", true),
            Place::Unknown,
            "asks for user name and password"
        );
        assert_eq!(
            of("", "https://h/artifactory/api/docker/a/b/v2/token", true),
            Place::Unknown
        );
    }
}
