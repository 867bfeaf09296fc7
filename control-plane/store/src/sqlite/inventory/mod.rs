//! The way up. `offer` answers what is wanted, `content` keeps manifests and image facts, `commit` replaces tag sets, `difference` says what that
//! changes, `coverage` notes what could not be committed; `traits` hands the trait's methods to them.

mod commit;
mod content;
mod coverage;
mod difference;
mod offer;
mod traits;
