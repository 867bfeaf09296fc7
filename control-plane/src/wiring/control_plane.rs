//! A running control plane.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portolan_shared::model::CaTrust;
use portolan_shared::process::{Shutdown, Tasks};
use portolan_shared::tls::{RegistryTrust, SystemRoots};
use portolan_store::Store;
use portolan_store::sqlite::SqliteStore;
use tokio::sync::oneshot;

use super::data_dir::DataDir;
use super::listeners::{Bound, Listeners};
use super::server_certificate::{ServerCertificate, people_tls};
use super::{Deps, StartError, metrics};
use crate::app::{
    App, AuditPace, Courier, Denials, Dispatcher, EventTally, Meters, Reaper, SessionCommand, Sessions,
    Signals, Watch, WebhookTests,
};
use crate::ca::Authority;
use crate::grpc::{Door, DoorParts};
use crate::outgoing::{AddressBlock, HttpCourier, HttpCourierParts, SystemNames};
use crate::settings::Settings;
use crate::web;

/// How long the last words of sessions may take once everything is cut.
const CUT: Duration = Duration::from_secs(1);
/// How long tasks may take to end once everything is cut.
const END: Duration = Duration::from_secs(5);
/// How often it is looked whether everybody has left.
const LOOK: Duration = Duration::from_millis(20);

/// A running control plane. Dropping it does not stop it: its tasks belong to the runtime.
pub struct ControlPlane {
    app: Arc<App>,
    sessions: Arc<Sessions>,
    meters: Arc<Meters>,
    door: Arc<Door>,
    tasks: Tasks,
    /// Ends when nobody is left at the people's listener.
    people: oneshot::Receiver<Infallible>,
    bound: Bound,
    drain: Duration,
    data_dir: DataDir,
}

impl ControlPlane {
    /// Builds everything, opens the listeners and starts the tasks. On first start it also makes the CAs, the first tenant and the
    /// admin token.
    pub async fn start(settings: Settings, deps: Deps) -> Result<Self, StartError> {
        let http_tls = settings.http.tls.as_ref().map(people_tls).transpose()?;
        let data_dir = DataDir::open(&settings.data_dir)?;
        data_dir.must_not_be_gone()?;
        let authority = Arc::new(data_dir.authority(deps.clock.now(), Arc::clone(&deps.rng))?);
        let pepper = data_dir.pepper(deps.rng.as_ref())?;
        let store: Arc<dyn Store> = Arc::new(
            SqliteStore::open(&data_dir.database())
                .await?
                .with_runs_per_tenant(settings.runs_per_tenant),
        );
        data_dir.must_be_present(&*store).await?;
        data_dir.beat(&*store).await?;
        let audit_key = data_dir.audit_key(&*store, deps.rng.as_ref()).await?;
        let listeners = Listeners::open(&settings).await?;
        let bound = listeners.bound;
        let tasks = Tasks::new(Shutdown::new());
        let app = Arc::new(App {
            store,
            clock: deps.clock,
            rng: deps.rng,
            pepper,
            audit_key,
            pace: AuditPace::default(),
            event_tally: EventTally::default(),
            promises: Arc::default(),
            deployment: authority.deployment().to_owned(),
            sensor_url: settings.sensors.url_for(bound.sensors),
            server_pins: authority.server_pins(),
            courier: courier(settings.webhook_allow)?,
            webhook_tests: WebhookTests::default(),
            tasks: tasks.clone(),
            signals: Signals::default(),
        });
        data_dir.first_start(&app).await?;
        let denials = Arc::new(Denials::new(Arc::clone(&app.clock)));
        denials.poll(&app).await?;
        let door = Door::new(DoorParts {
            app: Arc::clone(&app),
            authority: Arc::clone(&authority),
            sessions: Arc::new(Sessions::new()),
            denials: Arc::clone(&denials),
            meters: Arc::new(Meters::new()?),
            tasks: tasks.clone(),
            limits: settings.sensors.limits.clone(),
        });
        let (people_are_there, people) = oneshot::channel();
        let control_plane = Self {
            sessions: door.sessions(),
            meters: door.meters(),
            app,
            door,
            tasks,
            people,
            bound,
            drain: settings.sensors.limits.drain,
            data_dir,
        };
        let names = settings.sensors.names_for(bound.sensors);
        control_plane.spawn_listeners(&authority, names, listeners, http_tls, people_are_there)?;
        control_plane.app.note_authority(&authority).await?;
        control_plane.spawn_background(denials);
        tracing::info!(
            sensors = %bound.sensors,
            http = %bound.http,
            url = control_plane.app.sensor_url,
            "the control plane is up"
        );
        Ok(control_plane)
    }

    fn spawn_listeners(
        &self,
        authority: &Arc<Authority>,
        names: Vec<String>,
        listeners: Listeners,
        http_tls: Option<rustls::ServerConfig>,
        people_are_there: oneshot::Sender<Infallible>,
    ) -> Result<(), StartError> {
        let shutdown = || self.tasks.shutdown().clone();
        let clock = Arc::clone(&self.app.clock);
        let certificate = ServerCertificate::issue(Arc::clone(authority), clock, names)?;
        let serve = self
            .door
            .serve(listeners.sensors, Arc::clone(&certificate.current))
            .map_err(|source| StartError::Tls {
                listener: "sensors'",
                source,
            })?;
        self.tasks.spawn("sensors' listener", serve);
        self.tasks.spawn(
            "server certificate",
            certificate.keep(Arc::clone(&self.app), shutdown()),
        );
        let draining = shutdown();
        let denials = Arc::clone(&self.door.denials);
        let ready = move || {
            if draining.is_draining() {
                Err("stopping")
            } else if denials.is_blind() {
                Err("the database does not say who is shut out")
            } else {
                Ok(())
            }
        };
        let people = web::router(Arc::clone(&self.app), ready);
        let serve = web::serve_sources(
            listeners.http_per_source,
            listeners.http,
            http_tls,
            people,
            shutdown(),
        );
        self.tasks.spawn("people's listener", async move {
            serve.await;
            drop(people_are_there);
        });
        if let Some(listener) = listeners.metrics {
            let router = metrics::router(Arc::clone(&self.meters), Arc::clone(&self.app));
            self.tasks
                .spawn("metrics listener", web::serve(listener, None, router, shutdown()));
        }
        Ok(())
    }

    fn spawn_background(&self, denials: Arc<Denials>) {
        let shutdown = || self.tasks.shutdown().clone();
        let dispatcher = Arc::new(Dispatcher::new(
            Arc::clone(&self.app),
            Arc::clone(&self.sessions),
            Arc::clone(&denials),
            Arc::clone(&self.meters),
        ));
        let door = Arc::clone(&self.door);
        let denials_seen = Arc::clone(&denials);
        let watch = denials.watch(Arc::clone(&self.app), shutdown(), move |denial| {
            door.shut_out(denial);
        });
        self.tasks.spawn("denials", watch);
        let age = Watch::default().keep(
            denials_seen,
            Arc::clone(&self.sessions),
            Arc::clone(&self.meters),
            shutdown(),
        );
        self.tasks.spawn("age of denials", age);
        self.tasks
            .spawn("dispatch", Arc::clone(&dispatcher).lease(shutdown()));
        self.tasks
            .spawn("withdrawn leases", Arc::clone(&dispatcher).withdraw(shutdown()));
        self.tasks
            .spawn("probes", Arc::clone(&dispatcher).bring_probes(shutdown()));
        let reaper = Reaper::new(
            Arc::clone(&self.app),
            Arc::clone(&self.sessions),
            Arc::clone(&self.meters),
        );
        self.tasks.spawn("lost leases", reaper.reap(shutdown()));
        let app = || Arc::clone(&self.app);
        let pulse = self
            .data_dir
            .keep_beating(Arc::clone(&self.app.store), shutdown());
        self.tasks.spawn("pulse of the database", pulse);
        self.tasks.spawn("schedules", app().keep_schedule(shutdown()));
        let meters = Arc::clone(&self.meters);
        self.tasks
            .spawn("webhooks", app().deliver_webhooks(meters, shutdown()));
        self.tasks
            .spawn("audit checkpoints", app().keep_checkpoints(shutdown()));
        self.tasks.spawn("the past", app().keep_forgetting(shutdown()));
        self.tasks
            .spawn("readers of changes", app().end_feed_readers(shutdown()));
        self.tasks.spawn("old probes", app().forget_probes(shutdown()));
        self.tasks
            .spawn("event counts", app().keep_event_counts(shutdown()));
        let meters = Arc::clone(&self.meters);
        self.tasks.spawn(
            "unused sensors",
            app().look_after_unused_sensors(meters, shutdown()),
        );
        let sessions = Arc::clone(&self.sessions);
        self.tasks
            .spawn("foreign ids", app().note_foreign_ids(sessions, shutdown()));
        let sessions = Arc::clone(&self.sessions);
        self.tasks
            .spawn("last seen", sessions.flush(Arc::clone(&self.app), shutdown()));
    }

    /// Where it listens.
    #[must_use]
    pub fn bound(&self) -> Bound {
        self.bound
    }

    /// The use cases.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Who is connected.
    #[must_use]
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// What is counted.
    #[must_use]
    pub fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }

    /// The file with the first API token.
    #[must_use]
    pub fn admin_token_path(&self) -> PathBuf {
        self.data_dir.admin_token()
    }

    /// Returns when the control plane begins to stop by itself: a task of it has failed.
    pub async fn failed(&self) {
        self.tasks.shutdown().draining().await;
    }

    /// Stops: nothing new is taken, sensors are sent elsewhere, people's requests at hand are answered and streams ended, then everything that is left is
    /// cut. Gives whether all went well.
    pub async fn stop(mut self) -> bool {
        tracing::info!(sessions = self.sessions.count(), "the control plane stops");
        self.tasks.shutdown().start_drain();
        let sessions = self.sessions.all();
        let slot = self.drain.div_f64(f64::from(
            u32::try_from(sessions.len().max(1)).unwrap_or(u32::MAX),
        ));
        for (i, session) in sessions.iter().enumerate() {
            let after = slot.saturating_mul(u32::try_from(i).unwrap_or(u32::MAX));
            session.tell(SessionCommand::Drain(after));
        }
        let sensors = until(|| self.sessions.count() == 0);
        let left = async { tokio::join!(sensors, &mut self.people) };
        // Whoever has not left by then is cut.
        let _ = tokio::time::timeout(self.drain, left).await;
        self.tasks.shutdown().start_cut();
        let sessions = until(|| self.sessions.count() == 0);
        let _ = tokio::time::timeout(CUT, sessions).await;
        let connections = until(|| self.door.connections().count() == 0);
        let _ = tokio::time::timeout(CUT, connections).await;
        self.end().await
    }

    /// Stops at once, as if the process were killed, except that nothing of it is left behind.
    pub async fn kill(self) {
        self.tasks.shutdown().start_cut();
        self.end().await;
    }

    async fn end(self) -> bool {
        self.door.connections().cut_all();
        let ended = tokio::time::timeout(END, self.tasks.ended()).await.is_ok();
        if !ended {
            tracing::warn!(running = self.tasks.running(), "tasks did not end");
        }
        self.app.take_checkpoints_or_say_why().await;
        self.app.store.close().await;
        ended && !self.tasks.any_failed()
    }
}

/// Looks again and again until something holds.
async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(LOOK).await;
    }
}

/// The way out to webhooks: to whom the machine trusts, by the names that it knows.
fn courier(exceptions: Vec<AddressBlock>) -> Result<Arc<dyn Courier>, StartError> {
    let trust = RegistryTrust::new(SystemRoots::load(), &CaTrust::default(), None)?;
    Ok(Arc::new(HttpCourier::new(HttpCourierParts {
        exceptions,
        trust,
        names: Arc::new(SystemNames),
        patience: HttpCourierParts::PATIENCE,
    })))
}

impl fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlPlane")
            .field("bound", &self.bound)
            .finish_non_exhaustive()
    }
}
