//! Jobs with a sealed credential, against a registry whose token service is at another place.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use portolan_doubles::network::Seen;
use portolan_doubles::registry::BlobServing;
use portolan_doubles::token::Account;
use portolan_doubles::{Content, RegistryDouble, TokenService};
use portolan_registry::{Access, AnyHost, Fault, Gate, Hop, Pass, Refusal, RegistryClient};
use portolan_shared::model::{CaTrust, FindingCode, RunState};
use portolan_shared::process::{Shutdown, Tasks};
use portolan_shared::secret::sealed::{BoundHosts, CredentialBinding};
use portolan_shared::tls::{RegistryTrust, SystemRoots};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::tests::Scene;
use super::{JobEnd, Jobs as _, SyncJob};
use crate::credentials::bench::Bench;
use crate::credentials::{BoundGate, SealedLogin, SealedSource, SealedVault};

/// The secret that the scene's registry knows.
const SECRET: &str = "glpat-0";

/// A sensor with this credential, and a job that comes with it.
struct Sealed {
    bench: Bench,
    job: SyncJob,
    binding: CredentialBinding,
}

fn sealed(scene: &Scene, bind: impl FnOnce(&mut CredentialBinding)) -> Sealed {
    let bench = Bench::new();
    let vault = SealedVault::new(
        Arc::clone(&bench.keyring),
        Arc::clone(&scene.policy),
        Arc::clone(&bench.clock) as _,
    );
    let mut job = scene.job();
    job.target.credential = None;
    let mut binding = bench.binding(&job.target);
    bind(&mut binding);
    let wire = bench.seal_password(&binding, SECRET);
    job.login = Some(vault.take(&wire, &job.target).unwrap());
    Sealed { bench, job, binding }
}

fn hosts(authorities: &[String]) -> BoundHosts {
    BoundHosts::new(authorities.iter().map(|host| host.parse().unwrap())).unwrap()
}

fn codes(scene: &Scene) -> Vec<FindingCode> {
    let state = scene.control_plane.state();
    state
        .repositories
        .values()
        .filter_map(|had| had.finding)
        .collect()
}

#[tokio::test]
async fn a_sync_with_a_sealed_login_reads_everything_and_its_version_counts_from_then_on() {
    let scene = Scene::new(Content::demo()).await;
    let realm = scene.tokens.address().to_string();
    let Sealed { bench, job, binding } = sealed(&scene, |binding| {
        binding.realm_hosts = hosts(std::slice::from_ref(&realm));
    });
    let floor = || bench.keyring.version_floor(binding.credential).unwrap();
    let mut probe = scene.probe();
    (probe.target, probe.login) = (job.target.clone(), job.login.clone());
    let diagnosis = scene.jobs.probe(probe).await;
    assert!(diagnosis.is_sound(), "{diagnosis:#?}");
    assert_eq!(diagnosis.facts.realm_hosts, std::slice::from_ref(&realm));
    assert_eq!(floor(), 0, "a probe changes nothing");
    let end = scene.run(job, CancellationToken::new()).await;
    assert_eq!(end, JobEnd::Closed(RunState::Complete), "{:?}", scene.failure());
    assert_eq!(floor(), 1);
    let state = scene.control_plane.state();
    assert_eq!(state.closed.as_ref().unwrap().facts.realm_hosts, [realm]);
    assert!(
        scene
            .tokens
            .requests()
            .iter()
            .any(|request| request.login.as_deref() == Some("reader"))
    );
}

#[tokio::test]
async fn a_token_service_that_the_credential_is_not_bound_to_is_never_contacted() {
    let scene = Scene::new(Content::demo()).await;
    let Sealed { bench, job, binding } = sealed(&scene, |_| {});
    let end = scene.run(job, CancellationToken::new()).await;
    assert_ne!(end, JobEnd::Closed(RunState::Complete));
    assert_eq!(scene.failure(), Some(FindingCode::CredentialUnbound));
    let state = scene.control_plane.state();
    let closing = state.closed.as_ref().unwrap();
    let seen = &closing.failure.as_ref().unwrap().seen;
    assert!(seen.contains("rule credential:realm"), "{seen}");
    // Named all the same, so that whoever seals again can be shown it.
    assert_eq!(closing.facts.realm_hosts, [scene.tokens.address().to_string()]);
    assert_eq!(scene.tokens.log().total(), 0);
    assert_eq!(
        scene
            .registry
            .log()
            .count(|seen: &Seen| seen.authorization.is_some()),
        0
    );
    assert_eq!(bench.keyring.version_floor(binding.credential).unwrap(), 0);
}

#[tokio::test]
async fn content_is_fetched_only_from_storage_that_the_credential_is_bound_to() {
    let scene = Scene::new(Content::demo()).await;
    scene
        .registry
        .behave(|behaviour| behaviour.blobs = BlobServing::Redirect);
    let realm = scene.tokens.address().to_string();
    let Sealed { job, .. } = sealed(&scene, |binding| {
        binding.realm_hosts = hosts(std::slice::from_ref(&realm));
    });
    scene.run(job, CancellationToken::new()).await;
    assert_eq!(scene.registry.storage_log().total(), 0);
    assert!(
        codes(&scene).contains(&FindingCode::CredentialUnbound),
        "{:?}",
        codes(&scene)
    );
    let storage = scene.registry.storage_address().to_string();
    {
        let state = scene.control_plane.state();
        assert_eq!(state.closed.as_ref().unwrap().facts.storage_hosts, [storage]);
    }
}

fn client(registry: &RegistryDouble, login: &Arc<SealedLogin>) -> RegistryClient {
    client_by(registry, login, Arc::new(AnyHost))
}

/// The client of a job that holds this login, and has this gate beside.
fn client_by(registry: &RegistryDouble, login: &Arc<SealedLogin>, gate: Arc<dyn Gate>) -> RegistryClient {
    let trust = RegistryTrust::new(SystemRoots::none(), &CaTrust::default(), None).unwrap();
    let mut access = Access::new(registry.url().parse().unwrap(), trust);
    let source = SealedSource::of_sync(Arc::clone(login), Arc::clone(&access.refused));
    access.credentials = Arc::new(source);
    access.gate = Arc::new(BoundGate::new(gate, Arc::clone(login)));
    RegistryClient::new(access).unwrap()
}

/// A gate whose requests wait for their turn as long as the test likes.
#[derive(Default)]
struct Stalling {
    /// Requests that have asked for a place.
    asked: watch::Sender<u32>,
    /// How many of them have got one.
    given: watch::Sender<u32>,
}

impl Stalling {
    /// One that lets all through.
    fn open() -> Self {
        let open = Self::default();
        open.given.send_replace(u32::MAX);
        open
    }
}

#[async_trait]
impl Gate for Stalling {
    async fn ready(&self) {}

    async fn place(&self) -> Pass {
        self.asked.send_modify(|asked| *asked += 1);
        let turn = *self.asked.borrow();
        let mut given = self.given.subscribe();
        given.wait_for(|given| *given >= turn).await.unwrap();
        Pass::default()
    }

    fn contacted(&self, _: &Hop<'_>) {}

    fn received(&self, _: &Hop<'_>, _: usize) -> Result<(), Refusal> {
        Ok(())
    }

    fn check_host(&self, _: &Hop<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn check_address(&self, _: &Hop<'_>, _: IpAddr) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Whoever has the control plane can seal a credential of his own to a sensor, bound to whatever he likes, and can have a request wait: it must
/// not go with the login that it has along to where only that other credential may go.
#[tokio::test]
async fn t44_a_request_that_waits_is_not_let_through_by_a_version_that_came_meanwhile() {
    let tasks = Tasks::new(Shutdown::new());
    let account = |secret| Account::new("reader", secret).administrator();
    let foreign = TokenService::builder().account(account("next"));
    let foreign = foreign.start(None, &tasks).await.unwrap();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .tokens(&foreign)
        .start(None, &tasks)
        .await
        .unwrap();
    let port = registry.address().port();
    let bench = Bench::with_policy(&format!(
        "[[allow]]\nhost = \"127.0.0.1\"\nports = [{port}]\nplaintext = true\n"
    ));
    let target = Bench::target(&registry.url());
    let realm = foreign.address().to_string();
    let mut binding = bench.binding(&target);
    let entered = bench.seal_password(&binding, SECRET);
    (binding.version, binding.realm_hosts) = (2, hosts(std::slice::from_ref(&realm)));
    let made_up = bench.seal_password(&binding, "next");

    // The first request is answered with where tokens are to be had; the one for a token waits.
    let login = bench.vault.take(&entered, &target).unwrap();
    let gate = Arc::new(Stalling::default());
    gate.given.send_replace(1);
    let client = client_by(&registry, &login, Arc::<Stalling>::clone(&gate));
    let name = "acme/shop/api".parse().unwrap();
    let waits = async {
        let mut asked = gate.asked.subscribe();
        asked.wait_for(|asked| *asked == 2).await.unwrap();
        bench.vault.renew(&made_up, &login).unwrap();
        gate.given.send_replace(u32::MAX);
    };
    let mut tags = client.tags(&name);
    let (asked, ()) = tokio::join!(tags.next_page(), waits);
    let unbound =
        |fault: &Fault| matches!(fault, Fault::Policy { rule, .. } if rule == "credential:realm.later");
    let error = asked.unwrap_err();
    assert!(unbound(error.fault()), "{error:?}");
    let seen = error.finding().seen;
    assert!(seen.contains("the next one goes there"), "{seen}");
    assert_eq!(foreign.log().total(), 0, "it was not even connected to");

    // Nor does the job go there with the version that it holds now, or with one that widens what it may once more.
    (binding.version, binding.realm_hosts) = (3, BoundHosts::default());
    let narrow = bench.seal_password(&binding, "next");
    bench.vault.renew(&narrow, &login).unwrap();
    bench.vault.withdraw(&[]);
    binding.version = 4;
    binding.realm_hosts = hosts(std::slice::from_ref(&realm));
    let wide = bench.seal_password(&binding, "next");
    bench.vault.renew(&wide, &login).unwrap();
    let error = client.tags(&name).next_page().await.unwrap_err();
    assert!(unbound(error.fault()), "{error:?}");
    assert_eq!(foreign.log().total(), 0);
    // The next job has never held another.
    let next = bench.vault.take(&wide, &target).unwrap();
    client_by(&registry, &next, Arc::new(Stalling::open()))
        .tags(&name)
        .next_page()
        .await
        .unwrap();
    assert!(foreign.log().total() > 0);
}

#[tokio::test]
async fn a_newer_version_is_sent_with_the_next_request_and_a_withdrawn_one_with_none() {
    let tasks = Tasks::new(Shutdown::new());
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .basic("reader", SECRET)
        .start(None, &tasks)
        .await
        .unwrap();
    let port = registry.address().port();
    let bench = Bench::with_policy(&format!(
        "[[allow]]\nhost = \"127.0.0.1\"\nports = [{port}]\nplaintext = true\n"
    ));
    let target = Bench::target(&registry.url());
    let mut binding = bench.binding(&target);
    let seal = |binding: &CredentialBinding, password| bench.seal_password(binding, password);
    // What was entered first is wrong, and remembered as that.
    let login = bench.vault.take(&seal(&binding, "wrong"), &target).unwrap();
    let client = client(&registry, &login);
    let name = "acme/shop/api".parse().unwrap();
    let ask = || async { client.tags(&name).next_page().await };
    let error = ask().await.unwrap_err();
    assert!(matches!(error.fault(), Fault::LoginRefused { .. }), "{error:?}");
    let shown = || registry.log().count(|seen| seen.authorization.is_some());
    let refusals = shown();
    ask().await.unwrap_err();
    assert_eq!(shown(), refusals, "not shown again");
    binding.version = 2;
    bench.vault.renew(&seal(&binding, SECRET), &login).unwrap();
    ask().await.unwrap();
    assert_eq!(bench.keyring.version_floor(binding.credential).unwrap(), 2);

    // The registry forgets it and learns it again: entered anew as it was, it is tried.
    binding.version = 3;
    bench.vault.renew(&seal(&binding, "wrong"), &login).unwrap();
    let before = shown();
    assert!(matches!(
        ask().await.unwrap_err().fault(),
        Fault::LoginRefused { .. }
    ));
    assert_eq!(shown(), before + 1, "a new version is tried, once");

    bench.vault.withdraw(&[binding.credential]);
    let before = shown();
    let error = ask().await.unwrap_err();
    assert_eq!(error.finding().code, FindingCode::CredentialRefused);
    assert!(
        error.finding().seen.contains("was withdrawn"),
        "{}",
        error.finding()
    );
    assert_eq!(shown(), before);
}

#[tokio::test]
async fn where_tokens_are_given_a_newer_version_asks_for_its_own_and_nothing_is_sent_as_nobody() {
    let tasks = Tasks::new(Shutdown::new());
    let tokens = TokenService::builder()
        .account(Account::new("reader", SECRET).administrator())
        .start(None, &tasks)
        .await
        .unwrap();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .tokens(&tokens)
        .start(None, &tasks)
        .await
        .unwrap();
    let port = registry.address().port();
    let bench = Bench::with_policy(&format!(
        "[[allow]]\nhost = \"127.0.0.1\"\nports = [{port}]\nplaintext = true\n"
    ));
    let target = Bench::target(&registry.url());
    let mut binding = bench.binding(&target);
    binding.realm_hosts = hosts(&[tokens.address().to_string()]);
    let first = bench.seal_password(&binding, SECRET);
    let login = bench.vault.take(&first, &target).unwrap();
    let client = client(&registry, &login);
    let name = "acme/shop/api".parse().unwrap();
    client.tags(&name).next_page().await.unwrap();
    let as_nobody = || registry.log().count(|seen| seen.authorization.is_none());
    let (before, asked) = (as_nobody(), tokens.requests().len());
    tokens.set_secret("reader", "next");
    binding.version = 2;
    bench
        .vault
        .renew(&bench.seal_password(&binding, "next"), &login)
        .unwrap();
    client.tags(&name).next_page().await.unwrap();
    assert_eq!(as_nobody(), before);
    let since = &tokens.requests()[asked..];
    assert!(
        !since.is_empty() && since.iter().all(|request| request.status == 200),
        "{since:?}"
    );
    assert_eq!(bench.keyring.version_floor(binding.credential).unwrap(), 2);
}
