//! What there is to know of a product.

use async_trait::async_trait;
use http::HeaderMap;
use portolan_shared::model::{
    CredentialFacts, CredentialKind, DiscoveryMethod, Finding, ListingMethod, RepositoryName,
    RepositoryPatterns,
};

use super::credential;
use super::ladder::Wanted;
use super::tag_list::TagPage;
use crate::api::Page;
use crate::client::RegistryClient;
use crate::error::{Fault, RegistryError, Subject};

/// Names of repositories, page by page, by one method.
#[async_trait]
pub(crate) trait RepositoryPages: Send {
    /// The next page; `None` at the end. Pages may be empty.
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError>;

    /// Names so far that no request can be made for.
    fn malformed(&self) -> u64 {
        0
    }

    /// So far: where the names come from, such as from how many projects, for people; `None` if there is no more to say than how many.
    fn view(&self) -> Option<String> {
        None
    }

    /// So far: what is worth knowing of what was passed on the way, though it takes nothing from the list.
    fn asides(&self) -> Vec<Finding> {
        Vec::new()
    }

    /// Once the end was reached: why this is not everything that the method could have shown.
    fn shortfall(&self) -> Option<Finding> {
        None
    }

    /// Once the end was reached: what is worth knowing of it, though it is everything.
    fn remark(&self) -> Option<Finding> {
        None
    }
}

/// Tags of one repository, page by page, by one method.
#[async_trait]
pub(crate) trait TagPages: Send {
    /// The next page; `None` at the end. Pages may be empty.
    async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError>;

    /// Once the end was reached: why these are not all tags.
    fn shortfall(&self) -> Option<Finding> {
        None
    }

    /// Once the end was reached: what is worth knowing of the list, whether or not these are all tags.
    fn remark(&self) -> Option<Finding> {
        None
    }

    /// At the end of a list that leaves tags out: whether everybody's list is asked for these. It is not where that makes the product ask
    /// somebody else.
    async fn is_to_be_completed(&mut self) -> Result<bool, RegistryError> {
        Ok(true)
    }

    /// Tags that were read and not given yet.
    fn held(&self) -> usize {
        0
    }

    /// Whether this error is what everybody's own list would answer as well, so that it need not be asked.
    fn is_final(&self, error: &RegistryError) -> bool {
        error.is_unknown_repository()
    }
}

/// One way to find repositories.
pub(crate) struct Rung {
    pub(crate) method: DiscoveryMethod,
    /// Whether its end means that everything was listed that this credential can see. Else the next rung is tried as well.
    pub(crate) shows_all: bool,
    pub(crate) pages: Box<dyn RepositoryPages>,
}

/// A product: how it is asked for what it holds. It never decides what is sent where: the client does.
#[async_trait]
pub(crate) trait Product: Send + Sync {
    /// The product's own ways to find repositories, the cheapest that shows everything first. The catalog and the names that the operator
    /// gave come after them for every product.
    fn rungs(&self, client: &RegistryClient, wanted: &Wanted) -> Vec<Rung> {
        let _ = (client, wanted);
        Vec::new()
    }

    /// Whether anybody is ever shown a catalog.
    fn has_catalog(&self) -> bool {
        true
    }

    /// The product's own way to list tags with what they point to.
    fn tags(
        &self,
        client: &RegistryClient,
        repository: &RepositoryName,
    ) -> Option<(ListingMethod, Box<dyn TagPages>)> {
        let _ = (client, repository);
        None
    }

    /// A way to list tags where the product's own and everybody's have both failed. Nothing but the names is taken on trust: what they point
    /// to is asked of the registry.
    fn last_tags(
        &self,
        client: &RegistryClient,
        repository: &RepositoryName,
    ) -> Option<(ListingMethod, Box<dyn TagPages>)> {
        let _ = (client, repository);
        None
    }

    /// Whether this product has a registry where the API's root is not one: several below one address, each at a path of its own.
    fn has_registries_below(&self) -> bool {
        false
    }

    /// Requests that the product bears at once, if that is fewer than others do.
    fn concurrency_hint(&self) -> Option<usize> {
        None
    }

    /// Whether the login may be tried at all. Asks nobody.
    async fn may_log_in(&self, client: &RegistryClient) -> Result<(), Fault> {
        let _ = client;
        Ok(())
    }

    /// The API's root let us in with these headers.
    fn entered(&self, headers: &HeaderMap) {
        let _ = headers;
    }

    /// What the product says of the credential; what can be told from its form alone if the product does not say. `None` without one.
    async fn credential(&self, client: &RegistryClient) -> Result<Option<CredentialFacts>, RegistryError> {
        let facts = credential::by_form(client, |username| self.kind_of(username)).await;
        facts.map_err(|fault| client.error(Subject::Credential, fault))
    }

    /// What kind of secret comes with this user name. Most products take passwords and tokens in the same place; robots have names of their own,
    /// also where Harbor is not recognised behind what stands in front of it.
    fn kind_of(&self, username: &str) -> CredentialKind {
        if username.starts_with("robot$") {
            CredentialKind::Robot
        } else {
            CredentialKind::Unknown
        }
    }

    /// What went wrong, in this product's terms, if that says more than the error does. May ask the product.
    async fn explain(&self, client: &RegistryClient, error: &RegistryError) -> Option<Finding> {
        let _ = (client, error);
        None
    }

    /// What is worth knowing of the credential although it works.
    async fn remarks(&self, client: &RegistryClient) -> Vec<Finding> {
        let _ = client;
        Vec::new()
    }

    /// What is worth knowing of how the product is set up to keep this repository, as far as the credential may see that. Asks the product.
    async fn advisories(&self, client: &RegistryClient, repository: &RepositoryName) -> Vec<Finding> {
        let _ = (client, repository);
        Vec::new()
    }
}

pub(super) const WILD: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

/// Patterns that take in, as they stand.
fn taking_in(patterns: &RepositoryPatterns) -> impl Iterator<Item = &str> {
    let texts = patterns.as_slice().iter().map(String::as_str);
    texts.filter(|pattern| !pattern.starts_with('!'))
}

/// The names that stand among the patterns without any wildcard and are wanted, whatever the others are.
pub(crate) fn literals(patterns: &RepositoryPatterns) -> Vec<RepositoryName> {
    let mut names: Vec<RepositoryName> = taking_in(patterns)
        .filter(|pattern| !pattern.starts_with("re:") && !pattern.contains(WILD))
        .filter_map(|pattern| pattern.parse().ok())
        .filter(|name| patterns.matches(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The folders that the patterns lie in: of each that takes in, the components in front of the first that is wild, without a name's own.
/// Those that begin wild lie in none.
pub(crate) fn folders(patterns: &RepositoryPatterns) -> Vec<String> {
    let mut folders: Vec<String> = taking_in(patterns)
        .filter(|pattern| !pattern.starts_with("re:"))
        .filter_map(|pattern| {
            let literal = pattern.split(WILD).next().unwrap_or_default();
            let (folder, _) = literal.rsplit_once('/')?;
            (!folder.is_empty()).then(|| folder.to_owned())
        })
        .collect();
    folders.sort_unstable();
    folders.dedup();
    folders
}

/// Owners, namespaces or projects that patterns name: the first component of each that takes in, where it is literal. `None` if one of them
/// could match in any.
pub(crate) fn owners(patterns: &RepositoryPatterns) -> Option<Vec<String>> {
    let mut owners = Vec::new();
    for pattern in taking_in(patterns) {
        let (owner, _) = pattern.split_once('/')?;
        if owner.starts_with("re:") || owner.contains(WILD) {
            return None;
        }
        owners.push(owner.to_owned());
    }
    owners.sort_unstable();
    owners.dedup();
    (!owners.is_empty()).then_some(owners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_known_only_when_every_pattern_names_one() {
        let of = |patterns: &[&str]| {
            owners(&RepositoryPatterns::new(patterns.iter().map(ToString::to_string).collect()).unwrap())
        };
        assert_eq!(
            of(&["acme/**", "tools/x", "acme/shop", "!acme/tmp"]),
            Some(vec!["acme".into(), "tools".into()])
        );
        for any in [
            &[][..],
            &["**"],
            &["acme/**", "*"],
            &["a*/x"],
            &["re:acme/x"],
            &["!acme/x"],
        ] {
            assert_eq!(of(any), None, "{any:?}");
        }
    }

    #[test]
    fn names_and_folders_are_taken_from_between_wild_patterns() {
        let patterns = |texts: &[&str]| {
            RepositoryPatterns::new(texts.iter().map(ToString::to_string).collect()).unwrap()
        };
        let mixed = patterns(&[
            "acme/shop/api",
            "acme/platform/**",
            "tools/*-image",
            "re:x/.+",
            "**/y",
            "top",
            "acme/tmp",
            "!acme/tmp",
        ]);
        let names: Vec<String> = literals(&mixed).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["acme/shop/api", "top"]);
        assert_eq!(folders(&mixed), ["acme", "acme/platform", "acme/shop", "tools"]);
        assert!(literals(&patterns(&[])).is_empty() && folders(&patterns(&["*", "!a/b"])).is_empty());
    }
}
