//! What a control plane cannot make an agent do.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use portolan_agent::audit::{FOLDER, Read, files_in};
use portolan_agent::jobs::{RegistryAccess, RegistryJobs};
use portolan_agent::wiring::{Agent, AgentHandle};
use portolan_proto::convert::probe_report;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body as Down;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_registry::{Environment, Limits, Resolver};
use portolan_shared::audit::LinkedRecord;
use portolan_shared::model::{Finding, FindingCode, ProbeId, Stage, limits};
use portolan_shared::process::{ProxyRules, SystemClock, SystemRng, Tasks};
use portolan_shared::tls::SystemRoots;

use crate::agent::{offer, parts};
use crate::opened::Opened;
use crate::plane::{ControlPlane, DAY, Scripts};

/// Answers every name with loopback, where somebody listens, and remembers the names.
#[derive(Default)]
struct Names(Mutex<Vec<String>>);

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        self.0.lock().unwrap().push(host.to_owned());
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }
}

/// An agent that reads registries, with a resolver and a port that remember who came.
struct Scene {
    plane: ControlPlane,
    handle: AgentHandle,
    names: Arc<Names>,
    port: TcpListener,
    tasks: Tasks,
    folder: tempfile::TempDir,
    session: Opened,
}

fn write_policy(folder: &Path, port: u16) {
    let text = format!(
        "version = 1\n[[allow]]\nhost = \"*.reg.example\"\nports = [{port}]\naddresses = [\"127.0.0.0/8\"]\n\
         [[allow]]\nhost = \"xn--pple-43d.example\"\nports = [{port}]\n"
    );
    std::fs::write(folder.join("policy.toml"), text).unwrap();
}

impl Scene {
    async fn new() -> Self {
        Self::with(Scripts::default()).await
    }

    async fn with(scripts: Scripts) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut plane = ControlPlane::start(scripts, DAY).await;
        plane.enrol(folder.path(), &plane.token()).await.unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        port.set_nonblocking(true).unwrap();
        write_policy(folder.path(), port.local_addr().unwrap().port());
        let names = Arc::new(Names::default());
        let resolver = Arc::clone(&names);
        let parts = parts(folder.path());
        let tasks = parts.tasks.clone();
        let (handle, agent) = Agent::build_with(parts, |policy, _, _| {
            Arc::new(RegistryJobs::new(RegistryAccess {
                policy,
                system_roots: SystemRoots::none(),
                certs_dir: None,
                environment: Environment::new([]),
                resolver,
                proxy: ProxyRules::default(),
                limits: Limits::default(),
                data_dir: None,
                clock: Arc::new(SystemClock),
                rng: Arc::new(SystemRng),
            }))
        })
        .await
        .unwrap();
        tasks.spawn("agent", async move {
            agent.run().await;
        });
        let mut session = plane.session().await;
        session.welcome(1, true).await;
        Self {
            plane,
            handle,
            names,
            port,
            tasks,
            folder,
            session,
        }
    }

    fn port(&self) -> u16 {
        self.port.local_addr().unwrap().port()
    }

    fn policy(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("policy.toml")).unwrap()
    }

    fn hash(&self) -> String {
        self.handle.status().policy.sha256
    }

    /// How an offer with this change is rejected.
    async fn reject(&mut self, change: impl FnOnce(&mut v1::JobOffer)) -> v1::JobReject {
        let (_, Down::JobOffer(mut offer)) = offer("h") else {
            panic!("an offer is an offer");
        };
        change(&mut offer);
        self.session.say(Down::JobOffer(offer)).await;
        match self.session.hear().await {
            Some(Up::JobReject(reject)) => reject,
            other => panic!("{other:?} is no rejection"),
        }
    }

    /// Has another policy take the place of the one in force, and goes on in the session that tells of it.
    async fn reread(&mut self, policy: &str) {
        std::fs::write(self.folder.path().join("policy.toml"), policy).unwrap();
        self.handle.reload_policy();
        self.session = self.plane.session().await;
        self.session.welcome(2, true).await;
    }

    /// What the local log says was refused: of what, and by which rule.
    fn refused(&self) -> Vec<(String, String)> {
        let mut refused = Vec::new();
        for file in files_in(&self.folder.path().join(FOLDER)) {
            for line in file.lines().unwrap() {
                if let Read::Record(LinkedRecord { record, .. }) = line.unwrap()
                    && record.action == "policy.refused"
                {
                    let details: serde_json::Value = serde_json::from_str(&record.details).unwrap();
                    refused.push((record.object, details["rule"].as_str().unwrap().to_owned()));
                }
            }
        }
        refused
    }

    /// How the probe of a registry failed.
    async fn probe(&mut self, url: &str) -> (Stage, Finding) {
        let probe = v1::ProbeOffer {
            probe_id: ProbeId::random(&SystemRng).as_bytes().to_vec().into(),
            registry: Some(v1::RegistryTarget {
                url: url.to_owned(),
                ..crate::agent::target("h")
            }),
            seconds_left: 60,
            ..v1::ProbeOffer::default()
        };
        self.session.say(Down::ProbeOffer(probe)).await;
        let Some(Up::ProbeReport(report)) = self.session.hear().await else {
            panic!("no report");
        };
        let (_, diagnosis) = probe_report(&report).unwrap();
        let failure = diagnosis.first_failure().unwrap();
        (failure.stage, failure.findings[0].clone())
    }

    fn nobody_came(&self) -> bool {
        let refused = self.port.accept().map(|(_, from)| from);
        self.names.0.lock().unwrap().is_empty()
            && refused.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    async fn stop(self) {
        self.tasks.shutdown().start_drain();
        self.tasks.ended().await;
        assert!(!self.tasks.any_failed());
        drop(self.plane);
    }
}

/// Every disguise of a host that the policy does not allow, and paths that it does not of a host that it does. The port listens on loopback.
fn disguises(port: u16) -> Vec<String> {
    let mut urls: Vec<String> = [
        "https://other.example",
        "https://evil-reg.example",
        "https://reg.example",
        "https://reg.example.evil.example",
        "http://a.reg.example",
        "ftp://a.reg.example",
        "https://user:secret@a.reg.example",
        "https://a.reg.example@evil.example",
        // Addresses, in every spelling of 127.0.0.1, where somebody listens, ...
        "https://127.0.0.1",
        "https://2130706433",
        "https://017700000001",
        "https://0x7f000001",
        "https://0177.0.0.1",
        "https://127.1",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://[::ffff:7f00:1]",
        // ... and of the cloud metadata service's.
        "https://169.254.169.254",
        "https://2852039166",
        "https://0xa9fea9fe",
        "https://0251.0376.0251.0376",
        "https://[::ffff:169.254.169.254]",
        "https://[64:ff9b::a9fe:a9fe]",
        // A Cyrillic letter instead of the Latin one, and the other way round.
        "https://a.r\u{435}g.example",
        "https://apple.example",
    ]
    .iter()
    .map(|url| format!("{url}:{port}"))
    .collect();
    urls.push("https://a.reg.example".to_owned());
    urls.push(format!("https://a.reg.example:{}", port ^ 1));
    let paths = [
        "/admin",
        "/repository",
        "/repository/a/b",
        "/repository/a%2f..%2f..%2fadmin",
        "/repository/../admin",
    ];
    urls.extend(paths.map(|path| format!("https://a.reg.example:{port}{path}")));
    urls
}

#[tokio::test]
async fn t42_hosts_that_are_not_allowed_are_refused_in_every_disguise_and_nobody_is_asked_for_them() {
    let mut scene = Scene::new().await;
    for url in disguises(scene.port()) {
        let reject = scene
            .reject(|offer| offer.registry.as_mut().unwrap().url.clone_from(&url))
            .await;
        assert_eq!(reject.reason(), v1::Reason::Policy, "{url}");
        assert!(reject.rule.starts_with("policy:"), "{url}: {:?}", reject.rule);
        let finding = reject.finding.unwrap();
        assert_eq!(finding.code, FindingCode::PolicyRefused.as_str(), "{url}");
        assert!(!finding.seen.contains("secret"), "{}", finding.seen);

        let (stage, finding) = scene.probe(&url).await;
        assert_eq!(
            (stage, finding.code),
            (Stage::Policy, FindingCode::PolicyRefused),
            "{url}"
        );
        assert!(scene.nobody_came(), "{url}: {:?}", scene.names.0.lock().unwrap());
    }
    // What is allowed shows that the resolver and the port would have told.
    let probe = v1::ProbeOffer {
        probe_id: ProbeId::random(&SystemRng).as_bytes().to_vec().into(),
        registry: Some(v1::RegistryTarget {
            url: format!("https://a.reg.example.:{}", scene.port()),
            ..crate::agent::target("h")
        }),
        seconds_left: 60,
        ..v1::ProbeOffer::default()
    };
    scene.session.say(Down::ProbeOffer(probe)).await;
    let come = async {
        while scene.port.accept().is_err() {
            tokio::task::yield_now().await;
        }
    };
    come.await;
    assert_eq!(scene.names.0.lock().unwrap().first().unwrap(), "a.reg.example");
    scene.stop().await;
}

#[tokio::test]
async fn t42_the_control_plane_is_no_registry_whatever_the_file_allows() {
    // The enrolment names its address, or a name that leads there: which address that is, the sensor learns when it connects.
    for host in ["127.0.0.1", "localhost"] {
        let scripts = Scripts {
            host,
            ..Scripts::default()
        };
        let mut scene = Scene::with(scripts).await;
        let place = scene.plane.token().url;
        let port = place.rsplit(':').next().unwrap().to_owned();
        scene
            .reread(&format!(
                "version = 1\n[[allow]]\nhost = \"*.reg.example\"\nports = [{port}]\naddresses = [\"127.0.0.0/8\"]\n\
                 [[allow]]\nhost = \"127.0.0.1\"\nports = [{port}]\n[[allow]]\nhost = \"localhost\"\nports = [{port}]\n"
            ))
            .await;
        for url in [place, format!("https://{host}:{port}")] {
            let reject = scene
                .reject(|offer| offer.registry.as_mut().unwrap().url.clone_from(&url))
                .await;
            let refused = (reject.reason(), &*reject.rule);
            assert_eq!(refused, (v1::Reason::Policy, "address.control_plane"), "{url}");
            let (_, finding) = scene.probe(&url).await;
            assert_eq!(finding.code, FindingCode::PolicyRefused, "{finding:?}");
            assert!(finding.seen.contains("address.control_plane"), "{finding:?}");
            assert!(scene.nobody_came(), "{url}: no name is resolved");
        }

        // A name that the file allows and that leads there is refused at its address.
        let (_, finding) = scene.probe(&format!("https://a.reg.example:{port}")).await;
        assert_eq!(finding.code, FindingCode::AddressRefused, "{finding:?}");
        assert!(finding.seen.contains("address.control_plane"), "{finding:?}");
        assert_eq!(*scene.names.0.lock().unwrap(), ["a.reg.example"]);
        scene.stop().await;
    }
}

#[tokio::test]
async fn t46_what_would_widen_the_policy_is_refused_and_the_policy_stays_as_it_is() {
    let mut scene = Scene::new().await;
    let (before, hash) = (scene.policy(), scene.hash());
    let url = format!("https://a.reg.example:{}", scene.port());

    // A command that this build does not know, as a later control plane might send it.
    let unknown = scene.reject(|offer| offer.job = None).await;
    assert_eq!(unknown.reason(), v1::Reason::Unsupported);

    // A job that names what the file keeps to itself.
    let reaching = scene
        .reject(|offer| {
            let registry = offer.registry.as_mut().unwrap();
            registry.url.clone_from(&url);
            registry.credential_reference = "file:/etc/shadow".to_owned();
        })
        .await;
    assert_eq!(
        (reaching.reason(), reaching.rule.as_str()),
        (v1::Reason::Policy, "policy:allow[1]")
    );

    // A definition that is larger than one may be, within a message that is not.
    let large = scene
        .reject(|offer| {
            let registry = offer.registry.as_mut().unwrap();
            registry.ca_bundle_pem = "x".repeat(limits::CA_BUNDLE_BYTES + 1);
        })
        .await;
    assert_eq!(large.reason(), v1::Reason::Unsupported);

    // A message that is larger than any may be ends the session, and changes nothing.
    let (_, Down::JobOffer(mut oversized)) = offer("h") else {
        panic!("an offer is an offer");
    };
    oversized.registry.as_mut().unwrap().ca_bundle_pem = "x".repeat(limits::SESSION_MESSAGE_BYTES + 1);
    scene.session.say(Down::JobOffer(oversized)).await;
    let session = scene.plane.session().await;
    assert_eq!(scene.policy(), before);
    assert_eq!(scene.hash(), hash);
    let said: String = session
        .hello
        .policy_hash
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(said, hash, "what the control plane is told is what is in force");
    // What reached it is in the log of this machine. Of the oversized message nothing is known but its size.
    assert_eq!(
        scene.refused(),
        [
            ("offer".to_owned(), String::new()),
            (
                format!("registry:a.reg.example:{}", scene.port()),
                "policy:allow[1]".to_owned()
            ),
            ("offer".to_owned(), String::new()),
        ]
    );
    assert!(scene.nobody_came());
    scene.stop().await;
}

#[tokio::test]
async fn a_policy_that_is_read_again_is_told_without_a_restart() {
    let mut scene = Scene::new().await;
    let first = scene.session.hello.policy_hash.clone();
    let text = "version = 1\n[[allow]]\nhost = \"other.example\"\n[upload]\nwithhold = [\"labels\"]\n";
    scene.reread(text).await;
    let hello = &scene.session.hello;
    assert_ne!(hello.policy_hash, first);
    assert_eq!(
        hello.policy_summary,
        "allows 1 (withholds image facts): other.example:443"
    );
    scene.stop().await;
}
