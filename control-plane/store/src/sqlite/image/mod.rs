//! Questions about the inventory: `repositories`, `tags`, `manifests`, `history`, `placements`; `traits` hands the trait's methods to them.

mod history;
mod manifests;
mod placements;
mod repositories;
mod tags;
mod traits;
