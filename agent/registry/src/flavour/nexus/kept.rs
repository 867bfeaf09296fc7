//! Tags that were seen while images were looked for, until they are listed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use portolan_shared::model::RepositoryName;

use crate::error::RegistryError;
use crate::flavour::product::TagPages;
use crate::flavour::tag_list::{ListedTag, TagPage};

/// Tags that are kept at once: of repositories that have more, none is.
pub(super) const TAGS: usize = 50_000;
/// Tags on a page.
const PAGE: usize = 1_000;

/// What is kept. Cheap to clone; clones share it.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<HashMap<RepositoryName, Vec<ListedTag>>>>);

impl Kept {
    fn images(&self) -> MutexGuard<'_, HashMap<RepositoryName, Vec<ListedTag>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything: a new search begins, and what an old one saw is out of date.
    pub(super) fn clear(&self) {
        self.images().clear();
    }

    /// Keeps the tags of these images, if there is room for all of them.
    pub(super) fn keep(&self, images: impl IntoIterator<Item = (RepositoryName, Vec<ListedTag>)>) {
        let mut kept = self.images();
        let mut count: usize = kept.values().map(Vec::len).sum();
        for (image, tags) in images {
            count += tags.len();
            if count > TAGS {
                return;
            }
            kept.insert(image, tags);
        }
    }

    /// The tags of an image; kept no longer. `None` if they are not known.
    pub(super) fn take(&self, image: &RepositoryName) -> Option<Box<dyn TagPages>> {
        let tags = self.images().remove(image)?;
        Some(Box::new(Pages(tags)))
    }
}

struct Pages(Vec<ListedTag>);

#[async_trait]
impl TagPages for Pages {
    async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError> {
        let rest = self.0.split_off(PAGE.min(self.0.len()));
        let tags = std::mem::replace(&mut self.0, rest);
        Ok((!tags.is_empty()).then_some(TagPage { tags, malformed: 0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(count: usize) -> Vec<ListedTag> {
        (0..count)
            .map(|n| ListedTag::unresolved(format!("t{n}").parse().unwrap()))
            .collect()
    }

    #[tokio::test]
    async fn tags_are_given_once_in_pages_and_kept_up_to_the_bound() {
        let kept = Kept::default();
        let name = |text: &str| text.parse::<RepositoryName>().unwrap();
        kept.keep([
            (name("a"), tags(2_500)),
            (name("b"), tags(TAGS - 2_500)),
            (name("c"), tags(1)),
        ]);
        assert!(kept.take(&name("c")).is_none(), "beyond the bound");
        let mut pages = kept.take(&name("a")).unwrap();
        let mut sizes = Vec::new();
        while let Some(page) = pages.next_page().await.unwrap() {
            sizes.push(page.tags.len());
        }
        assert_eq!(sizes, [1_000, 1_000, 500]);
        assert!(kept.take(&name("a")).is_none(), "kept no longer");
        kept.clear();
        assert!(kept.take(&name("b")).is_none());
    }
}
