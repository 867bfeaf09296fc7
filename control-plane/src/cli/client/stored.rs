//! The file that `portolan login` writes.

use std::path::{Path, PathBuf};

use portolan_shared::process::{create_private_dir, read_bounded, write_atomically};
use portolan_shared::secret::Secret;
use serde::{Deserialize, Serialize};

use crate::cli::failure::CliError;

/// Largest login file that is read, in bytes; a larger one is an error.
const BYTES: u64 = 64 * 1024;
const NAME: &str = "login.toml";

/// A control plane that was logged in to.
#[derive(Debug, Clone)]
pub(in crate::cli) struct StoredLogin {
    pub(in crate::cli) url: String,
    pub(in crate::cli) token: Secret,
    pub(in crate::cli) ca_file: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    url: String,
    token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<PathBuf>,
}

impl StoredLogin {
    /// Reads it; `None` if nobody logged in.
    pub(in crate::cli) fn read(folder: &Path) -> Result<Option<Self>, CliError> {
        let path = folder.join(NAME);
        let Some(bytes) = read_bounded(&path, BYTES)? else {
            return Ok(None);
        };
        // The parser's own message would show the line, and with it the token.
        let broken = || {
            CliError::Usage(format!(
                "{} is damaged: run `portolan login` again",
                path.display()
            ))
        };
        let wire: Wire = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| toml::from_str(text).ok())
            .ok_or_else(broken)?;
        Ok(Some(Self {
            url: wire.url,
            token: Secret::new(wire.token),
            ca_file: wire.ca_file,
        }))
    }

    /// Writes it, readable by its owner alone. Gives its path.
    pub(in crate::cli) fn write(&self, folder: &Path) -> Result<PathBuf, CliError> {
        let path = folder.join(NAME);
        let wire = Wire {
            url: self.url.clone(),
            token: self.token.expose().to_owned(),
            ca_file: self.ca_file.clone(),
        };
        let text = toml::to_string(&wire)
            .map_err(|_| CliError::Usage("the path of the CA file is not UTF-8".to_owned()))?;
        create_private_dir(folder)?;
        write_atomically(&path, text.as_bytes())?;
        Ok(path)
    }
}
