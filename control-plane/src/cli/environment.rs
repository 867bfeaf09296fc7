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
    /// Whether a terminal may be shown colours and characters beyond ASCII: `NO_COLOR` is not set, `TERM` is not `dumb`, and the locale
    /// is one of UTF-8.
    pub marks: bool,
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
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        let locale = locale.unwrap_or_default().to_ascii_lowercase().replace('-', "");
        let dumb = set("TERM").is_some_and(|terminal| terminal == "dumb");
        Self {
            marks: set("NO_COLOR").is_none() && !dumb && locale.contains("utf8"),
            url: set("PORTOLAN_URL"),
            token: set("PORTOLAN_TOKEN").map(|text| Secret::new(text.trim().to_owned())),
            ca_file: set("PORTOLAN_CA_FILE").map(PathBuf::from),
            config_folder: folder.map(|folder| folder.join("portolan")),
        }
    }
}
