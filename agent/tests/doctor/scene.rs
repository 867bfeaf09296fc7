//! A place to examine registries in.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use portolan_doubles::tls::{Alpn, LeafFault};
use portolan_doubles::web::GitLab;
use portolan_doubles::{Content, PrivateCa};
use portolan_registry::doctor::{Question, diagnose};
use portolan_registry::{Access, Credential, Gate, Hop, Pass, Purpose, Refusal, Resolver};
use portolan_shared::model::{CaTrust, Diagnosis, Finding, FindingCode, Stage, StageReport, Verdict};
use portolan_shared::process::{RetryPolicy, Shutdown, SystemClock, Tasks};
use portolan_shared::secret::Secret;
use portolan_shared::tls::{RegistryTrust, SystemRoots};

/// A private authority, and everything that runs.
pub(crate) struct Scene {
    pub(crate) ca: PrivateCa,
    pub(crate) tasks: Tasks,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.tasks.shutdown().start_drain();
    }
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            ca: PrivateCa::new("Acme", &SystemClock).unwrap(),
            tasks: Tasks::new(Shutdown::new()),
        }
    }

    /// How a server of this scene speaks TLS.
    pub(crate) fn server(&self, fault: Option<LeafFault>) -> Arc<rustls::ServerConfig> {
        let leaf = self.ca.faulty_leaf(&[], fault).unwrap();
        leaf.server_config(Alpn::Both).unwrap()
    }

    /// Access that trusts this scene's authority, as a stranger, and waits for nobody.
    pub(crate) fn access(&self, url: &str) -> Access {
        access(url, Some(&self.ca.root_pem()))
    }

    /// A GitLab over plain HTTP, whose credentials never end.
    pub(crate) async fn gitlab(&self) -> GitLab {
        self.gitlab_with(Content::gitlab_fixture()).await
    }

    pub(crate) async fn gitlab_with(&self, content: Content) -> GitLab {
        let gitlab = GitLab::builder(content).start(None, &self.tasks).await.unwrap();
        gitlab.web().change(|instance| {
            for credential in &mut instance.credentials {
                credential.expires_at = None;
            }
        });
        gitlab
    }

    /// Examines a GitLab's registry with a credential.
    pub(crate) async fn examine_as(&self, gitlab: &GitLab, login: (&str, &str)) -> Diagnosis {
        examine(with_login(self.access(&gitlab.registry_url()), login)).await
    }
}

/// Access that trusts `ca` alone.
pub(crate) fn access(url: &str, ca: Option<&str>) -> Access {
    let trust = CaTrust {
        bundle_pem: ca.map(str::to_owned),
        only_bundle: ca.is_some(),
    };
    let trust = RegistryTrust::new(SystemRoots::none(), &trust, None).unwrap();
    let mut access = Access::new(url.parse().unwrap(), trust);
    access.limits.retry = RetryPolicy {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(5),
        retries: 1,
    };
    access.limits.patience = Duration::from_millis(1);
    access.limits.longest_wait = Duration::from_millis(5);
    access
}

pub(crate) fn with_login(mut access: Access, (username, secret): (&str, &str)) -> Access {
    access.credentials = Arc::new(Credential::Login {
        username: username.to_owned(),
        secret: Secret::new(secret.to_owned()),
    });
    access
}

/// Everything is asked for, nothing in particular.
pub(crate) async fn examine(access: Access) -> Diagnosis {
    ask(access, Question::default()).await
}

/// One repository is asked for.
pub(crate) async fn examine_repository(access: Access, repository: &str) -> Diagnosis {
    let question = Question {
        repository: Some(repository.parse().unwrap()),
        ..Question::default()
    };
    ask(access, question).await
}

pub(crate) async fn ask(access: Access, question: Question) -> Diagnosis {
    let diagnosis = Box::pin(diagnose(access, question, &|_| {})).await;
    let stages: Vec<Stage> = diagnosis.stages.iter().map(|report| report.stage).collect();
    assert_eq!(stages, Stage::ALL, "every stage, in order, once");
    diagnosis
}

pub(crate) fn report(diagnosis: &Diagnosis, stage: Stage) -> &StageReport {
    diagnosis
        .stages
        .iter()
        .find(|report| report.stage == stage)
        .unwrap()
}

/// The finding of this code at this stage, which has to be there, and nowhere before.
#[track_caller]
pub(crate) fn found(diagnosis: &Diagnosis, stage: Stage, code: FindingCode) -> &Finding {
    let first = diagnosis.stages.iter().find_map(|report| {
        Some((
            report,
            report.findings.iter().find(|finding| finding.code == code)?,
        ))
    });
    let Some((report, finding)) = first else {
        panic!("no {code} in {diagnosis:#?}")
    };
    assert_eq!(report.stage, stage, "{diagnosis:#?}");
    assert_ne!(report.verdict, Verdict::Skipped);
    finding
}

/// Lets everything pass but what it is told to refuse.
#[derive(Default)]
pub(crate) struct PickyGate {
    pub(crate) refused: Vec<Purpose>,
    pub(crate) loopback: bool,
    /// The one port at which a registry may be, if not any.
    pub(crate) only: Option<u16>,
    /// The rule that it refuses by, if not its own.
    pub(crate) rule: Option<&'static str>,
    /// Places that were given away.
    pub(crate) places: Arc<AtomicUsize>,
    /// Connections and requests.
    pub(crate) contacts: Arc<AtomicUsize>,
}

#[async_trait]
impl Gate for PickyGate {
    async fn ready(&self) {}

    async fn place(&self) -> Pass {
        self.places.fetch_add(1, Ordering::SeqCst);
        Pass::default()
    }

    fn contacted(&self, _: &Hop<'_>) {
        self.contacts.fetch_add(1, Ordering::SeqCst);
    }

    fn received(&self, _: &Hop<'_>, _: usize) -> Result<(), Refusal> {
        Ok(())
    }

    fn check_host(&self, hop: &Hop<'_>) -> Result<(), Refusal> {
        let elsewhere = hop.purpose == Purpose::Registry && self.only.is_some_and(|only| only != hop.port);
        if elsewhere || self.refused.contains(&hop.purpose) {
            return Err(Refusal::by(self.rule.unwrap_or("test:refused")));
        }
        Ok(())
    }

    fn check_address(&self, _: &Hop<'_>, _: IpAddr) -> Result<(), Refusal> {
        Ok(())
    }

    fn allows_loopback(&self, _: &Hop<'_>) -> bool {
        self.loopback
    }
}

/// Knows the names that it is told.
pub(crate) struct Names(pub(crate) BTreeMap<&'static str, Vec<IpAddr>>);

impl Names {
    /// One name, at this address.
    pub(crate) fn one(name: &'static str, address: [u8; 4]) -> Arc<Self> {
        let address = IpAddr::V4(Ipv4Addr::from(address));
        Arc::new(Self(BTreeMap::from([(name, vec![address])])))
    }
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = self.0.get(host).cloned();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// A loopback port on which nobody listens.
pub(crate) fn closed_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// One test for each line: what is done has to give this code at this stage. `CODES` are those of a file.
macro_rules! provoked {
    ($($name:ident: $code:ident at $stage:ident = $scenario:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                use portolan_shared::model::{FindingCode, Stage};
                let diagnosis = $scenario.await;
                $crate::scene::found(&diagnosis, Stage::$stage, FindingCode::$code);
            }
        )*

        /// The codes that are provoked here.
        pub(crate) const CODES: &[portolan_shared::model::FindingCode] =
            &[$(portolan_shared::model::FindingCode::$code,)*];
    };
}
pub(crate) use provoked;
