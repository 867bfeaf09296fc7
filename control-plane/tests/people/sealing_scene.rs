//! What the commands that seal are tried on: sensors with keys of their own, which answer probes, and a control plane that may lie about them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use data_encoding::BASE64;
use jiff::SignedDuration;
use portolan::app::LiveSession;
use portolan_shared::model::{Diagnosis, Finding, FindingCode, SensorId, Stage, StageReport, TenantId};
use portolan_shared::process::SystemRng;
use portolan_shared::secret::sealed::{
    CredentialBinding, CredentialSecret, IdentityPublicKey, SealedPayload, SealingKeyPair,
    SealingKeyStatement, SignedSealingKey, Wrap, open,
};
use serde_json::{Value, json};

use crate::desk::{Desk, Said};
use crate::world::{World, note};

/// What must never be seen.
pub(crate) const PASSWORD: &str = "glpat-hunter2";

/// A sensor with its keys.
pub(crate) struct Keyed {
    pub(crate) id: SensorId,
    pub(crate) name: String,
    pub(crate) identity: Ed25519KeyPair,
    pub(crate) pair: SealingKeyPair,
}

impl Keyed {
    /// Keys without a sensor: what an intruder would have.
    pub(crate) fn intruder(id: SensorId) -> Self {
        Self {
            id,
            name: "intruder".to_owned(),
            identity: Ed25519KeyPair::from_seed_unchecked(&[66; 32]).unwrap(),
            pair: SealingKeyPair::generate(&SystemRng),
        }
    }

    pub(crate) fn public_key(&self) -> IdentityPublicKey {
        IdentityPublicKey(self.identity.public_key().as_ref().try_into().unwrap())
    }

    pub(crate) fn fingerprint(&self) -> String {
        self.public_key().fingerprint().to_string()
    }

    /// What it says of its sealing key.
    pub(crate) fn statement(&self, tenant: TenantId, now: jiff::Timestamp) -> SealingKeyStatement {
        SealingKeyStatement {
            tenant,
            sensor: self.id,
            key: self.pair.public_key(),
            created_at: now.into(),
            not_after: (now + SignedDuration::from_hours(24 * 30)).into(),
            generation: 1,
        }
    }

    pub(crate) fn sign(&self, statement: &SealingKeyStatement) -> SignedSealingKey {
        let signature = self.identity.sign(&statement.encode());
        SignedSealingKey::new(*statement, signature.as_ref().try_into().unwrap())
    }

    /// The answer of a control plane that has this identity sign this.
    pub(crate) fn answer(&self, statement: &SealingKeyStatement) -> Value {
        json!({
            "sensor": self.name, "sensor_id": self.id.to_string(),
            "statement": BASE64.encode(&statement.encode()),
            "signature": BASE64.encode(self.sign(statement).signature()),
            "identity_public_key": BASE64.encode(&self.public_key().0),
            "identity_fingerprint": self.fingerprint(),
        })
    }

    /// Opens what a client sealed, if it is for this sensor.
    pub(crate) fn open(&self, sealed: &Value) -> Option<(CredentialBinding, CredentialSecret)> {
        let bytes = |text: &Value| BASE64.decode(text.as_str().unwrap().as_bytes()).unwrap();
        let binding = CredentialBinding::parse(&bytes(&sealed["binding"])).unwrap();
        let payload = SealedPayload::parse(&bytes(&sealed["payload"])).unwrap();
        let wraps = sealed["wraps"].as_array().unwrap().iter();
        let mut wraps = wraps.map(|wrap| Wrap::parse(&bytes(wrap)).unwrap());
        let wrap = wraps.find(|wrap| wrap.recipient() == self.id)?;
        let login = open(&binding, &payload, &wrap, self.id, &self.pair).ok()?;
        Some((binding, login))
    }
}

/// A request that reached the control plane.
#[derive(Clone)]
pub(crate) struct Taped {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: String,
}

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) desk: Desk,
    /// What the control plane says of any sealing key, in place of the truth.
    pub(crate) forged: Arc<Mutex<Option<Value>>>,
    tape: Arc<Mutex<Vec<Taped>>>,
    folder: tempfile::TempDir,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let mut world = World::new().await;
        let (tape, forged) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(Mutex::new(None::<Value>)),
        );
        let (taping, forging) = (Arc::clone(&tape), Arc::clone(&forged));
        world.router = world
            .router
            .layer(middleware::from_fn(move |request: Request, next: Next| {
                let (tape, forged) = (Arc::clone(&taping), Arc::clone(&forging));
                async move {
                    let (head, body) = request.into_parts();
                    let body = to_bytes(body, usize::MAX).await.unwrap();
                    let path = head.uri.path().to_owned();
                    tape.lock().unwrap().push(Taped {
                        method: head.method.to_string(),
                        path: path.clone(),
                        body: String::from_utf8(body.to_vec()).unwrap(),
                    });
                    let forged = forged.lock().unwrap().clone();
                    match forged.filter(|_| path.ends_with("/sealing-key")) {
                        Some(forged) => axum::Json(forged).into_response(),
                        None => next.run(Request::from_parts(head, Body::from(body))).await,
                    }
                }
            }));
        let folder = tempfile::tempdir().unwrap();
        let mut desk = Desk::open(&world).await;
        desk.environment.config_folder = Some(folder.path().join("portolan"));
        Self {
            world,
            desk,
            forged,
            tape,
            folder,
        }
    }

    pub(crate) fn pins(&self) -> PathBuf {
        self.folder.path().join("portolan/pins.json")
    }

    /// A file in a folder of the test's own.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A sensor that is connected and has published its key.
    pub(crate) async fn sensor(&self, name: &str) -> Keyed {
        let sensor = self.silent(name).await;
        self.world.session(sensor.id).await;
        self.publish(&sensor).await;
        sensor
    }

    /// One that never connected.
    pub(crate) async fn silent(&self, name: &str) -> Keyed {
        let mut seed = [0; 32];
        self.world.app.rng.fill(&mut seed);
        let identity = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let public = identity.public_key().as_ref().try_into().unwrap();
        Keyed {
            id: self.world.sensor_with_key(name, public).await,
            name: name.to_owned(),
            identity,
            pair: SealingKeyPair::generate(&SystemRng),
        }
    }

    pub(crate) async fn publish(&self, sensor: &Keyed) {
        let (app, now) = (&self.world.app, self.world.app.clock.now());
        let record = app
            .store
            .sensor(self.world.tenant, sensor.id)
            .await
            .unwrap()
            .unwrap();
        let statement = SealingKeyStatement {
            generation: record.generation,
            ..sensor.statement(self.world.tenant, now)
        };
        app.store
            .publish_key(&sensor.sign(&statement), now, &note(now))
            .await
            .unwrap();
    }

    /// Says something while a sensor answers one probe after another. Gives the logins that it could open, a probe each.
    pub(crate) async fn say(
        &self,
        line: &str,
        input: &str,
        sensor: &Keyed,
        answers: Vec<Diagnosis>,
    ) -> (Said, Vec<Option<CredentialSecret>>) {
        let mut logins = Vec::new();
        let said = tokio::select! {
            said = self.desk.say_with(line, input, &self.desk.environment) => said,
            never = self.answer(sensor, answers, &mut logins) => never,
        };
        (self.clean(said), logins)
    }

    /// The same, as a person at a terminal.
    pub(crate) async fn say_at_terminal(
        &self,
        line: &str,
        input: &str,
        sensor: &Keyed,
        answers: Vec<Diagnosis>,
    ) -> Said {
        let mut logins = Vec::new();
        let said = tokio::select! {
            said = self.desk.say_at_terminal(line, input) => said,
            never = self.answer(sensor, answers, &mut logins) => never,
        };
        self.clean(said)
    }

    /// That the password is in nothing that was said or sent, nor in any file here.
    fn clean(&self, said: Said) -> Said {
        assert!(!said.out.contains(PASSWORD), "{}", said.out);
        assert!(!said.err.contains(PASSWORD), "{}", said.err);
        assert!(!self.taped().iter().any(|taped| taped.body.contains(PASSWORD)));
        let pins = std::fs::read_to_string(self.pins()).unwrap_or_default();
        assert!(!pins.contains(PASSWORD));
        said
    }

    async fn answer(
        &self,
        sensor: &Keyed,
        answers: Vec<Diagnosis>,
        logins: &mut Vec<Option<CredentialSecret>>,
    ) -> Said {
        let app = &self.world.app;
        let mut answers = answers.into_iter();
        loop {
            app.signals.probes.notified().await;
            let now = app.clock.now();
            let mut waiting = app.store.waiting_probes(now, &[sensor.id], 1).await.unwrap();
            let Some(waiting) = waiting.pop().map(|waiting| waiting.probe) else {
                continue;
            };
            // Else the command would wait for ever.
            let diagnosis = answers.next().expect("a probe more than the test knows of");
            let login = waiting.trial.as_ref().and_then(|trial| {
                let mut wraps = trial.sealed.wraps.iter();
                let wrap = wraps.find(|wrap| wrap.recipient() == sensor.id)?;
                open(
                    &trial.binding,
                    &trial.sealed.payload,
                    wrap,
                    sensor.id,
                    &sensor.pair,
                )
                .ok()
            });
            logins.push(login);
            let epoch = self.world.session(sensor.id).await;
            let (session, _commands) = LiveSession::new(
                self.world.tenant,
                sensor.id,
                epoch,
                [1; 16],
                [2; 16],
                app.clock.now(),
            );
            app.report_probe(&session, waiting.id, diagnosis).await.unwrap();
        }
    }

    pub(crate) fn taped(&self) -> Vec<Taped> {
        self.tape.lock().unwrap().clone()
    }

    /// What was stored: bodies of `PUT …/credential` and of `POST /registries`.
    pub(crate) fn stored(&self) -> Vec<Value> {
        let stored = self.taped().into_iter().filter_map(|taped| {
            let body: Value = serde_json::from_str(&taped.body).ok()?;
            match (taped.method.as_str(), taped.path.as_str()) {
                ("POST", "/api/v1/registries") => Some(body["credential"].clone()),
                ("PUT", path) if path.ends_with("/credential") => Some(body),
                _ => None,
            }
        });
        stored.collect()
    }
}

/// A report that all is well, with hosts that were seen.
pub(crate) fn sound(realm: &[&str], storage: &[&str]) -> Diagnosis {
    let mut diagnosis = Diagnosis {
        stages: vec![StageReport::new(Stage::Tcp, 3, &[], Vec::new())],
        ..Diagnosis::default()
    };
    diagnosis.facts.realm_hosts = realm.iter().map(|host| (*host).to_owned()).collect();
    diagnosis.facts.storage_hosts = storage.iter().map(|host| (*host).to_owned()).collect();
    diagnosis
}

/// A report that ends in a stage with a finding.
pub(crate) fn failed(stage: Stage, code: FindingCode, realm: &[&str], storage: &[&str]) -> Diagnosis {
    let mut diagnosis = sound(realm, storage);
    let finding = Finding::new(code, "it was refused");
    diagnosis
        .stages
        .push(StageReport::new(stage, 3, &[], vec![finding]));
    diagnosis
}
