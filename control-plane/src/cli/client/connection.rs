//! Which control plane, with which token, trusted how.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portolan_shared::model::{CaTrust, limits};
use portolan_shared::process::read_bounded;
use portolan_shared::secret::Secret;
use portolan_shared::tls::{RegistryTrust, SystemRoots, provider};
use url::Url;

use super::{Client, StoredLogin};
use crate::cli::Environment;
use crate::cli::failure::CliError;

/// Time to connect, and time for one request.
const CONNECT: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(60);

/// A control plane to be spoken to.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Connection {
    pub(in crate::cli) url: Url,
    pub(in crate::cli) token: Secret,
    pub(in crate::cli) ca_file: Option<PathBuf>,
}

impl Connection {
    /// From the environment, else from the login file. A stored token is used for its own control plane alone, never for another one that
    /// the environment names.
    pub(in crate::cli) fn find(environment: &Environment) -> Result<Self, CliError> {
        let stored = match &environment.config_folder {
            Some(folder) => StoredLogin::read(folder)?,
            None => None,
        };
        let text = environment
            .url
            .as_deref()
            .or(stored.as_ref().map(|stored| stored.url.as_str()))
            .ok_or(CliError::NotLoggedIn(
                "no control plane is known: run `portolan login URL`, or set PORTOLAN_URL and PORTOLAN_TOKEN",
            ))?;
        let url = base(text)?;
        let stored = stored.filter(|stored| base(&stored.url).is_ok_and(|known| known == url));
        let token = environment
            .token
            .clone()
            .or_else(|| stored.as_ref().map(|stored| stored.token.clone()))
            .ok_or(CliError::NotLoggedIn(
                "there is no token for this control plane: set PORTOLAN_TOKEN, or run `portolan login URL`",
            ))?;
        let ca_file = environment
            .ca_file
            .clone()
            .or_else(|| stored.and_then(|stored| stored.ca_file));
        Ok(Self { url, token, ca_file })
    }

    /// Ready to ask.
    pub(in crate::cli) fn client(&self) -> Result<Client, CliError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("portolan/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&self.url) {
            builder = builder.no_proxy();
        }
        builder = builder.tls_backend_preconfigured(self.tls()?);
        let http = builder.build().map_err(|source| CliError::Unreachable {
            url: self.url.to_string(),
            source,
        })?;
        Ok(Client::new(http, self.url.clone(), self.token.clone()))
    }

    fn tls(&self) -> Result<rustls::ClientConfig, CliError> {
        if self.url.scheme() == "https" {
            let ca = CaTrust {
                bundle_pem: self.ca_file.as_deref().map(read_pem).transpose()?,
                only_bundle: false,
            };
            let host = self.url.host_str().unwrap_or_default();
            let port = self.url.port_or_known_default().unwrap_or(443);
            return RegistryTrust::new(SystemRoots::load(), &ca, None)
                .and_then(|trust| trust.client_config(host, port, port == 443))
                .map_err(CliError::Trust);
        }
        // Plain HTTP uses none of it, but the HTTP client wants to be given one.
        let config = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| CliError::Trust(error.into()))?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Ok(config)
    }
}

/// A file of PEM certificates, at most as large as a registry's bundle may be.
pub(in crate::cli) fn read_pem(path: &Path) -> Result<String, CliError> {
    let bytes = read_bounded(path, limits::CA_BUNDLE_BYTES as u64)?
        .ok_or_else(|| CliError::Usage(format!("there is no file {}", path.display())))?;
    String::from_utf8(bytes).map_err(|_| CliError::Usage(format!("{} is not PEM", path.display())))
}

/// Checks the address of a control plane.
pub(in crate::cli) fn base(text: &str) -> Result<Url, CliError> {
    let expected = || CliError::Usage("expected the control plane's address: https://HOST[:PORT]".to_owned());
    let mut url = Url::parse(text.trim()).map_err(|_| expected())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() || !plain {
        return Err(expected());
    }
    if url.path() != "/" {
        return Err(CliError::Usage(format!(
            "the control plane's address must have no path, but this one has {}: expected https://HOST[:PORT]",
            url.path()
        )));
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(CliError::Usage(format!(
            "{url} would send the token in clear: use https, or http on a loopback address alone"
        )));
    }
    url.set_fragment(None);
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || address
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_sent_in_clear_over_a_network() {
        for good in [
            "https://p.example.com",
            "https://h:7480/",
            "http://127.0.0.1:7480",
            "http://[::1]:1",
            "http://localhost:1",
        ] {
            assert!(base(good).is_ok(), "{good}");
        }
        for bad in [
            "http://p.example.com",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1",
            "ftp://h",
            "h:1",
            "https://u:p@h",
            "https://h/portolan",
            "https://h/api/v1",
            "",
        ] {
            assert!(matches!(base(bad), Err(CliError::Usage(_))), "{bad}");
        }
        let path = base("https://h/portolan").unwrap_err().to_string();
        assert!(
            path.contains("must have no path") && path.contains("/portolan"),
            "{path}"
        );
    }

    #[test]
    fn a_stored_token_stays_with_its_control_plane() {
        let folder = tempfile::tempdir().unwrap();
        let stored = StoredLogin {
            url: "https://p.example.com/".to_owned(),
            token: Secret::new("ptl_api_stored".to_owned()),
            ca_file: Some("/etc/ca.pem".into()),
        };
        stored.write(folder.path()).unwrap();
        let environment = |url: Option<&str>| Environment {
            url: url.map(str::to_owned),
            config_folder: Some(folder.path().to_owned()),
            ..Environment::default()
        };
        for same in [None, Some("https://p.example.com")] {
            let found = Connection::find(&environment(same)).unwrap();
            assert_eq!(found.token.expose(), "ptl_api_stored");
            assert_eq!(found.ca_file.as_deref(), Some(Path::new("/etc/ca.pem")));
        }
        let other = Connection::find(&environment(Some("https://evil.example.com")));
        assert!(matches!(other, Err(CliError::NotLoggedIn(_))));
        let nothing = Connection::find(&Environment::default());
        assert!(matches!(nothing, Err(CliError::NotLoggedIn(_))));
    }
}
