//! The layout, judged. One file per subject; see the crate's README.
#![expect(
    clippy::unwrap_used,
    reason = "a repository that cannot be read is a failed test"
)]

mod crates;
mod dependencies;
mod fault_table;
mod folders;
mod modules;
mod product_pages;
mod readme;
mod threats;
mod unit;
mod words;

use portolan_structure::{Tree, Workspace};

/// The repository.
fn tree() -> Tree {
    Tree::read().unwrap()
}

/// Its manifests.
fn workspace() -> Workspace {
    Workspace::read(&tree()).unwrap()
}

/// Fails with all `complaints`, one a line, so that one run names everything.
#[track_caller]
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}
