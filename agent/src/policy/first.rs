//! The first policy, from what the administrator allowed on the command line.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use portolan_shared::process::{FileError, create_private_dir, write_atomically};

use super::credentials::{CredentialPattern, DEFAULT_CREDENTIALS};
use super::host::{HostPattern, HostPort};
use super::path::PathPattern;

/// `HOST[:PORT][/PATH]` of a registry, https unless `http://` stands in front. Without a path, the usual ones are meant
/// ([`DEFAULT_PATHS`](super::DEFAULT_PATHS)); with one, it alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    host: HostPattern,
    port: u16,
    path: Option<PathPattern>,
    plaintext: bool,
}

/// A first policy could not be written.
#[derive(Debug, thiserror::Error)]
pub enum AllowanceError {
    /// There is one already.
    #[error("{} exists and was left as it is: add to it by hand what --allow, --realm, --storage and --credential should have allowed", path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("the policy cannot be written")]
    File(#[source] FileError),
}

impl FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (plaintext, rest) = match text.split_once("://") {
            Some(("https", rest)) => (false, rest),
            Some(("http", rest)) => (true, rest),
            Some(_) => return Err(format!("{text:?} is not HOST[:PORT][/PATH]")),
            None => (false, text),
        };
        let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let HostPort { host, port } = place.parse()?;
        let path = match path.trim_end_matches('/') {
            "" => None,
            path => Some(path.parse()?),
        };
        Ok(Self {
            host,
            port: port.unwrap_or(if plaintext { 80 } else { 443 }),
            path,
            plaintext,
        })
    }
}

/// What the administrator allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed {
    /// These registries.
    pub registries: Vec<Allowance>,
    /// For each of them: token services on other hosts that get its credential.
    pub realms: Vec<HostPort>,
    /// For each of them: other hosts that its downloads may come from.
    pub storage: Vec<HostPort>,
    /// For each of them: credentials that the control plane may name, beside [`DEFAULT_CREDENTIALS`].
    pub credentials: Vec<CredentialPattern>,
}

/// A policy that allows these registries and what they resolve to, private addresses included: naming a host on the command line of
/// the machine itself is its administrator's word.
#[must_use]
pub fn first_policy(allowed: &Allowed) -> String {
    let mut text = String::from(
        "# What this Portolan agent may do, whoever asks. It is read at start and on SIGHUP; check it with\n\
         # `portolan-agent policy check`. What is not allowed here is refused.\nversion = 1\n",
    );
    for Allowance {
        host,
        port,
        path,
        plaintext,
    } in &allowed.registries
    {
        // Writing into a String cannot fail.
        let _ = write!(text, "\n[[allow]]\nhost = \"{host}\"\nports = [{port}]\n");
        if let Some(path) = path {
            let _ = writeln!(text, "paths = [\"{path}\"]");
        }
        text.push_str("addresses = [\"public\", \"private\"]\n");
        for (key, hosts) in [("realms", &allowed.realms), ("storage", &allowed.storage)] {
            if !hosts.is_empty() {
                let hosts: Vec<String> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
                let _ = writeln!(text, "{key} = [{}]", hosts.join(", "));
            }
        }
        if !allowed.credentials.is_empty() {
            let given = allowed.credentials.iter().map(ToString::to_string);
            // References hold no control characters.
            let quoted = |text: String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            let all: Vec<String> = given
                .chain(DEFAULT_CREDENTIALS.map(str::to_owned))
                .map(quoted)
                .collect();
            let _ = writeln!(text, "credentials = [{}]", all.join(", "));
        }
        if *plaintext {
            text.push_str("plaintext = true\n");
        }
    }
    text
}

/// Writes the first policy, unless there is one with other content.
///
/// # Errors
/// [`AllowanceError::Exists`]: the file was left as it is.
pub fn write_first_policy(path: &Path, allowed: &Allowed) -> Result<(), AllowanceError> {
    let text = first_policy(allowed);
    match std::fs::read(path) {
        Ok(there) if there == text.as_bytes() => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Ok(_) | Err(_) => {
            return Err(AllowanceError::Exists {
                path: path.to_owned(),
            });
        }
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_private_dir(folder).map_err(AllowanceError::File)?;
    }
    write_atomically(path, text.as_bytes()).map_err(AllowanceError::File)
}

#[cfg(test)]
#[path = "first_tests.rs"]
mod tests;
