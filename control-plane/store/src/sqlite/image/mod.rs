//! Questions about the inventory: `repositories`, `tags`, `tag_sets`, `manifests`, `history`, `placements`; `traits` hands the trait's methods to them.

mod history;
mod manifests;
mod placements;
mod repositories;
mod tag_sets;
mod tags;
mod traits;
