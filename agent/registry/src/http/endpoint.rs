//! One connection pool a host, with that host's TLS configuration and its own checked resolver.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portolan_shared::model::CertificateFacts;
use portolan_shared::process::{ProxyRules, ProxyUrl};
use portolan_shared::secret::Secret;
use portolan_shared::tls::RegistryTrust;
use reqwest::redirect::Policy;
use url::{Host, Url};

use super::failure::Way;
use super::guard::{Guard, Hop, Purpose, Refused};
use super::limits::{HEADER_BYTES, Limits, OTHER_HOSTS};
use super::resolve::{GuardedResolver, Resolver, Towards};
use crate::error::Fault;

/// How we introduce ourselves.
const USER_AGENT: &str = concat!("portolan-registry/", env!("CARGO_PKG_VERSION"));

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    /// `None` for a URL without host or of another scheme.
    pub(crate) fn of(url: &Url) -> Option<Self> {
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self {
            https,
            host: url.host_str()?.trim_end_matches('.').to_owned(),
            port: url.port_or_known_default()?,
        })
    }

    pub(crate) fn is_of(&self, url: &Url) -> bool {
        let scheme = if self.https { "https" } else { "http" };
        url.scheme() == scheme
            && url.port_or_known_default() == Some(self.port)
            && url.host_str().map(|host| host.trim_end_matches('.')) == Some(self.host.as_str())
    }

    /// `HOST:PORT`.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(crate) fn hop(&self, purpose: Purpose) -> Hop<'_> {
        Hop {
            https: self.https,
            host: &self.host,
            port: self.port,
            purpose,
        }
    }
}

pub(crate) struct Endpoint {
    pub(crate) origin: Origin,
    pub(super) purpose: Purpose,
    literal: Option<IpAddr>,
    /// `HOST:PORT` of the proxy on the way.
    proxy: Option<String>,
    pub(crate) client: reqwest::Client,
}

impl Endpoint {
    pub(super) fn way(&self) -> Way<'_> {
        Way {
            https: self.origin.https,
            proxy: self.proxy.as_deref(),
        }
    }
}

/// What endpoints are made of.
pub(crate) struct Builder {
    pub(crate) trust: RegistryTrust,
    pub(crate) guard: Guard,
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) limits: Limits,
    /// Idle connections that are kept for the registry.
    pub(crate) keep: usize,
    pub(crate) proxies: ProxyRules,
}

/// The registry's endpoint, and those of the hosts that it sent us to.
pub(crate) struct Endpoints {
    builder: Builder,
    registry: Arc<Endpoint>,
    others: Mutex<Vec<Arc<Endpoint>>>,
}

impl Endpoints {
    pub(crate) fn new(builder: Builder, registry: Origin) -> Result<Self, Fault> {
        let registry = Arc::new(builder.build(registry, Purpose::Registry, None)?);
        Ok(Self {
            builder,
            registry,
            others: Mutex::default(),
        })
    }

    pub(crate) fn registry(&self) -> &Origin {
        &self.registry.origin
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.builder.guard
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.builder.limits
    }

    pub(crate) fn certificates(&self) -> Vec<CertificateFacts> {
        self.builder.trust.served().facts()
    }

    /// The endpoint for `url`, once the guard has agreed.
    pub(crate) fn admit(&self, url: &Url, purpose: Purpose) -> Result<Arc<Endpoint>, Fault> {
        let endpoint = if purpose == Purpose::Registry && self.registry.origin.is_of(url) {
            Arc::clone(&self.registry)
        } else {
            self.other(url, purpose)?
        };
        self.check(&endpoint.origin, purpose, endpoint.literal)?;
        Ok(endpoint)
    }

    fn check(&self, origin: &Origin, purpose: Purpose, literal: Option<IpAddr>) -> Result<(), Fault> {
        let checked = self.builder.guard.check_host(&origin.hop(purpose), literal);
        checked.map_err(|refused| match refused {
            Refused::Host(refusal) => Fault::Policy {
                host: origin.host.clone(),
                port: origin.port,
                purpose,
                rule: refusal.rule,
            },
            Refused::Address(address, refusal) => Fault::Address {
                address,
                rule: refusal.rule,
            },
        })
    }

    fn other(&self, url: &Url, purpose: Purpose) -> Result<Arc<Endpoint>, Fault> {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let known = others
            .iter()
            .position(|endpoint| endpoint.purpose == purpose && endpoint.origin.is_of(url));
        let endpoint = if let Some(index) = known {
            others.remove(index)
        } else {
            let origin = Origin::of(url).ok_or(Fault::Redirect {
                to: None,
                why: "to something that is no URL of a host",
            })?;
            let literal = literal_of(url);
            // Before anything is built for it, so that refused hosts cost nothing.
            self.check(&origin, purpose, literal)?;
            Arc::new(self.builder.build(origin, purpose, literal)?)
        };
        others.truncate(OTHER_HOSTS - 1);
        others.insert(0, Arc::clone(&endpoint));
        Ok(endpoint)
    }
}

fn literal_of(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    }
}

impl Builder {
    fn build(&self, origin: Origin, purpose: Purpose, literal: Option<IpAddr>) -> Result<Endpoint, Fault> {
        let proxy = self.proxies.proxy_for(origin.https, &origin.host, origin.port);
        let resolver = GuardedResolver {
            resolver: Arc::clone(&self.resolver),
            guard: self.guard.clone(),
            to: match proxy {
                Some(proxy) => Towards::Proxy { port: proxy.port },
                None => Towards::Host {
                    https: origin.https,
                    port: origin.port,
                    purpose,
                },
            },
        };
        let keep = if purpose == Purpose::Registry {
            self.keep
        } else {
            4
        };
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            // The library asks again by itself what a server says that it has not looked at (HTTP/2: refused, or behind its last word); to the
            // server that is one request, and so it is to us.
            // Neither proxies nor their exceptions come from anywhere but our own rules.
            .no_proxy()
            .referer(false)
            .dns_resolver(resolver)
            .connect_timeout(self.limits.connect)
            .pool_max_idle_per_host(keep)
            .pool_idle_timeout(Duration::from_secs(60))
            .http2_max_header_list_size(HEADER_BYTES);
        if let Some(proxy) = proxy {
            builder = builder.proxy(through(proxy)?);
        }
        // reqwest wants to know how to speak TLS even to a host that is spoken to in clear; no system store is read for that.
        let tls = if origin.https {
            self.trust
                .client_config(&origin.host, origin.port, origin.port == 443)?
        } else {
            no_tls()?
        };
        builder = builder.tls_backend_preconfigured(tls).https_only(origin.https);
        let client = builder.build().map_err(|_| Fault::Internal {
            problem: "the HTTP client could not be built",
        })?;
        let literal = literal.or_else(|| origin.hop(purpose).literal());
        Ok(Endpoint {
            origin,
            purpose,
            literal,
            proxy: proxy.map(ToString::to_string),
            client,
        })
    }
}

/// The proxy as the library wants it. An address is checked here, for no name is resolved then.
fn through(proxy: &ProxyUrl) -> Result<reqwest::Proxy, Fault> {
    if let Ok(address) = proxy.host.parse::<IpAddr>() {
        Guard::check_proxy(address).map_err(|refusal| Fault::Address {
            address,
            rule: refusal.rule,
        })?;
    }
    let all = reqwest::Proxy::all(format!("http://{proxy}")).map_err(|_| Fault::Internal {
        problem: "the proxy's URL could not be built",
    })?;
    Ok(match proxy.login.as_ref().map(Secret::expose) {
        Some(login) => {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            all.basic_auth(user, password)
        }
        None => all,
    })
}

/// A configuration that trusts nobody.
fn no_tls() -> Result<rustls::ClientConfig, Fault> {
    let config = rustls::ClientConfig::builder_with_provider(portolan_shared::tls::provider())
        .with_safe_default_protocol_versions()
        .map_err(portolan_shared::tls::TrustError::from)?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(config)
}
