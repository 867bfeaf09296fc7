//! Sealing keys: replaced in time, made known, and what was sealed to former ones moved to the latest.
//!
//! Every step can be the last before a crash. A new key is on disk beside the former one before anybody hears of it; what is sealed to the
//! former one is moved only once the control plane has confirmed the new one, wrap by wrap; the former one is deleted only after the
//! control plane, asked again, has named no wrap for it any more.
//!
//! Wraps are made for one key only, the latest of this sensor: no message names another.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use portolan_proto::convert::sealed;
use portolan_proto::v1;
use portolan_proto::v1::sealing_client::SealingClient;
use portolan_shared::model::limits;
use portolan_shared::process::{Clock, Rng, Uptime};
use portolan_shared::secret::sealed::{Recipient, RewrapError, SealedForOne, Wrap, rewrap};
use serde_json::json;
use tokio::time::timeout;

use super::channel::Channel;
use super::failure::Failure;
use super::reconnect::Decorrelated;
use crate::audit::{Entry, Outcome, Rate};
use crate::credentials::SealedVault;
use crate::keyring::{FORMER_KEY_LIFE, GenerationRefused, Keyring, KeyringError, Moment, SealingKeys};

const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Pages of wraps that are moved in one go; the rest follows a little later.
const PAGES: usize = 512;
/// How often a generation is judged that is not believed: a session may last for weeks, and what there is too much of within a day is not too much
/// on the next.
const JUDGE_EVERY: Duration = Duration::from_secs(3_600);

pub(super) type Working = Pin<Box<dyn Future<Output = Result<bool, Failure>> + Send>>;

/// Who keeps wraps.
#[async_trait]
pub(super) trait SealingService: Send + Sync {
    async fn publish(&self, statement: v1::SealingKeyStatement) -> Result<(), Failure>;
    async fn outdated(&self) -> Result<Vec<v1::SealedCredential>, Failure>;
    /// Whether the wrap was still the one that was to be replaced.
    async fn rewrap(&self, request: v1::RewrapRequest) -> Result<bool, Failure>;
}

/// The control plane, over a session's connection.
pub(super) struct OverChannel(pub(super) Channel);

impl OverChannel {
    fn client(&self) -> SealingClient<Channel> {
        SealingClient::with_origin(self.0.clone(), self.0.origin())
            .max_decoding_message_size(limits::SESSION_MESSAGE_BYTES)
    }

    async fn answer<T>(
        &self,
        call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>> + Send,
    ) -> Result<T, Failure> {
        match timeout(ANSWER_WITHIN, call).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(self.0.failure(&status)),
            Err(_) => Err(Failure::Timeout {
                what: "an answer about sealing keys",
                seconds: ANSWER_WITHIN.as_secs(),
            }),
        }
    }
}

#[async_trait]
impl SealingService for OverChannel {
    async fn publish(&self, statement: v1::SealingKeyStatement) -> Result<(), Failure> {
        self.answer(self.client().publish_key(statement)).await.map(drop)
    }

    async fn outdated(&self) -> Result<Vec<v1::SealedCredential>, Failure> {
        let mut client = self.client();
        let asked = self.answer(client.outdated_wraps(v1::OutdatedWrapsRequest {}));
        Ok(asked.await?.wraps)
    }

    async fn rewrap(&self, request: v1::RewrapRequest) -> Result<bool, Failure> {
        let mut client = self.client();
        let asked = self.answer(client.rewrap(request));
        Ok(asked.await?.replaced)
    }
}

/// What the work is done with.
#[derive(Clone)]
pub(super) struct SealingParts {
    pub(super) keyring: Arc<Keyring>,
    pub(super) vault: Arc<SealedVault>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rng: Arc<dyn Rng>,
}

fn local(error: &KeyringError) -> Failure {
    Failure::of_state(error)
}

impl SealingParts {
    /// Makes the latest key known, if it is not, or `again`; then moves what was sealed to former ones, and deletes them. Whether nothing
    /// is left to be done.
    pub(super) async fn settle(&self, service: &dyn SealingService, again: bool) -> Result<bool, Failure> {
        let Some(mut keys) = self.keyring.sealing_keys() else {
            return Ok(true);
        };
        if again || !keys.latest().accepted {
            let signed = self
                .keyring
                .sealing_statement(&keys)
                .map_err(|error| local(&error))?;
            let Some(signed) = signed else {
                return Ok(true);
            };
            let statement = v1::SealingKeyStatement {
                statement: signed.unverified().encode().into(),
                signature: signed.signature().to_vec().into(),
            };
            service.publish(statement).await?;
            let key = keys.latest().pair.id();
            tracing::info!(%key, "the control plane knows the sealing key");
            self.vault.record(Rate::SAID, "", || {
                Entry::by_agent(
                    "sealing_key.published",
                    format!("sealing_key:{key}"),
                    json!({"again": again}),
                )
            });
            let accepted = self.keyring.store_sealing_keys(keys.accepted());
            keys = accepted.map_err(|error| local(&error))?;
        }
        if !keys.has_former() {
            return Ok(true);
        }
        for _ in 0..PAGES {
            let wraps = service.outdated().await?;
            if wraps.is_empty() {
                self.vault.move_to(&keys, &*self.rng);
                let alone = self.keyring.store_sealing_keys(keys.alone());
                alone.map_err(|error| local(&error))?;
                tracing::info!("nothing is sealed to a former sealing key any more: it was deleted");
                return Ok(true);
            }
            let mut moved = false;
            for wire in wraps.iter().take(limits::OUTDATED_WRAPS) {
                let Some((from, wrap)) = self.moved(wire, &keys) else {
                    continue;
                };
                let request = v1::RewrapRequest {
                    credential_id: from.binding.credential.as_bytes().to_vec().into(),
                    version: from.binding.version,
                    replaced_key_id: from.wrap.sealing_key().as_bytes().to_vec().into(),
                    wrap: wrap.encode().into(),
                };
                let replaced = service.rewrap(request).await?;
                self.vault.record(Rate::DONE, "", || {
                    let object = format!("credential:{}", from.binding.credential);
                    let details = json!({
                        "version": from.binding.version,
                        "to": wrap.sealing_key().to_string(),
                        "replaced": replaced,
                    });
                    Entry::by_agent("credential.sealed_again", object, details)
                });
                moved |= replaced;
            }
            if !moved {
                break;
            }
        }
        Ok(false)
    }

    /// The same for this sensor's latest key; `None`, and a word in the log, for what is not this sensor's to seal again.
    fn moved(&self, wire: &v1::SealedCredential, keys: &SealingKeys) -> Option<(SealedForOne, Wrap)> {
        let refused = |why: String| {
            tracing::warn!(why, "a credential was not sealed again");
            None
        };
        let from = match sealed(wire) {
            Ok(from) => from,
            Err(error) => return refused(error.to_string()),
        };
        let binding = &from.binding;
        if binding.tenant != self.keyring.enrolled().tenant {
            return refused("it is of another tenant".to_owned());
        }
        match self.keyring.version_floor(binding.credential) {
            Ok(floor) if binding.version < floor => {
                return refused(format!(
                    "version {floor} of it has worked, and this is an older one"
                ));
            }
            Ok(_) => {}
            Err(error) => return refused(error.to_string()),
        }
        let Some(pair) = keys.pair(from.wrap.sealing_key()) else {
            return refused("it is sealed to a key that this sensor does not hold any more".to_owned());
        };
        let me = self.keyring.sensor();
        let to = Recipient::own(me, &keys.latest().pair);
        match rewrap(binding, &from.payload, &from.wrap, me, pair, &to, &*self.rng) {
            Ok(wrap) => Some((from, wrap)),
            Err(RewrapError::Open(error)) => refused(error.to_string()),
            Err(error @ RewrapError::Key(_)) => refused(error.to_string()),
        }
    }
}

/// Sees to the sealing keys of a running sensor.
pub(super) struct SealingDesk {
    parts: SealingParts,
    moments: Option<(Moment, Option<Moment>)>,
    /// Made known since this process began.
    published: bool,
    settled: bool,
    /// The generation that the control plane has said last, if it is not believed, and when it is judged again.
    unbelieved: Option<(u64, Uptime)>,
    not_before: Uptime,
    retry: Decorrelated,
    pub(super) working: Option<Working>,
}

impl SealingDesk {
    pub(super) fn new(parts: SealingParts) -> Self {
        Self {
            not_before: parts.clock.uptime(),
            parts,
            moments: None,
            published: false,
            settled: true,
            unbelieved: None,
            retry: Decorrelated::new(Duration::from_secs(30), Duration::from_secs(15 * 60)),
            working: None,
        }
    }

    fn store(&mut self, keys: SealingKeys) {
        if let Err(error) = self.parts.keyring.store_sealing_keys(keys) {
            tracing::error!(%error, "the sealing keys cannot be stored; the former ones stay in use");
        }
        self.moments = None;
    }

    /// A session was opened, by a sensor of this generation; 0 if the control plane does not say.
    pub(super) fn opened(&mut self, generation: u64) {
        // What was begun over the former session might store keys over those that follow from this one.
        self.working = None;
        if self.parts.keyring.sealing_keys().is_none() {
            return;
        }
        if let Err(refused) = self.judge(generation) {
            tracing::error!(%refused, advice = refused.advice(), "the sealing key stays as it is");
            self.parts.vault.record(Rate::SAID, "", || {
                let details =
                    json!({"known": refused.known, "said": refused.said, "why": refused.to_string()});
                Entry::by_control_plane("generation.refused", "sensor", details).with(Outcome::Refused)
            });
        }
        self.begin();
    }

    /// There may be something to do.
    fn begin(&mut self) {
        self.settled = false;
        self.not_before = self.parts.clock.uptime();
        self.retry.reset();
    }

    /// Judges the generation that the control plane says; while it is not believed the keyring warns of it.
    fn judge(&mut self, generation: u64) -> Result<(), GenerationRefused> {
        let SealingParts {
            keyring, clock, rng, ..
        } = self.parts.clone();
        let Some(keys) = keyring.sealing_keys() else {
            return Ok(());
        };
        let judged = keys.of_generation(generation, keyring.both_clocks(clock.now()), &*rng);
        let again_at = Uptime(clock.uptime().0 + JUDGE_EVERY);
        self.unbelieved = judged.is_err().then_some((generation, again_at));
        keyring.doubt_generation(judged.as_ref().err());
        if let Some(changed) = judged? {
            self.raise(&keys, changed);
        }
        Ok(())
    }

    /// Judges again what was not believed, if it is time to.
    fn judge_again(&mut self) {
        let now = self.parts.clock.uptime();
        let due = self.unbelieved.filter(|(_, again_at)| *again_at <= now);
        if let Some((generation, _)) = due.filter(|_| self.working.is_none())
            && self.judge(generation).is_ok()
        {
            self.begin();
        }
    }

    /// The sensor is of a later generation.
    fn raise(&mut self, before: &SealingKeys, keys: SealingKeys) {
        let generation = keys.latest().generation;
        if keys.latest().pair.id() != before.latest().pair.id() {
            tracing::warn!(
                generation,
                "this sensor was approved after a conflict: it has a new sealing key"
            );
        }
        self.parts.vault.record(Rate::SAID, "", || {
            let details = json!({"from": before.latest().generation, "to": generation});
            Entry::by_control_plane("generation.changed", "sensor", details)
        });
        self.store(keys);
    }

    /// Looks at the clocks, and begins what is to be done if there is a connection to do it over.
    pub(super) fn look(&mut self, over: Option<Channel>) {
        self.judge_again();
        let Some(keys) = self.parts.keyring.sealing_keys() else {
            return;
        };
        let clock = Arc::clone(&self.parts.clock);
        let (rotation, deletion) = *self.moments.get_or_insert_with(|| keys.moments(&*clock));
        if self.working.is_some() {
            return;
        }
        if rotation.has_come(&*clock) {
            tracing::info!("the sealing key is replaced in time");
            let now = self.parts.keyring.both_clocks(clock.now());
            self.store(keys.rotated(now, &*self.parts.rng));
            self.settled = false;
        } else if deletion.is_some_and(|moment| moment.has_come(&*clock)) {
            tracing::warn!(
                "a former sealing key is deleted in time: what is still sealed to it must be entered again"
            );
            self.parts.vault.move_to(&keys, &*self.parts.rng);
            let now = clock.now();
            let ended = keys.without_ended(|at| at.checked_add(FORMER_KEY_LIFE).is_ok_and(|end| end <= now));
            // By uptime alone: the clock was set back, and which of them it is cannot be told.
            self.store(ended.unwrap_or_else(|| keys.alone()));
        }
        if let Some(channel) = over.filter(|_| !self.settled && clock.uptime() >= self.not_before) {
            let (parts, again) = (self.parts.clone(), !self.published);
            self.working = Some(Box::pin(async move {
                parts.settle(&OverChannel(channel), again).await
            }));
        }
    }

    /// The work ended.
    pub(super) fn done(&mut self, result: &Result<bool, Failure>) {
        self.moments = None;
        match result {
            Ok(true) => {
                (self.published, self.settled) = (true, true);
                self.retry.reset();
                return;
            }
            Ok(false) => self.published = true,
            Err(failure) => {
                tracing::warn!(
                    failure = failure.with_causes(),
                    "the sealing key is not settled with the control plane; trying again later"
                );
            }
        }
        let delay = self.retry.next(&*self.parts.rng);
        self.not_before = Uptime(self.parts.clock.uptime().0 + delay);
    }
}

#[cfg(test)]
#[path = "sealing_tests.rs"]
mod tests;
