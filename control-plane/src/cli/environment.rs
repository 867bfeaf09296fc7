//! What the command line takes from its environment: read once, here.

use std::path::PathBuf;

use portolan_shared::secret::Secret;

/// Where the control plane is and how to prove oneself, as far as the environment says.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `PORTOLAN_URL`.
    pub url: Option<String>,
    /// `PORTOLAN_TOKEN`.
    pub token: Option<Secret>,
    /// `PORTOLAN_CA_FILE`.
    pub ca_file: Option<PathBuf>,
    /// The folder of `portolan login`'s file: `$XDG_CONFIG_HOME/portolan` or `$HOME/.config/portolan`.
    pub config_folder: Option<PathBuf>,
}

impl Environment {
    /// Reads the process's environment. Empty variables count as unset.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the command line reads the environment"
    )]
    pub fn read() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let folder = set("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(set("HOME")?).join(".config")));
        Self {
            url: set("PORTOLAN_URL"),
            token: set("PORTOLAN_TOKEN").map(|text| Secret::new(text.trim().to_owned())),
            ca_file: set("PORTOLAN_CA_FILE").map(PathBuf::from),
            config_folder: folder.map(|folder| folder.join("portolan")),
        }
    }
}
