//! The configuration file of CNCF Distribution 2.8.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Who may come in.
#[derive(Debug, Clone)]
pub(super) enum Auth {
    /// Everyone.
    None,
    /// Whoever has a token of this service.
    Tokens {
        realm: String,
        service: String,
        issuer: String,
        certificate: String,
    },
    /// Whoever is in this htpasswd file (bcrypt).
    Htpasswd(String),
}

/// Everything that the file says.
pub(super) struct Settings<'a> {
    pub(super) storage: &'a Path,
    pub(super) tls: Option<(PathBuf, PathBuf)>,
    pub(super) auth: &'a Auth,
    pub(super) folder: &'a Path,
    pub(super) access_log: bool,
    pub(super) listen: SocketAddr,
    /// A section of the file, as it stands there; empty for none.
    pub(super) notifications: &'a str,
}

impl Settings<'_> {
    /// Writes the file, and those that it names, and returns its path.
    pub(super) fn write(&self) -> std::io::Result<PathBuf> {
        let quoted = |path: &Path| format!("{:?}", path.to_string_lossy());
        let mut yaml = format!(
            "version: 0.1\n\
             log: {{level: info, formatter: json, accesslog: {{disabled: {}}}}}\n\
             storage:\n  filesystem: {{rootdirectory: {}, maxthreads: 100}}\n  delete: {{enabled: true}}\n  \
             maintenance: {{uploadpurging: {{enabled: false}}}}\n\
             compatibility: {{schema1: {{enabled: true}}}}\n\
             http:\n  addr: \"{}\"\n  secret: not-a-secret-of-anybody\n",
            !self.access_log,
            quoted(self.storage),
            self.listen,
        );
        if let Some((chain, key)) = &self.tls {
            let _ = writeln!(
                yaml,
                "  tls: {{certificate: {}, key: {}}}",
                quoted(chain),
                quoted(key)
            );
        }
        match self.auth {
            Auth::None => {}
            Auth::Tokens {
                realm,
                service,
                issuer,
                certificate,
            } => {
                let bundle = self.folder.join("tokens.pem");
                std::fs::write(&bundle, certificate)?;
                let _ = writeln!(
                    yaml,
                    "auth:\n  token: {{realm: {realm:?}, service: {service:?}, issuer: {issuer:?}, rootcertbundle: {}}}",
                    quoted(&bundle)
                );
            }
            Auth::Htpasswd(lines) => {
                let file = self.folder.join("htpasswd");
                std::fs::write(&file, lines)?;
                let _ = writeln!(
                    yaml,
                    "auth:\n  htpasswd: {{realm: registry, path: {}}}",
                    quoted(&file)
                );
            }
        }
        let _ = writeln!(yaml, "{}", self.notifications);
        let path = self.folder.join("config.yml");
        std::fs::write(&path, yaml)?;
        Ok(path)
    }
}
