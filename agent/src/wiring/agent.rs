//! A sensor, from its settings to its running parts.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use portolan_registry::{Environment as RegistryEnvironment, Limits, SystemResolver};
use portolan_shared::process::{Clock, Rng, Tasks};
use portolan_shared::tls::{RegistryTrust, SystemRoots};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::machine::{boot_id, host_facts, machine_fingerprint};
use super::notify::Notifications;
use super::report::Gatherer;
use super::start::note_start;
use crate::audit::{
    AuditLog, AuditLogError, AuditedJobs, Entry, Outgoing, Witness, keep, note_sessions,
    take_account_of_enrolment,
};
use crate::credentials::SealedVault;
use crate::jobs::{Jobs, RegistryAccess, RegistryJobs};
use crate::keyring::{Keyring, KeyringError, StateDir};
use crate::notify::NotifyError;
use crate::policy::{ControlPlaneDoors, LivePolicy, PolicyError};
use crate::settings::{Environment, Settings};
use crate::status::{StatusReport, StatusSocket, StatusSource, serve_health};
use crate::uplink::{
    Connector, Endpoint, Failure, Phase, Uplink, UplinkEnd, UplinkHandle, UplinkParts, UplinkView,
};

/// What an agent is made of.
pub struct AgentParts {
    /// Its settings.
    pub settings: Settings,
    /// The environment that credential references speak of.
    pub environment: Environment,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// Owns everything that runs, and carries the shutdown.
    pub tasks: Tasks,
}

/// An agent could not be started.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its state.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Its policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Its audit log: what cannot be recorded is not done.
    #[error(transparent)]
    Audit(#[from] AuditLogError),
    /// Its enrolment.
    #[error("the enrolment cannot be used")]
    Uplink(#[source] Failure),
    /// The health port.
    #[error("cannot listen on {address} for health requests")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The listener for push events.
    #[error(transparent)]
    Notify(#[from] NotifyError),
}

/// How an agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentEnd {
    /// It was told to stop.
    Stopped,
    /// Its sensor was revoked; its keys are destroyed.
    Revoked,
}

/// A sensor that is ready to run.
pub struct Agent {
    uplink: Uplink,
    gatherer: Arc<Gatherer>,
    view: watch::Receiver<UplinkView>,
    health: Option<TcpListener>,
    notifications: Notifications,
    data_dir: PathBuf,
    tasks: Tasks,
}

/// For looking at a running agent, and for telling it things.
#[derive(Clone)]
pub struct AgentHandle {
    policy: Arc<LivePolicy>,
    audit: Arc<AuditLog>,
    uplink: UplinkHandle,
    source: Arc<dyn StatusSource>,
    health: Option<SocketAddr>,
    notify: Option<SocketAddr>,
}

impl Agent {
    /// Opens the state, reads the policy, binds ports. Contacts nothing and starts no task.
    pub async fn build(parts: AgentParts) -> Result<(AgentHandle, Self), AgentError> {
        let roots = SystemRoots::load();
        Self::build_with(parts, |policy, audit, parts| {
            let jobs = RegistryJobs::new(RegistryAccess {
                policy,
                system_roots: roots,
                certs_dir: Some(PathBuf::from(RegistryTrust::CERTS_DIR)),
                environment: RegistryEnvironment::new(parts.environment.to_map()),
                resolver: Arc::new(SystemResolver),
                proxy: parts.settings.registry_proxy.clone(),
                limits: Limits::default(),
                data_dir: Some(parts.settings.data_dir.clone()),
                clock: Arc::clone(&parts.clock),
                rng: Arc::clone(&parts.rng),
            });
            Arc::new(jobs.audited(audit))
        })
        .await
    }

    /// As [`Agent::build`], with other jobs than those that read registries: for tests.
    pub async fn build_with(
        parts: AgentParts,
        jobs: impl FnOnce(Arc<LivePolicy>, Arc<AuditLog>, &AgentParts) -> Arc<dyn Jobs>,
    ) -> Result<(AgentHandle, Self), AgentError> {
        let settings = &parts.settings;
        let keyring = Arc::new(Keyring::open(StateDir::open(&settings.data_dir)?)?);
        let doors = Arc::new(ControlPlaneDoors::new(Endpoint::places(
            &keyring.enrolled().endpoints,
        )));
        let policy = Arc::new(LivePolicy::load(&settings.policy)?.of_sensor(Arc::clone(&doors)));
        if policy.current().is_empty() {
            tracing::warn!(policy = %settings.policy.display(), "the policy allows nothing: every job will be refused");
        }
        if let Some(exposure) = policy.exposure() {
            tracing::warn!(
                exposure,
                "somebody else than this machine's administrator can change the policy"
            );
        }
        let health = match settings.health.listen {
            Some(address) => Some(
                TcpListener::bind(address)
                    .await
                    .map_err(|source| AgentError::Listen { address, source })?,
            ),
            None => None,
        };
        let notifications = Notifications::build(
            settings.notify.clone(),
            &policy,
            &parts.clock,
            &parts.rng,
            &parts.tasks,
        )
        .await?;
        let incarnation = keyring.count_start()?;
        keyring.sealing_keys_or_new(parts.clock.now(), &*parts.rng)?;
        let audit = AuditLog::open(&settings.data_dir, keyring.sensor(), Arc::clone(&parts.clock))?;
        let vault = SealedVault::new(
            Arc::clone(&keyring),
            Arc::clone(&policy),
            Arc::clone(&parts.clock),
        );
        let vault = Arc::new(vault.audited(Arc::clone(&audit)));
        let witness = Witness::open(&settings.data_dir, keyring.enrolled().tenant, Arc::clone(&audit))?;
        take_account_of_enrolment(&settings.data_dir, &audit);
        note_start(&audit, &keyring, settings, &policy, incarnation);
        let outgoing = Outgoing::new(&audit, Arc::clone(&parts.clock));
        let recorded = AuditedJobs::new(
            jobs(Arc::clone(&policy), Arc::clone(&audit), &parts),
            Arc::clone(&audit),
            Arc::clone(&parts.clock),
            Arc::clone(&outgoing),
        );
        let (handle, uplink) = Uplink::build(UplinkParts {
            keyring: Arc::clone(&keyring),
            policy: Arc::clone(&policy),
            vault,
            jobs: Arc::new(recorded),
            witness: Arc::clone(&witness),
            notify: Arc::clone(&notifications.desk),
            connector: Connector::new(
                settings.proxy.clone(),
                Arc::clone(&parts.clock),
                parts.tasks.clone(),
            )
            .counted_in(outgoing)
            .telling(doors),
            clock: Arc::clone(&parts.clock),
            rng: Arc::clone(&parts.rng),
            tasks: parts.tasks.clone(),
            host: host_facts(),
            boot_id: boot_id(),
            machine_fingerprint: machine_fingerprint(keyring.sensor()),
            incarnation,
            job_slots: settings.job_slots,
        })
        .map_err(AgentError::Uplink)?;
        let gatherer = Arc::new(Gatherer {
            keyring,
            policy: Arc::clone(&policy),
            proxies: parts.settings.registry_proxy.clone(),
            uplink: handle.clone(),
            audit: Arc::clone(&audit),
            witness,
            notify: notifications.look(),
            started: parts.clock.uptime(),
            clock: Arc::clone(&parts.clock),
        });
        let view = handle.view.clone();
        let handle = AgentHandle {
            policy,
            audit,
            uplink: handle,
            source: Arc::clone(&gatherer) as Arc<dyn StatusSource>,
            health: health.as_ref().and_then(|listener| listener.local_addr().ok()),
            notify: notifications.address(),
        };
        let agent = Self {
            uplink,
            gatherer,
            view,
            health,
            notifications,
            data_dir: parts.settings.data_dir.clone(),
            tasks: parts.tasks,
        };
        Ok((handle, agent))
    }

    /// Runs until the shutdown drains or cuts, or the sensor is revoked. The state directory is free for another agent afterwards, also if
    /// this is dropped before its end.
    pub async fn run(self) -> AgentEnd {
        let _release = Release(Arc::clone(&self.gatherer));
        let shutdown = self.tasks.shutdown().clone();
        let audit = Arc::clone(&self.gatherer.audit);
        let (keyring, clock) = (
            Arc::clone(&self.gatherer.keyring),
            Arc::clone(&self.gatherer.clock),
        );
        let source: Arc<dyn StatusSource> = self.gatherer;
        match StatusSocket::bind(&self.data_dir, Arc::clone(&source)) {
            Ok(socket) => self.tasks.spawn("status socket", socket.serve(shutdown.clone())),
            // A long path, or a file system without sockets: worth a word, not worth staying away.
            Err(error) => {
                tracing::warn!(%error, "no status socket: `portolan-agent status` will not see this agent");
            }
        }
        if let Some(listener) = self.health {
            self.tasks
                .spawn("health", serve_health(listener, source, shutdown.clone()));
        }
        self.notifications.start(&self.tasks);
        self.tasks.spawn(
            "audit log",
            keep(Arc::clone(&audit), keyring, clock, shutdown.clone()),
        );
        self.tasks
            .spawn("audit of sessions", note_sessions(Arc::clone(&audit), self.view));
        let end = self.uplink.run(shutdown.clone()).await;
        audit.append(Entry::by_agent(
            "agent.stop",
            "agent",
            json!({"revoked": end == UplinkEnd::Revoked}),
        ));
        shutdown.start_cut();
        match end {
            UplinkEnd::Stopped => AgentEnd::Stopped,
            UplinkEnd::Revoked => AgentEnd::Revoked,
        }
    }
}

struct Release(Arc<Gatherer>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.keyring.dir().release();
    }
}

impl AgentHandle {
    /// Reads the policy again; what is wrong with it is logged and shown in the status.
    pub fn reload_policy(&self) {
        let read = self.policy.reload();
        let (file, hash) = (
            self.policy.path().display().to_string(),
            HEXLOWER.encode(&self.policy.current().hash()),
        );
        let fault = read.as_ref().err().map(ToString::to_string);
        self.audit
            .append(Entry::policy("policy.reread", &file, &hash, fault.as_deref()));
        match read {
            Ok(()) => tracing::info!(
                policy = self.policy.current().summary(),
                "the policy was read again"
            ),
            Err(error) => {
                tracing::error!(%error, "the policy cannot be used: nothing is allowed until it is mended");
            }
        }
    }

    /// How things are.
    #[must_use]
    pub fn status(&self) -> StatusReport {
        self.source.report()
    }

    /// Where health is served, if it is.
    #[must_use]
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.health
    }

    /// Where registries can notify it, if they can.
    #[must_use]
    pub fn notify_address(&self) -> Option<SocketAddr> {
        self.notify
    }

    /// Where the way to the control plane stands.
    #[must_use]
    pub fn view(&self) -> watch::Receiver<UplinkView> {
        self.uplink.view.clone()
    }

    /// Returns once a session is open; false if the agent ends before.
    pub async fn connected(&self) -> bool {
        let mut view = self.view();
        view.wait_for(|view| view.phase == Phase::Connected).await.is_ok()
    }
}

/// The main loop is alive if it went round within this time: it looks at its clocks every second.
pub(super) const PULSE_WITHIN: Duration = Duration::from_secs(60);
