//! The settings file.

use std::path::{Path, PathBuf};

use portolan_shared::process::read_bounded;
use serde::Deserialize;

/// Largest settings file, in bytes: refused above.
const MAX_BYTES: u64 = 64 * 1024;

/// The file as it is written. A key that is not known is a fault, so that a mistyped one is not silently without effect.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) sensors: Sensors,
    pub(super) http: Http,
    pub(super) metrics: Metrics,
    pub(super) log: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Sensors {
    pub(super) listen: Option<String>,
    pub(super) url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Http {
    pub(super) listen: Option<String>,
    pub(super) tls_certificate: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Metrics {
    pub(super) listen: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) format: Option<String>,
    pub(super) filter: Option<String>,
}

/// Reads the file, or says what is wrong with it.
pub(super) fn read(path: &Path) -> Result<File, String> {
    let bytes = read_bounded(path, MAX_BYTES)
        .map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })?
        .ok_or_else(|| format!("--config: {} does not exist", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {}", path.display(), error.to_string().trim_end()))
}
