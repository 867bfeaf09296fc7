//! Clients for the servers of these tests.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portolan_registry::{Access, Credential, Gate, Hop, Pass, Refusal, RegistryClient, Resolver};
use portolan_shared::model::{CaTrust, RepositoryName};
use portolan_shared::process::RetryPolicy;
use portolan_shared::secret::Secret;
use portolan_shared::tls::{RegistryTrust, SystemRoots};
use tokio::sync::{Semaphore, watch};

/// Access to a server, with short delays.
pub(crate) fn access(url: &str) -> Access {
    let trust = RegistryTrust::new(SystemRoots::none(), &CaTrust::default(), None).unwrap();
    let mut access = Access::new(url.parse().unwrap(), trust);
    access.limits.retry = RetryPolicy {
        first: Duration::from_millis(2),
        longest: Duration::from_millis(20),
        retries: 3,
    };
    access
}

pub(crate) fn client(url: &str) -> RegistryClient {
    RegistryClient::new(access(url)).unwrap()
}

pub(crate) fn with_login(url: &str) -> RegistryClient {
    let mut access = access(url);
    access.credentials = Arc::new(login());
    RegistryClient::new(access).unwrap()
}

pub(crate) fn login() -> Credential {
    Credential::Login {
        username: "reader".into(),
        secret: Secret::new("s3cret".into()),
    }
}

/// `Basic` with [`login`].
pub(crate) const BASIC: &str = "Basic cmVhZGVyOnMzY3JldA==";

pub(crate) fn repository() -> RepositoryName {
    "a/b".parse().unwrap()
}

/// Lets pass what it is told to, and remembers what it was asked.
#[derive(Default)]
pub(crate) struct TestGate {
    pub(crate) loopback: bool,
    pub(crate) realms: Vec<&'static str>,
    /// Hosts that are refused.
    pub(crate) refused: Vec<&'static str>,
    pub(crate) asked: Mutex<Vec<String>>,
    /// One permit for every request that may be sent; as many as there are if this is not set.
    pub(crate) ready: Option<Arc<Semaphore>>,
    /// How often somebody has waited, or waits, for permission to send.
    pub(crate) waits: watch::Sender<usize>,
}

#[async_trait::async_trait]
impl Gate for TestGate {
    async fn ready(&self) {
        self.waits.send_modify(|waits| *waits += 1);
        if let Some(ready) = &self.ready {
            ready.acquire().await.unwrap().forget();
        }
    }

    async fn place(&self) -> Pass {
        Pass::default()
    }

    fn contacted(&self, _: &Hop<'_>) {}

    fn received(&self, _: &Hop<'_>, _: usize) -> Result<(), Refusal> {
        Ok(())
    }

    fn check_host(&self, hop: &Hop<'_>) -> Result<(), Refusal> {
        self.asked
            .lock()
            .unwrap()
            .push(format!("{} {}", hop.purpose, hop.host));
        if self.refused.contains(&hop.host) {
            Err(Refusal::by("test.host"))
        } else {
            Ok(())
        }
    }

    fn check_address(&self, _: &Hop<'_>, _: IpAddr) -> Result<(), Refusal> {
        Ok(())
    }

    fn allows_loopback(&self, _: &Hop<'_>) -> bool {
        self.loopback
    }

    fn allows_realm(&self, realm: &Hop<'_>) -> bool {
        self.realms.contains(&realm.host)
    }
}

/// Names with addresses that can change from one look-up to the next; every other name is on loopback.
#[derive(Default)]
pub(crate) struct TestResolver {
    pub(crate) answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
}

impl TestResolver {
    /// The addresses of a name, one list for each look-up; the last one stays.
    pub(crate) fn name(self, host: &str, answers: &[&[&str]]) -> Self {
        let lists = answers
            .iter()
            .map(|list| list.iter().map(|address| address.parse().unwrap()).collect())
            .collect();
        self.answers.lock().unwrap().insert(host.to_owned(), lists);
        self
    }
}

#[async_trait::async_trait]
impl Resolver for TestResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut answers = self.answers.lock().unwrap();
        Ok(match answers.get_mut(host) {
            Some(lists) if lists.len() > 1 => lists.remove(0),
            Some(lists) => lists.first().cloned().unwrap_or_default(),
            None => vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        })
    }
}

/// Access under names that are all on loopback.
pub(crate) fn access_by_name(url: &str) -> Access {
    let mut access = access(url);
    access.resolver = Arc::new(TestResolver::default());
    access.gate = Arc::new(TestGate {
        loopback: true,
        ..TestGate::default()
    });
    access
}
