//! The settings file, in TOML.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use portolan_shared::process::read_bounded;
use serde::Deserialize;

use super::notify::Notify;

/// The settings file, in bytes: refused above.
const FILE_BYTES: u64 = 64 * 1024;

/// The settings file as it is written; checked where each setting is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) data_dir: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) jobs: Jobs,
    pub(super) control_plane: ControlPlane,
    pub(super) registries: Registries,
    pub(super) health: Health,
    pub(super) notify: Option<Notify>,
    pub(super) log: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Jobs {
    pub(super) slots: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ControlPlane {
    pub(super) proxy: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Registries {
    pub(super) proxy: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Health {
    pub(super) listen: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) filter: Option<String>,
    pub(super) format: Option<String>,
}

impl File {
    /// Reads the file, which must exist: it was asked for by name. With the SHA-256 of what was read.
    pub(super) fn load(path: &Path) -> Result<(Self, Vec<u8>), String> {
        let bytes = read_bounded(path, FILE_BYTES)
            .map_err(|error| error.to_string())?
            .ok_or_else(|| "there is no such file".to_owned())?;
        let hash = digest(&SHA256, &bytes).as_ref().to_vec();
        let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
        // The message alone: the form with an excerpt would repeat a proxy's password.
        let file = toml::from_str(&text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let line = 1 + text
                .as_bytes()
                .iter()
                .take(offset)
                .filter(|byte| **byte == b'\n')
                .count();
            format!("line {line}: {}", error.message())
        })?;
        Ok((file, hash))
    }
}
