//! What a token is asked to grant. Only ever `pull` on one repository, or the catalog; never push or delete.

use portolan_shared::model::RepositoryName;

use crate::client::Part;

/// The right that one request needs (Docker's token scope grammar, `type:name:actions`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// None: the API root.
    Login,
    /// To list the catalog.
    Catalog,
    /// To read one repository.
    Pull(RepositoryName),
    /// One of these within a part of the registry, which may have a token service of its own ([`Part`](crate::client::Part)).
    Within(Part, Box<Scope>),
}

const CATALOG: &str = "registry:catalog:*";

impl Scope {
    /// As it is asked for; empty for [`Scope::Login`].
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Login => String::new(),
            Self::Catalog => CATALOG.to_owned(),
            Self::Pull(repository) => format!("repository:{repository}:pull"),
            Self::Within(_, scope) => scope.text(),
        }
    }

    /// The part of the registry that it is about; `None` for the registry itself.
    pub(crate) fn part(&self) -> Option<&Part> {
        match self {
            Self::Within(part, _) => Some(part),
            Self::Login | Self::Catalog | Self::Pull(_) => None,
        }
    }

    /// The repository that it is about.
    pub(crate) fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Pull(repository) => Some(repository),
            Self::Within(_, scope) => scope.repository(),
            Self::Login | Self::Catalog => None,
        }
    }

    /// The part of a challenge's scope that may be asked for: the server knows under which name it files the repository, but not which
    /// rights we want. `None` if it names nothing of use; then our own [`Scope::text`] is asked for.
    pub(crate) fn within(&self, challenge: Option<&str>) -> Option<String> {
        if let Self::Within(_, scope) = self {
            return scope.within(challenge);
        }
        challenge?.split_whitespace().find_map(|part| {
            // A name may hold a colon, so the type ends at the first one and the actions begin at the last.
            let (kind, rest) = part.split_once(':')?;
            let (name, actions) = rest.rsplit_once(':')?;
            let kind_only = kind.split('(').next().unwrap_or(kind);
            match self {
                Self::Login | Self::Within(..) => None,
                Self::Catalog => (part == CATALOG).then(|| CATALOG.to_owned()),
                Self::Pull(repository) => {
                    let ours = repository.as_str();
                    let related = name.ends_with(ours) || ours.ends_with(name);
                    let reads = actions.split(',').any(|action| action == "pull" || action == "*");
                    let fits = kind_only == "repository"
                        && related
                        && reads
                        && !name.is_empty()
                        && name.parse::<RepositoryName>().is_ok();
                    fits.then(|| format!("{kind}:{name}:pull"))
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pull(name: &str) -> Scope {
        Scope::Pull(name.parse().unwrap())
    }

    #[test]
    fn asks_for_reading_only_whatever_the_server_names() {
        let scope = pull("a/b");
        let within = |challenge| scope.within(Some(challenge));
        assert_eq!(within("repository:a/b:pull").unwrap(), "repository:a/b:pull");
        assert_eq!(
            within("repository:a/b:pull,push,delete").unwrap(),
            "repository:a/b:pull"
        );
        assert_eq!(within("repository:a/b:*").unwrap(), "repository:a/b:pull");
        assert_eq!(
            within("repository:remote/a/b:pull").unwrap(),
            "repository:remote/a/b:pull",
            "filed under a prefix"
        );
        assert_eq!(
            within("repository(plugin):a/b:pull").unwrap(),
            "repository(plugin):a/b:pull"
        );
        assert_eq!(
            within("registry:catalog:* repository:a/b:pull").unwrap(),
            "repository:a/b:pull",
            "several"
        );
        for useless in [
            "",
            "*",
            "aws",
            "repository:a/b:push",
            "repository:other:pull",
            "repository::pull",
            "x:y",
        ] {
            assert_eq!(within(useless), None, "{useless}");
        }
        assert_eq!(scope.within(None), None);
        assert_eq!(
            Scope::Catalog.within(Some("registry:catalog:*")).unwrap(),
            CATALOG
        );
        assert_eq!(Scope::Catalog.within(Some("repository:a:pull")), None);
        assert_eq!(
            Scope::Login.within(Some("registry:catalog:*")),
            None,
            "a probe needs no right"
        );
    }

    proptest! {
        #[test]
        fn never_push_nor_delete(challenge in "[a-z:/*, ()]{0,60}|repository:a/b:[a-z,*]{0,20}") {
            for scope in [pull("a/b"), Scope::Catalog, Scope::Login] {
                if let Some(text) = scope.within(Some(&challenge)) {
                    prop_assert!(text == CATALOG || text.ends_with(":pull"), "{}", text);
                }
            }
        }
    }
}
