//! The tags of an image: each is a folder with its manifest in it, and the manifest's checksum is the digest.

use async_trait::async_trait;
use portolan_shared::model::{ListingMethod, RepositoryName};

use super::query::Query;
use crate::client::RegistryClient;
use crate::error::{RegistryError, Subject};
use crate::flavour::native::sha256;
use crate::flavour::product::TagPages;
use crate::flavour::rows::time;
use crate::flavour::tag_list::{ListedTag, TagPage};

pub(super) struct Tags {
    image: String,
    query: Query,
}

impl Tags {
    /// `None` for an image that a pattern of the query language would not mean alone.
    pub(super) fn new(
        client: RegistryClient,
        repository: &RepositoryName,
        context: &str,
        key: &str,
        image: &str,
    ) -> Option<Self> {
        if image.contains(['*', '?']) {
            return None;
        }
        let subject = Subject::Listing(ListingMethod::ArtifactoryAql, repository.clone());
        let bound = client.limits().tags;
        Some(Self {
            image: image.to_owned(),
            query: Query::new(client, subject, context, key, Some(image), bound),
        })
    }
}

/// The folder right below the image that a path names: images may lie below others. What is named after a digest is the child of an index,
/// and no tag.
fn folder<'p>(path: &'p str, image: &str) -> Option<&'p str> {
    let folder = path.strip_prefix(image)?.strip_prefix('/')?;
    (!folder.contains('/') && !is_digest(folder)).then_some(folder)
}

/// `sha256__` or `sha256:` and the rest of a digest.
fn is_digest(folder: &str) -> bool {
    let hex = folder
        .strip_prefix("sha256")
        .and_then(|rest| rest.strip_prefix("__").or(rest.strip_prefix(':')));
    hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[async_trait]
impl TagPages for Tags {
    async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError> {
        let Some(files) = self.query.next().await? else {
            return Ok(None);
        };
        self.query.all_read(&files)?;
        let mut page = TagPage::default();
        for file in files.good {
            let Some(folder) = folder(&file.path, &self.image) else {
                continue;
            };
            let Ok(tag) = folder.parse() else {
                page.malformed += 1;
                continue;
            };
            page.tags.push(ListedTag {
                digest: sha256(file.sha256.as_deref()),
                // A tag that was moved keeps the time at which it was made.
                pushed_at: time(file.modified.as_deref()).max(time(file.created.as_deref())),
                ..ListedTag::unresolved(tag)
            });
        }
        Ok(Some(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_folders_right_below_the_image() {
        assert_eq!(folder("shop/api/1.0", "shop/api"), Some("1.0"));
        let child = format!("shop/api/sha256__{}", "a".repeat(64));
        for none in [
            "shop/api",
            "shop/api/sub/1.0",
            "shop/apis/1.0",
            "other/1.0",
            &child,
        ] {
            assert_eq!(folder(none, "shop/api"), None, "{none}");
        }
    }
}
