//! A repository's tag set as it streams in.

use portolan_shared::model::{StateHash, StateHasher, TagObservation, limits};

/// Why a tag set was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagSetError {
    /// Not sorted, or a tag twice.
    #[error("tag {0} is not after the one before it")]
    Order(String),
    /// More tags than a repository may have.
    #[error("more than {} tags", limits::TAGS_PER_REPOSITORY)]
    TooMany,
    /// The hash of the tags is another one than was said.
    #[error("the tags do not hash to the state hash")]
    Hash,
}

/// Tags, in order, each once, and their hash so far.
#[derive(Default)]
pub struct TagSet {
    tags: Vec<TagObservation>,
    hasher: StateHasher,
}

impl TagSet {
    /// No tags.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next tag.
    pub fn push(&mut self, tag: TagObservation) -> Result<(), TagSetError> {
        if self.tags.len() == limits::TAGS_PER_REPOSITORY {
            return Err(TagSetError::TooMany);
        }
        if self.tags.last().is_some_and(|last| last.tag >= tag.tag) {
            return Err(TagSetError::Order(tag.tag.to_string()));
        }
        self.hasher.add(&tag.tag, &tag.digest);
        self.tags.push(tag);
        Ok(())
    }

    /// The tags, if they hash to what was said.
    pub fn finish(self, said: StateHash) -> Result<Vec<TagObservation>, TagSetError> {
        if self.hasher.finish() == said {
            Ok(self.tags)
        } else {
            Err(TagSetError::Hash)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::model::Digest;
    use proptest::prelude::*;

    fn tag(name: &str) -> TagObservation {
        TagObservation {
            tag: name.parse().unwrap(),
            digest: Digest::sha256_of(name.as_bytes()),
            media_type: None,
            size: 1,
            pushed_at: None,
        }
    }

    #[test]
    fn stops_at_its_bound() {
        let mut set = TagSet::new();
        for i in 0..limits::TAGS_PER_REPOSITORY {
            set.push(tag(&format!("t{i:06}"))).unwrap();
        }
        assert_eq!(set.push(tag("u")).unwrap_err(), TagSetError::TooMany);
    }

    proptest! {
        #[test]
        fn takes_sorted_sets_and_their_own_hash_alone(names in proptest::collection::vec("[a-c]{1,2}", 0..8)) {
            let mut set = TagSet::new();
            let taken = names.iter().try_for_each(|name| set.push(tag(name)));
            let sorted = names.windows(2).all(|pair| pair[0] < pair[1]);
            prop_assert_eq!(taken.is_ok(), sorted);
            if sorted {
                let mut hasher = StateHasher::new();
                for name in &names {
                    hasher.add(&tag(name).tag, &tag(name).digest);
                }
                let mut other = TagSet::new();
                other.push(tag("zz")).unwrap();
                let hash = hasher.finish();
                prop_assert_eq!(set.finish(hash).unwrap().len(), names.len());
                prop_assert_eq!(other.finish(hash).unwrap_err(), TagSetError::Hash);
            }
        }
    }
}
