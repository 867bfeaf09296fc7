//! A repository's tag set as it streams in.

use portolan_shared::model::{StateHash, StateHasher, TagName, TagObservation, limits};

/// Why a tag set was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagSetError {
    /// Not sorted, or a tag twice.
    #[error("tag {0} is not after the one before it")]
    Order(String),
    /// More tags than a repository may have.
    #[error("more than {} tags", limits::TAGS_PER_REPOSITORY)]
    TooMany,
    /// More names of tags that the filter left out than a commit may have.
    #[error("more than {} tags are said to be left out", limits::TAGS_LEFT_OUT)]
    TooManyLeftOut,
    /// A tag is there and left out.
    #[error("tag {0} is said to be left out, and is there")]
    LeftOutAndThere(String),
    /// The hash of the tags is another one than was said.
    #[error("the tags do not hash to the state hash")]
    Hash,
}

/// Tags, in order, each once, and their hash so far; and the names of those that the registry's filter leaves out.
#[derive(Default)]
pub struct TagSet {
    tags: Vec<TagObservation>,
    left_out: Vec<TagName>,
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

    /// Adds a tag that the filter leaves out; these come in any order.
    pub fn leave_out(&mut self, tag: TagName) -> Result<(), TagSetError> {
        if self.left_out.len() == limits::TAGS_LEFT_OUT {
            return Err(TagSetError::TooManyLeftOut);
        }
        self.left_out.push(tag);
        Ok(())
    }

    /// The tags, if they hash to what was said, and the names of those left out, sorted, each once.
    pub fn finish(mut self, said: StateHash) -> Result<(Vec<TagObservation>, Vec<TagName>), TagSetError> {
        if self.hasher.finish() != said {
            return Err(TagSetError::Hash);
        }
        self.left_out.sort_unstable();
        self.left_out.dedup();
        let there = |tag: &&TagObservation| self.left_out.binary_search(&tag.tag).is_ok();
        match self.tags.iter().find(there) {
            Some(tag) => Err(TagSetError::LeftOutAndThere(tag.tag.to_string())),
            None => Ok((self.tags, self.left_out)),
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
        for i in 0..limits::TAGS_LEFT_OUT {
            set.leave_out(format!("l{i}").parse().unwrap()).unwrap();
        }
        let more = "m".parse().unwrap();
        assert_eq!(set.leave_out(more).unwrap_err(), TagSetError::TooManyLeftOut);
    }

    #[test]
    fn what_is_left_out_comes_sorted_each_once_and_is_not_there() {
        let left_out = |names: &[&str]| {
            let (mut set, mut hasher) = (TagSet::new(), StateHasher::new());
            set.push(tag("a")).unwrap();
            hasher.add(&tag("a").tag, &tag("a").digest);
            for name in names {
                set.leave_out(name.parse().unwrap()).unwrap();
            }
            set.finish(hasher.finish()).map(|(_, left_out)| left_out)
        };
        let names = left_out(&["c", "b", "c"]).unwrap();
        assert_eq!(names.iter().map(TagName::as_str).collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(
            left_out(&["c", "a"]).unwrap_err(),
            TagSetError::LeftOutAndThere("a".to_owned())
        );
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
                prop_assert_eq!(set.finish(hash).unwrap().0.len(), names.len());
                prop_assert_eq!(other.finish(hash).unwrap_err(), TagSetError::Hash);
            }
        }
    }
}
