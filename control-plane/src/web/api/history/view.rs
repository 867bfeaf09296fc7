//! What a line of the ledger looks like.

use jiff::Timestamp;
use portolan_store::{LedgerChange, LedgerRow};
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
    /// The last time before that the repository was seen: it happened in between. Null if it had never been seen.
    pub not_before: Option<Timestamp>,
    /// By which run it was learnt.
    #[schema(format = "uuid")]
    pub run: String,
}

impl LedgerLine {
    pub(super) fn of(place: &RepositoryFound, row: LedgerRow) -> Self {
        let (change, from, to) = match row.change {
            LedgerChange::Appeared(to) => ("appeared", None, Some(to)),
            LedgerChange::Moved { from, to } => ("moved", Some(from), Some(to)),
            LedgerChange::Vanished(from) => ("vanished", Some(from), None),
            LedgerChange::LeftOut(from) => ("left_out", Some(from), None),
        };
        Self {
            reference: format!(
                "{}/{}:{}",
                place.registry.registry.name, place.repository.name, row.tag
            ),
            tag: row.tag.to_string(),
            change: change.to_owned(),
            from: from.map(|digest| digest.to_string()),
            to: to.map(|digest| digest.to_string()),
            noticed_at: row.noticed_at,
            not_before: row.not_before,
            run: row.run.to_string(),
        }
    }
}
