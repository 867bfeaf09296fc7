//! The tags of a repository.

use async_trait::async_trait;
use serde::Deserialize;

use super::web_api::List;
use crate::error::RegistryError;
use crate::flavour::native::{loose, manifest_type};
use crate::flavour::product::TagPages;
use crate::flavour::rows::time;
use crate::flavour::tag_list::{ListedTag, TagPage};

pub(super) struct Tags {
    list: List,
}

impl Tags {
    pub(super) fn new(list: List) -> Self {
        Self { list }
    }
}

/// `digest` and `media_type` are not in the API's reference, though they are sent.
#[derive(Deserialize)]
struct TagRow {
    name: String,
    #[serde(default, deserialize_with = "loose")]
    digest: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    media_type: Option<String>,
    #[serde(default, deserialize_with = "loose")]
    tag_last_pushed: Option<String>,
}

#[async_trait]
impl TagPages for Tags {
    async fn next_page(&mut self) -> Result<Option<TagPage>, RegistryError> {
        let Some(rows) = self.list.next(|row: &TagRow| &row.name).await? else {
            return Ok(None);
        };
        self.list.all_read(&rows)?;
        let mut page = TagPage::default();
        for row in rows.good {
            let Ok(tag) = row.name.parse() else {
                page.malformed += 1;
                continue;
            };
            page.tags.push(ListedTag {
                digest: row.digest.and_then(|text| text.parse().ok()),
                media_type: manifest_type(row.media_type.as_deref()),
                pushed_at: time(row.tag_last_pushed.as_deref()),
                ..ListedTag::unresolved(tag)
            });
        }
        Ok(Some(page))
    }
}
