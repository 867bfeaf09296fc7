//! What there is to know of a product.

use async_trait::async_trait;
use portolan_shared::model::{
    CredentialFacts, DiscoveryMethod, Finding, ListingMethod, RepositoryName, RepositoryPatterns,
};

use super::ladder::Wanted;
use super::tag_list::TagPage;
use crate::api::Page;
use crate::client::RegistryClient;
use crate::error::RegistryError;

/// Names of repositories, page by page, by one method.
#[async_trait]
pub(crate) trait RepositoryPages: Send {
    /// The next page; `None` at the end. Pages may be empty.
    async fn next_page(&mut self) -> Result<Option<Page<RepositoryName>>, RegistryError>;

    /// Names so far that no request can be made for.
    fn malformed(&self) -> u64 {
        0
    }

    /// Once the end was reached: why this is not everything that the method could have shown.
    fn shortfall(&self) -> Option<Finding> {
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

    /// What the product says of the credential; what can be told from its form alone if the product does not say. `None` without one.
    async fn credential(&self, client: &RegistryClient) -> Result<Option<CredentialFacts>, RegistryError> {
        let _ = client;
        Ok(None)
    }

    /// What went wrong, in this product's terms, if that says more than the error does. May ask the product.
    async fn explain(&self, client: &RegistryClient, error: &RegistryError) -> Option<Finding> {
        let _ = (client, error);
        None
    }
}

/// Owners, namespaces or projects that patterns name: the first component of each that takes in, where it is literal. `None` if one of them
/// could match in any.
pub(crate) fn owners(patterns: &RepositoryPatterns) -> Option<Vec<String>> {
    let taking_in = patterns
        .as_slice()
        .iter()
        .filter(|pattern| !pattern.starts_with('!'));
    let mut owners = Vec::new();
    for pattern in taking_in {
        let (owner, _) = pattern.split_once('/')?;
        if owner.starts_with("re:") || owner.contains(['*', '?', '[', ']', '{', '}', '\\']) {
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
}
