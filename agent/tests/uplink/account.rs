//! What left a machine, by its own log: all that a control plane was told, and as whom.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use portolan_agent::audit::{DataKind, FOLDER, Outbound, outbound};
use portolan_agent::cli;
use portolan_agent::policy::Allowed;
use portolan_agent::settings::ProxySettings;
use portolan_agent::wiring::{EnrolCommand, enrol};
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body as Down;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_shared::audit::{AuditHash, ChainOwner, Checkpoint};
use portolan_shared::model::{ProbeId, TenantId};
use portolan_shared::process::{Shutdown, SystemClock, SystemRng, Tasks};

use crate::agent::{accepted, run_agent, target};
use crate::plane::{ControlPlane, DAY, Scripts};

fn kinds(account: &Outbound) -> Vec<&str> {
    account.data.iter().map(|sent| &*sent.kind).collect()
}

#[tokio::test]
async fn everything_that_an_agent_sends_is_in_its_account_while_it_still_runs() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join(FOLDER);
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    let token = plane.token();
    let enrolled = enrol(EnrolCommand {
        token: token.encode(),
        data_dir: folder.path().to_owned(),
        policy: folder.path().join("policy.toml"),
        allow: Allowed::default(),
        proxy: ProxySettings::default(),
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
        tasks: Tasks::new(Shutdown::new()),
    });
    enrolled.await.unwrap();
    let account = outbound(&log, None).unwrap();
    let place = token.url.trim_start_matches("https://").to_owned();
    assert_eq!(account.hosts.len(), 1);
    assert_eq!(
        (&*account.hosts[0].purpose, &account.hosts[0].host),
        ("control plane", &place)
    );
    assert_eq!(kinds(&account), [DataKind::EnrolmentRequests.name()]);
    assert!(account.data[0].bytes > 100 && account.hosts[0].bytes_sent > account.data[0].bytes);

    let mut agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    accepted(&mut session, "h").await;
    agent.started.recv().await.unwrap();
    agent.go.add_permits(1);
    agent.sees(|view| view.last_work.is_some()).await;
    session
        .say(Down::ProbeOffer(v1::ProbeOffer {
            probe_id: ProbeId::random(&SystemRng).as_bytes().to_vec().into(),
            registry: Some(target("forbidden")),
            seconds_left: 60,
            ..v1::ProbeOffer::default()
        }))
        .await;
    while !matches!(session.hear().await, Some(Up::ProbeReport(_))) {}
    // The files as they would be if it were killed now.
    let account = outbound(&log, None).unwrap();
    let told = kinds(&account);
    for kind in [
        DataKind::EnrolmentRequests,
        DataKind::SessionOpenings,
        DataKind::MachineFacts,
        DataKind::PolicySummary,
        DataKind::ContinuityTokens,
        DataKind::JobAnswers,
        DataKind::Digests,
        DataKind::RunAccounts,
        DataKind::ProbeReports,
    ] {
        assert!(told.contains(&kind.name()), "{kind:?} is not among {told:?}");
    }
    assert!(!told.contains(&DataKind::Other.name()));
    assert!(account.data.iter().all(|sent| sent.to == place), "{account}");
    assert_eq!(account.hosts.len(), 1);
    let enrolments = account
        .data
        .iter()
        .filter(|sent| sent.kind == "enrolment requests");
    assert_eq!(enrolments.map(|sent| sent.count).sum::<u64>(), 1, "once");
    agent.stop().await;
    let ended = outbound(&log, None).unwrap();
    assert!(ended.hosts[0].bytes_sent > account.hosts[0].bytes_sent);
}

/// A checkpoint of the tenant's log at this record.
fn checkpoint(pair: &Ed25519KeyPair, tenant: TenantId, seq: u64) -> (String, Down) {
    let checkpoint = Checkpoint {
        owner: ChainOwner::Tenant(tenant),
        seq,
        hash: AuditHash([u8::try_from(seq).unwrap(); 32]),
        at_ms: 0,
    };
    let head = v1::AuditHead {
        seq,
        hash: checkpoint.hash.0.to_vec().into(),
        at_ms: checkpoint.at_ms,
        signature: pair.sign(&checkpoint.signing_bytes()).as_ref().to_vec().into(),
        public_key: pair.public_key().as_ref().to_vec().into(),
    };
    let message = v1::AuditCheckpoint {
        after_seq: seq,
        digests: Vec::new().into(),
        head: Some(head),
    };
    (checkpoint.hash.to_string(), Down::AuditCheckpoint(message))
}

/// Runs the command as an administrator does; its exit code.
fn accept(hash: &str, data_dir: &Path) -> u8 {
    let done = Command::new(env!("CARGO_BIN_EXE_portolan-agent"))
        .args(["audit", "accept-checkpoint", hash, "--data-dir"])
        .arg(data_dir)
        .output()
        .unwrap();
    u8::try_from(done.status.code().unwrap()).unwrap()
}

#[tokio::test]
async fn t47_a_restored_control_plane_is_witnessed_again_once_this_machine_s_administrator_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let tenant = plane.shared().tenant;
    let pair = Ed25519KeyPair::generate().unwrap();
    let agent = run_agent(folder.path()).await;
    let mut session = plane.session().await;
    session.welcome(1, true).await;
    let (_, before) = checkpoint(&pair, tenant, 10);
    let (hash, restored) = checkpoint(&pair, tenant, 8);
    session.say(before).await;
    session.say(restored).await;
    let told = |text: &str| {
        agent
            .handle
            .status()
            .warnings
            .iter()
            .any(|line| line.contains(text))
    };
    // Whoever has answered this has heard what came before.
    let nonce = vec![5; 16].into();
    session.say(Down::PresenceAsk(v1::PresenceAsk { nonce })).await;
    while !matches!(session.hear().await, Some(Up::PresenceReply(_))) {}
    assert!(told(&format!("accept-checkpoint {hash}")));
    assert_eq!(agent.handle.status().audit.unwrap().refused, Some(8));
    assert_eq!(accept(&hash, folder.path()), cli::FAILED, "an agent runs here");
    agent.stop().await;
    assert_eq!(accept("0123456789ab", folder.path()), cli::REFUSED);
    assert_eq!(accept(&hash, folder.path()), cli::DONE);
    assert_eq!(
        accept(&hash, folder.path()),
        cli::REFUSED,
        "nothing is left to accept"
    );
    let agent = run_agent(folder.path()).await;
    let audit = agent.handle.status().audit.unwrap();
    assert_eq!((audit.checkpoint, audit.refused), (8, None));
    agent.stop().await;
    let elsewhere = tempfile::tempdir().unwrap();
    assert_eq!(accept(&hash, elsewhere.path()), cli::USAGE, "nobody's sensor");
}
