//! Where the binaries under test are.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};

/// Path of a binary of this workspace, built with the same profile as the running test.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe().context("where this test runs from")?;
    let profile = test
        .ancestors()
        .find(|folder| folder.file_name().is_some_and(|name| name == "deps"))
        .and_then(|deps| deps.parent())
        .or(test.parent())
        .context("the folder of this build")?;
    let path = profile.join(name);
    ensure!(
        path.is_file(),
        "{} is not built: run `cargo build --workspace --bins` first",
        path.display()
    );
    Ok(path)
}
