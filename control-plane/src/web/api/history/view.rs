//! What a line of the ledger looks like, and what is different since some time.

use jiff::Timestamp;
use portolan_shared::model::{Digest, RegistryName};
use portolan_store::{LedgerChange, LedgerRow, TagDifference};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::RepositoryFound;

/// One thing that happened to a tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LedgerLine {
    /// The whole reference: `REGISTRY/REPOSITORY:TAG`.
    pub reference: String,
    /// Which tag.
    pub tag: String,
    /// `appeared`, `moved`, `vanished`, or `left_out`: it still existed, but the registry's filter left it out from then on.
    pub change: String,
    /// Where it pointed before; null if it appeared.
    pub from: Option<String>,
    /// Where it points since; null if it vanished or was left out.
    pub to: Option<String>,
    /// When it was noticed.
    pub noticed_at: Timestamp,
    /// The last time before that the tag was known to be as it was: it happened in between. Of a tag that vanished: when it was last seen. It is the
    /// time at which that look began. Null if nothing was known of it, if that has been forgotten, or if the clock was set back in between.
    pub not_before: Option<Timestamp>,
    /// How it was learnt: `manual` (a person had asked for the run), `event` (push events had), `schedule`, or `reconcile` (by a look at everything,
    /// of a registry that is read on push: no event had told); null if that is not known any more.
    pub learnt: Option<String>,
    /// The sensor that saw it; null if it was deleted since.
    pub sensor: Option<String>,
    /// By which run it was learnt; it may be forgotten by now.
    #[schema(format = "uuid")]
    pub run: String,
}

impl LedgerLine {
    pub(super) fn of(place: &RepositoryFound, row: LedgerRow) -> Self {
        let (change, from, to) = in_words(row.change);
        Self {
            reference: format!(
                "{}/{}:{}",
                place.registry.registry.name, place.repository.name, row.tag
            ),
            tag: row.tag.to_string(),
            change: change.to_owned(),
            from,
            to,
            noticed_at: row.noticed_at,
            not_before: row.not_before,
            learnt: row.learnt.trigger.map(|trigger| trigger.to_string()),
            sensor: row.learnt.sensor_name,
            run: row.learnt.run.to_string(),
        }
    }
}

/// What is different of a tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TagDifference)]
pub struct TagDifferenceView {
    /// The whole reference: `REGISTRY/REPOSITORY:TAG`.
    pub reference: String,
    /// In which repository.
    pub repository: String,
    /// Which tag.
    pub tag: String,
    /// `appeared`, `moved`, `vanished` or `left_out`, whatever happened in between.
    pub change: String,
    /// Where it pointed then; null if it was not there.
    pub from: Option<String>,
    /// Where it points now; null if it is gone or left out.
    pub to: Option<String>,
    /// When the last of what happened to it was noticed.
    pub noticed_at: Timestamp,
}

impl TagDifferenceView {
    pub(super) fn of(registry: &RegistryName, found: TagDifference) -> Self {
        let (change, from, to) = in_words(found.change);
        Self {
            reference: format!("{registry}/{}:{}", found.repository, found.tag),
            repository: found.repository.to_string(),
            tag: found.tag.to_string(),
            change: change.to_owned(),
            from,
            to,
            noticed_at: found.noticed_at,
        }
    }
}

fn in_words(change: LedgerChange) -> (&'static str, Option<String>, Option<String>) {
    let text = |digest: Digest| Some(digest.to_string());
    match change {
        LedgerChange::Appeared(to) => ("appeared", None, text(to)),
        LedgerChange::Moved { from, to } => ("moved", text(from), text(to)),
        LedgerChange::Vanished(from) => ("vanished", text(from), None),
        LedgerChange::LeftOut(from) => ("left_out", text(from), None),
    }
}
