//! When tags were pushed, which registries with a database remember.

use jiff::{SignedDuration, Timestamp};

use super::shelf::Shelf;

/// When a tag was made, and when it was last moved to another manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    /// When it was made.
    pub created: Timestamp,
    /// When it was last moved; none if it never was.
    pub updated: Option<Timestamp>,
}

impl Pushed {
    /// The later of the two.
    #[must_use]
    pub fn published(&self) -> Timestamp {
        self.updated
            .map_or(self.created, |updated| updated.max(self.created))
    }
}

impl Default for Pushed {
    /// Made on 2 January 2026, 03:04:05 UTC, as all content is unless said otherwise; never moved.
    fn default() -> Self {
        Self {
            created: Timestamp::constant(1_767_323_045, 0),
            updated: None,
        }
    }
}

impl Shelf<'_> {
    /// Says when a tag was made, and when it was last moved, both as RFC 3339 has it. Without this a tag is as old as [`Pushed::default`]
    /// says, and one that [`Shelf::tag`] moves was moved one second after it was last pushed.
    ///
    /// # Panics
    /// When `tag` is not a tag or a time is malformed.
    pub fn pushed(&mut self, tag: &str, created: &str, updated: Option<&str>) -> &mut Self {
        let time = |text: &str| text.parse::<Timestamp>().expect("the test's time is RFC 3339");
        let pushed = Pushed {
            created: time(created),
            updated: updated.map(time),
        };
        let tag = tag.parse().expect("the test's tag is well formed");
        self.content.at(&self.name).pushed.insert(tag, pushed);
        self
    }

    pub(super) fn moved(&mut self, tag: &str) {
        let here = self.content.at(&self.name);
        let Some((tag, _)) = here.tags.get_key_value(tag) else {
            return;
        };
        let before = here.pushed(tag.as_str());
        let updated = before
            .published()
            .saturating_add(SignedDuration::from_secs(1))
            .ok();
        here.pushed.insert(tag.clone(), Pushed { updated, ..before });
    }
}
