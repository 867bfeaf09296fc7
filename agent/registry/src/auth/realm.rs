//! Which token services the login may be sent to.

use std::net::IpAddr;

use url::{Host, Url};

use crate::error::Fault;
use crate::http::{Guard, Origin, Purpose, URL_BYTES};

/// Second-level labels under which anybody can register in country domains.
const PUBLIC_SECOND_LEVEL: [&str; 12] = [
    "ac", "co", "com", "edu", "go", "gob", "gov", "gouv", "ne", "net", "or", "org",
];

/// Domains that hand out subdomains to anybody, so that sharing them means nothing.
const SHARED_DOMAINS: [&str; 38] = [
    "amazonaws.com.cn",
    "azure.com",
    "azurecr.cn",
    "azurecr.us",
    "azurefd.net",
    "eu.org",
    "jfrog.io",
    "ngrok-free.app",
    "ngrok.app",
    "nip.io",
    "onrender.com",
    "pages.dev",
    "pkg.dev",
    "railway.app",
    "sslip.io",
    "trafficmanager.net",
    "ts.net",
    "web.app",
    "amazonaws.com",
    "appspot.com",
    "azurecr.io",
    "azurecontainer.io",
    "azurewebsites.net",
    "cloudapp.net",
    "cloudfront.net",
    "digitaloceanspaces.com",
    "duckdns.org",
    "fly.dev",
    "github.io",
    "gitlab.io",
    "herokuapp.com",
    "netlify.app",
    "ngrok.io",
    "on.aws",
    "run.app",
    "vercel.app",
    "windows.net",
    "workers.dev",
];

/// Hosts that belong to registries of another domain: Docker Hub's web API.
const TWINS: [(&str, &str); 1] = [("docker.io", "hub.docker.com")];

/// The token service that a challenge names, made absolute; refused if nobody may be sent there at all.
pub(crate) fn absolute(realm: &str, answered_by: &Url) -> Result<Url, Fault> {
    let refused = |host: Option<&str>, why| {
        Err(Fault::Realm {
            host: host.unwrap_or("(no host)").to_owned(),
            why,
        })
    };
    if realm.len() > URL_BYTES {
        return refused(None, "its address is too long");
    }
    let Ok(url) = answered_by.join(realm.trim()) else {
        return refused(None, "its address is no URL");
    };
    match url.scheme() {
        "https" => {}
        "http" if answered_by.scheme() == "http" => {}
        "http" => return refused(url.host_str(), "it is reached without TLS, the registry with TLS"),
        _ => return refused(url.host_str(), "it is not reached by HTTP"),
    }
    if url.host_str().is_none() {
        return refused(None, "its address names no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused(url.host_str(), "its address carries a user name");
    }
    Ok(url)
}

/// Whether the login may be sent to `realm`: a host that belongs to the registry's, or one that the gate names.
pub(crate) fn may_have_login(registry: &Origin, realm: &Url, guard: &Guard) -> Result<(), Fault> {
    let Some(origin) = Origin::of(realm) else {
        return Err(Fault::Realm {
            host: "(no host)".to_owned(),
            why: "its address names no host",
        });
    };
    if related(&registry.host, realm) || guard.allows_realm(&origin.hop(Purpose::Realm)) {
        return Ok(());
    }
    Err(Fault::Realm {
        host: origin.host,
        why: "it is on a host that has nothing to do with the registry's, and the login must not be sent there",
    })
}

/// Whether both are the same host, or names within the same registrable domain. Addresses are related to themselves only.
fn related(registry: &str, realm: &Url) -> bool {
    let Some(host) = realm.host_str().map(|host| host.trim_end_matches('.')) else {
        return false;
    };
    if host == registry {
        return true;
    }
    let is_name = !matches!(realm.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)))
        && registry.parse::<IpAddr>().is_err()
        && !registry.starts_with('[');
    let (Some(ours), Some(theirs)) = (registrable(registry), registrable(host)) else {
        return false;
    };
    is_name && (ours == theirs || TWINS.contains(&(ours, host)))
}

/// The domain that somebody registered, as far as can be told without the public suffix list: the last two labels, or three below
/// second-level labels that are open to anybody. `None` for single labels and for domains that are handed out to strangers.
fn registrable(host: &str) -> Option<&str> {
    if SHARED_DOMAINS.iter().any(|shared| {
        host == *shared
            || host
                .strip_suffix(shared)
                .is_some_and(|front| front.ends_with('.'))
    }) {
        return None;
    }
    let mut labels = host.rsplit('.');
    let (top, second) = (labels.next()?, labels.next()?);
    let length = if top.len() == 2 && PUBLIC_SECOND_LEVEL.contains(&second) {
        top.len() + second.len() + labels.next()?.len() + 2
    } else {
        top.len() + second.len() + 1
    };
    Some(&host[host.len() - length..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_stays_with_hosts_that_belong_together() {
        let belong = |registry: &str, realm: &str| related(registry, &Url::parse(realm).unwrap());
        for (registry, realm) in [
            ("registry.example.com", "https://registry.example.com:8443/token"),
            ("registry.example.com", "https://gitlab.example.com/jwt/auth"),
            ("registry-1.docker.io", "https://auth.docker.io/token"),
            ("registry-1.docker.io", "https://hub.docker.com/v2/auth/token"),
            ("a.acme.co.uk", "https://b.acme.co.uk/"),
            ("foo.azurecr.io", "https://foo.azurecr.io/oauth2/token"),
            ("10.0.0.1", "https://10.0.0.1:8443/"),
            ("[::1]", "https://[::1]:8443/"),
            ("localhost", "http://localhost:1/"),
        ] {
            assert!(belong(registry, realm), "{registry} {realm}");
        }
        for (registry, realm) in [
            ("registry.example.com", "https://evil.com/"),
            ("registry.example.com", "https://example.com.evil.com/"),
            ("registry.example.com", "https://notexample.com/"),
            ("a.acme.co.uk", "https://b.evil.co.uk/"),
            ("foo.azurecr.io", "https://bar.azurecr.io/"),
            ("me.github.io", "https://you.github.io/"),
            ("10.0.0.1", "https://10.0.0.2/"),
            ("10.0.0.1", "https://0.0.1/"),
            ("registry", "https://gitlab/"),
            ("registry.docker.com", "https://auth.docker.io/"),
            ("docker.io.example.com", "https://hub.docker.com/"),
            ("co.uk", "https://a.co.uk/"),
        ] {
            assert!(!belong(registry, realm), "{registry} {realm}");
        }
    }

    #[test]
    fn realms_that_nobody_may_be_sent_to() {
        let from = Url::parse("https://r.example.com/v2/").unwrap();
        assert_eq!(
            absolute("/auth?x=1", &from).unwrap().as_str(),
            "https://r.example.com/auth?x=1"
        );
        for bad in [
            "http://r.example.com/auth",
            "ftp://r/",
            "https://u:p@r.example.com/",
            "https://[",
            "data:x",
        ] {
            assert!(matches!(absolute(bad, &from), Err(Fault::Realm { .. })), "{bad}");
        }
        assert!(absolute(&format!("/{}", "a".repeat(URL_BYTES)), &from).is_err());
        let plain = Url::parse("http://127.0.0.1:5000/v2/").unwrap();
        assert!(absolute("http://127.0.0.1:5001/token", &plain).is_ok());
    }
}
