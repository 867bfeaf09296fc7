//! Finding a program and running it.

use std::path::{Path, PathBuf};

/// A program that comes from a Debian package.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program {
    pub(super) path: &'static str,
    pub(super) package: &'static str,
}

impl Program {
    pub(super) fn is_installed(self) -> bool {
        Path::new(self.path).is_file()
    }

    /// The path of the program, or what to do.
    pub(super) fn find(self) -> anyhow::Result<PathBuf> {
        let Self { path, package } = self;
        anyhow::ensure!(
            self.is_installed(),
            "{path} is missing: run `apt-get install {package}`, or `cargo verify` as root"
        );
        Ok(PathBuf::from(path))
    }
}
