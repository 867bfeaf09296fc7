//! Bringing a message to its endpoint.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use portolan_shared::model::{WebhookUrl, limits};
use portolan_shared::tls::{RegistryTrust, TrustError, provider};
use reqwest::Response;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use url::Host;

use super::address::{AddressBlock, Permission, permission};
use super::failure::{self, failure};
use super::names::Names;
use crate::app::{Courier, Failure, FailureWord, Letter, Reply};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long what follows the head of an answer is read, out of politeness: nothing of it counts.
const LEFTOVERS: Duration = Duration::from_secs(1);
/// Addresses of one name that are tried; further ones are not.
const ADDRESSES: usize = 16;
/// Longest `Retry-After` that is read, in bytes: more than the longest date.
const RETRY_AFTER_BYTES: usize = 64;

/// What is said of a name that leads nowhere where this server may go.
const NO_ADDRESS: &str = "the endpoint's name leads to no address that may be contacted: it cannot be resolved from the server, or leads to addresses \
     that are not of the Internet, and that the server's --webhook-allow does not name";

/// What a courier works with.
#[derive(Debug)]
pub struct HttpCourierParts {
    /// Addresses that may be contacted although they are not of the Internet, also without TLS.
    pub exceptions: Vec<AddressBlock>,
    /// Whose certificates are accepted.
    pub trust: RegistryTrust,
    /// What names resolve to.
    pub names: Arc<dyn Names>,
    /// How long an attempt may take, from resolving the name to the head of the answer.
    pub patience: Duration,
}

impl HttpCourierParts {
    /// How long an attempt may take if nobody says otherwise.
    pub const PATIENCE: Duration = Duration::from_secs(20);
}

/// Brings messages over HTTP.
#[derive(Debug)]
pub struct HttpCourier {
    parts: HttpCourierParts,
}

impl HttpCourier {
    /// From what it works with.
    #[must_use]
    pub fn new(parts: HttpCourierParts) -> Self {
        Self { parts }
    }

    async fn carry(&self, letter: Letter) -> Result<Response, Failure> {
        self.judge(&letter.url)
            .map_err(|why| failure(FailureWord::Forbidden, &why))?;
        let addresses = self.resolve(&letter.url).await?;
        let client = self.client(&letter.url, addresses)?;
        let request = client
            .post(letter.url.expose().clone())
            .header(CONTENT_TYPE, "application/cloudevents-batch+json")
            .header("webhook-id", letter.id)
            .header("webhook-timestamp", letter.timestamp)
            .header("webhook-signature", letter.signature)
            .body(letter.body);
        request.send().await.map_err(|error| failure::of(&error))
    }

    /// The addresses of the endpoint, all of which may be contacted. Whether a name does not exist or leads inside is not said: else whoever may add
    /// webhooks could ask here for the names of the networks around the server.
    async fn resolve(&self, url: &WebhookUrl) -> Result<Vec<SocketAddr>, Failure> {
        if let Some(literal) = literal(url) {
            return Ok(vec![SocketAddr::new(literal, url.port())]);
        }
        let found = self.parts.names.addresses(url.host(), url.port()).await;
        let host = url.host();
        let mut addresses = found.unwrap_or_else(|error| {
            tracing::debug!(
                host,
                error = &error as &dyn std::error::Error,
                "the name of a webhook's endpoint cannot be resolved"
            );
            Vec::new()
        });
        addresses.truncate(ADDRESSES);
        let inside = addresses
            .iter()
            .find(|address| permission(address.ip(), &self.parts.exceptions) == Permission::Refused);
        if let Some(address) = inside {
            tracing::debug!(host, address = %address.ip(), "the name of a webhook's endpoint leads to an address that may not be contacted");
        }
        if addresses.is_empty() || inside.is_some() {
            return Err(failure(FailureWord::Dns, NO_ADDRESS));
        }
        for address in &addresses {
            self.permit(url, address.ip())
                .map_err(|why| failure(FailureWord::Forbidden, &why))?;
        }
        Ok(addresses)
    }

    fn permit(&self, url: &WebhookUrl, address: IpAddr) -> Result<(), String> {
        match permission(address, &self.parts.exceptions) {
            Permission::Exception => Ok(()),
            Permission::Public if url.is_https() => Ok(()),
            Permission::Public => Err(
                "http is possible only to addresses that the server's --webhook-allow names: use https"
                    .to_owned(),
            ),
            Permission::Refused => Err(format!(
                "{} leads to an address that is not of the Internet, and that the server's --webhook-allow does not name",
                url.host()
            )),
        }
    }

    /// A client for this one request, which knows no other addresses.
    fn client(&self, url: &WebhookUrl, addresses: Vec<SocketAddr>) -> Result<reqwest::Client, Failure> {
        let trust = |error: &TrustError| failure(FailureWord::Tls, &error.to_string());
        let tls = if url.is_https() {
            let port = url.port();
            // What endpoints show as their certificates is not kept.
            let trust = self.parts.trust.clone().remembering_anew();
            trust.client_config(url.host(), port, port == 443)
        } else {
            // Plain HTTP uses none of it, but the HTTP client wants to be given one.
            no_tls()
        };
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls.map_err(|error| trust(&error))?)
            .dns_resolver(Arc::new(Resolved(addresses)))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .no_gzip()
            .referer(false)
            .https_only(url.is_https())
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT)
            .user_agent(concat!("portolan/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failure::of(&error))
    }
}

impl Courier for HttpCourier {
    fn judge(&self, url: &WebhookUrl) -> Result<(), String> {
        if !url.is_https() && self.parts.exceptions.is_empty() {
            return Err("expected https".to_owned());
        }
        if let Some(address) = literal(url) {
            return self.permit(url, address);
        }
        let host = url.host().trim_end_matches('.');
        let is_local = host == "localhost" || host.ends_with(".localhost");
        if is_local {
            let loopback = [
                IpAddr::from([127, 0, 0, 1]),
                IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
            ];
            if !loopback
                .into_iter()
                .any(|address| self.permit(url, address).is_ok())
            {
                return Err("localhost is this server itself".to_owned());
            }
        }
        Ok(())
    }

    fn bring(&self, letter: Letter) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            match tokio::time::timeout(self.parts.patience, self.carry(letter)).await {
                Ok(Ok(answer)) => read(answer).await,
                Ok(Err(failure)) => Reply::Failed(failure),
                Err(_) => Reply::Failed(failure(
                    FailureWord::Timeout,
                    "the endpoint did not answer in time",
                )),
            }
        })
    }
}

/// What counts of an answer.
async fn read(mut answer: Response) -> Reply {
    let retry_after = answer
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .filter(|text| text.len() <= RETRY_AFTER_BYTES)
        .map(str::to_owned);
    let status = answer.status().as_u16();
    let leftovers = async {
        let mut read = 0;
        while let Ok(Some(part)) = answer.chunk().await {
            read += part.len();
            if read >= limits::WEBHOOK_ANSWER_BYTES {
                break;
            }
        }
    };
    // Whatever there is of it, or is not: the answer was given.
    let _ = tokio::time::timeout(LEFTOVERS, leftovers).await;
    Reply::Answered { status, retry_after }
}

/// The address that stands in the place of a name.
fn literal(url: &WebhookUrl) -> Option<IpAddr> {
    match url.expose().host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        Some(Host::Domain(_)) | None => None,
    }
}

fn no_tls() -> Result<rustls::ClientConfig, TrustError> {
    Ok(rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

/// What the name of the endpoint was found to resolve to, whoever asks for whatever.
struct Resolved(Vec<SocketAddr>);

impl Resolve for Resolved {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}
