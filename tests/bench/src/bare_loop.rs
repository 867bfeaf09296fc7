//! The requests of an inventory and nothing else: what cannot be beaten.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use portolan_demo::installation::Figures;
use portolan_shared::process::{Clock as _, SystemClock};
use reqwest::header::{ACCEPT, HeaderMap, LINK};
use reqwest::{Client, Method};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use url::Url;

use crate::table::Line;

/// Requests in flight.
const AT_ONCE: usize = 16;

const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// Which HTTP is offered to the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// A connection per request in flight.
    Http1,
    /// All requests on one connection.
    Http2,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        })
    }
}

/// What a bare loop took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    requests: u64,
    bytes_down: u64,
    wall: Duration,
    cpu: Duration,
    peak_rss_kib: u64,
}

impl Measured {
    /// As a line of the report.
    pub(crate) fn line(&self, protocol: Protocol) -> Line {
        Line {
            wall: self.wall,
            cpu: Some(self.cpu),
            peak_rss_kib: Some(self.peak_rss_kib),
            requests: Some(self.requests),
            ..Line::new(&format!("bare loop, {protocol}"))
        }
    }
}

/// Runs the loop in a process of its own.
pub(crate) async fn run_as_child(url: &str, ca_file: &Path, protocol: Protocol) -> anyhow::Result<Measured> {
    let program = std::env::current_exe().context("find this program")?;
    let word = protocol.to_possible_value().context("name the protocol")?;
    let output = Command::new(program)
        .args(["bare-loop", url])
        .arg(ca_file)
        .arg(word.get_name())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .context("start the bare loop")?;
    if !output.status.success() {
        bail!("the bare loop failed, {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("read what the bare loop measured")
}

/// One request to be made.
enum Work {
    Catalog(String),
    Tags(String),
    Resolve(String),
    Manifest { repository: String, digest: String },
    Config { repository: String, digest: String },
}

#[derive(Default)]
struct Books {
    /// Last in, first out, so that it holds little more than one repository.
    waiting: Vec<Work>,
    in_flight: usize,
    known: HashSet<String>,
    requests: u64,
    bytes_down: u64,
}

struct Loop {
    client: Client,
    base: Url,
    books: Mutex<Books>,
    more: tokio::sync::Notify,
}

#[derive(Deserialize)]
struct Catalog {
    repositories: Vec<String>,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

#[derive(Deserialize)]
struct Manifest {
    config: Option<Descriptor>,
    manifests: Option<Vec<Descriptor>>,
}

/// Runs the loop in this process.
pub(crate) async fn run(base: &Url, ca_file: &Path, protocol: Protocol) -> anyhow::Result<Measured> {
    let looped = Arc::new(Loop {
        client: client(ca_file, protocol)?,
        base: base.clone(),
        books: Mutex::default(),
        more: tokio::sync::Notify::new(),
    });
    looped
        .books()
        .waiting
        .push(Work::Catalog("/v2/_catalog?n=1000".to_owned()));
    let clock = SystemClock;
    let started = clock.uptime();
    futures::future::try_join_all((0..AT_ONCE).map(|_| looped.work())).await?;
    let wall = clock.uptime().since(started);
    let figures = Figures::of_self()?;
    let books = looped.books();
    Ok(Measured {
        requests: books.requests,
        bytes_down: books.bytes_down,
        wall,
        cpu: figures.cpu,
        peak_rss_kib: figures.peak_rss_kib,
    })
}

fn client(ca_file: &Path, protocol: Protocol) -> anyhow::Result<Client> {
    let mut roots = rustls::RootCertStore::empty();
    let file = ca_file.display();
    for certificate in CertificateDer::pem_file_iter(ca_file).with_context(|| format!("read {file}"))? {
        roots.add(certificate.with_context(|| format!("read {file}"))?)?;
    }
    let mut tls = rustls::ClientConfig::builder_with_provider(portolan_shared::tls::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = match protocol {
        Protocol::Http1 => vec![b"http/1.1".to_vec()],
        Protocol::Http2 => vec![b"h2".to_vec()],
    };
    let mut builder = Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(tls)
        .pool_max_idle_per_host(AT_ONCE);
    if protocol == Protocol::Http1 {
        builder = builder.http1_only();
    }
    builder.build().context("make an HTTP client")
}

impl Loop {
    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of the workers: takes work until there is none and none can come.
    async fn work(&self) -> anyhow::Result<()> {
        loop {
            let changed = self.more.notified();
            let next = {
                let mut books = self.books();
                let next = books.waiting.pop();
                if next.is_some() {
                    books.in_flight += 1;
                } else if books.in_flight == 0 {
                    return Ok(());
                }
                next
            };
            let Some(work) = next else {
                changed.await;
                continue;
            };
            let found = self.send(work).await?;
            {
                let mut books = self.books();
                books.in_flight -= 1;
                books.waiting.extend(found);
            }
            self.more.notify_waiters();
        }
    }

    async fn send(&self, work: Work) -> anyhow::Result<Vec<Work>> {
        match work {
            Work::Catalog(path) => {
                let (headers, body) = self.request(Method::GET, &path).await?;
                let catalog: Catalog = serde_json::from_slice(&body)?;
                let next = next_page(&headers).map(Work::Catalog);
                let lists = catalog
                    .repositories
                    .into_iter()
                    .map(|name| Work::Tags(format!("/v2/{name}/tags/list?n=1000")));
                Ok(next.into_iter().chain(lists).collect())
            }
            Work::Tags(path) => {
                let (headers, body) = self.request(Method::GET, &path).await?;
                let tags: Tags = serde_json::from_slice(&body)?;
                let folder = path
                    .split_once("/tags/list")
                    .map_or(path.as_str(), |(folder, _)| folder);
                let heads = tags.tags.unwrap_or_default();
                let heads = heads
                    .into_iter()
                    .map(|tag| Work::Resolve(format!("{folder}/manifests/{tag}")));
                Ok(next_page(&headers)
                    .map(Work::Tags)
                    .into_iter()
                    .chain(heads)
                    .collect())
            }
            Work::Resolve(path) => {
                let (headers, _) = self.request(Method::HEAD, &path).await?;
                let digest = headers
                    .get("docker-content-digest")
                    .context("a HEAD without digest")?
                    .to_str()?;
                let repository = repository_of(&path);
                Ok(self.unknown(digest.to_owned(), |digest| Work::Manifest {
                    repository: repository.to_owned(),
                    digest,
                }))
            }
            Work::Manifest { repository, digest } => {
                let path = format!("/v2/{repository}/manifests/{digest}");
                let (_, body) = self.request(Method::GET, &path).await?;
                let manifest: Manifest = serde_json::from_slice(&body)?;
                let mut found = Vec::new();
                for child in manifest.manifests.into_iter().flatten() {
                    let repository = repository.clone();
                    found.extend(self.unknown(child.digest, |digest| Work::Manifest { repository, digest }));
                }
                if let Some(config) = manifest.config {
                    found.extend(self.unknown(config.digest, |digest| Work::Config { repository, digest }));
                }
                Ok(found)
            }
            Work::Config { repository, digest } => {
                self.request(Method::GET, &format!("/v2/{repository}/blobs/{digest}"))
                    .await?;
                Ok(Vec::new())
            }
        }
    }

    fn unknown(&self, digest: String, work: impl FnOnce(String) -> Work) -> Vec<Work> {
        let is_new = self.books().known.insert(digest.clone());
        if is_new { vec![work(digest)] } else { Vec::new() }
    }

    async fn request(&self, method: Method, path: &str) -> anyhow::Result<(HeaderMap, Vec<u8>)> {
        let url = self.base.join(path)?;
        let answer = self
            .client
            .request(method, url)
            .header(ACCEPT, MANIFESTS)
            .send()
            .await?;
        let answer = answer.error_for_status()?;
        let headers = answer.headers().clone();
        let body = answer.bytes().await?.to_vec();
        let mut books = self.books();
        books.requests += 1;
        books.bytes_down += body.len() as u64;
        Ok((headers, body))
    }
}

fn repository_of(path: &str) -> &str {
    let rest = path.strip_prefix("/v2/").unwrap_or(path);
    rest.split_once("/manifests/")
        .map_or(rest, |(repository, _)| repository)
}

/// The target of `Link: <...>; rel="next"` (RFC 8288), as the registry of this benchmark writes it.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (target, _) = link.strip_prefix('<')?.split_once('>')?;
    Some(target.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pages_and_paths() {
        let mut headers = HeaderMap::new();
        assert_eq!(next_page(&headers), None);
        headers.insert(LINK, "</v2/_catalog?last=b&n=2>; rel=\"next\"".parse().unwrap());
        assert_eq!(next_page(&headers).as_deref(), Some("/v2/_catalog?last=b&n=2"));
        assert_eq!(repository_of("/v2/a/b/manifests/v1"), "a/b");
    }
}
