//! What Zot's events say: `{"name": REPOSITORY, "reference": TAG OR DIGEST, "digest": .., "mediaType": ..}`.
//!
//! Types `zotregistry.image.updated` and `zotregistry.image.deleted` are read; `zotregistry.repository.created` and
//! `zotregistry.image.lint_failed` are ignored: what is in a new repository comes as an update.
//!
//! Sources: "Event Support" of Zot's documentation (2.1), `pkg/extensions/events` of its code, its tests of the HTTP sink, by which the events come
//! in CloudEvents' binary mode.

use crate::events::collect::{Collector, Hint};
use crate::events::json::Text;

pub(super) struct Data<'a> {
    pub(super) name: &'a Text,
    pub(super) reference: &'a Text,
    pub(super) digest: &'a Text,
}

/// An event of type `kind`, behind `zotregistry.`.
pub(super) fn collect(kind: &str, data: &Data<'_>, hint: &Hint<'_>, collector: &mut Collector<'_>) {
    let hint = Hint {
        repository: data.name.as_str(),
        tag: data.reference,
        digest: data.digest,
        ..*hint
    };
    match kind {
        "image.updated" => collector.pushed(&hint),
        "image.deleted" => collector.deleted(&hint),
        _ => collector.ignore(),
    }
}
