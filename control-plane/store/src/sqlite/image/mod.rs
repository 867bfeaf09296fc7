//! Questions about the inventory: `repositories`, `tags`, `tag_sets`, `manifests`, `history`, `past`, `differences`, `placements`; `traits` hands the trait's methods to them.

mod differences;
mod history;
mod manifests;
mod past;
mod placements;
mod repositories;
mod tag_sets;
mod tags;
mod traits;

#[cfg(test)]
pub(super) use differences::{DIFFERENCES, REPOSITORIES_CHANGED};
pub(super) use history::{changed_before, learnt, ledger_change, not_before};
#[cfg(test)]
pub(super) use past::AT;
