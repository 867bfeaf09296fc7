//! The audit logs of both sides, as a session sees them: what the sensor says of its own in heartbeats, and the checkpoints of the tenant's
//! on their way to it. Beside the machine, because nothing of it changes what the session does.

use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use portolan_proto::v1::sensor_message;
use portolan_shared::audit::{AuditHash, AuditHead};
use portolan_shared::model::limits;
use portolan_store::{SensorHead, SensorLeads, StoreError};

use super::step::Event;
use super::stream::SessionStream;

/// Whoever names this keeps checkpoints.
pub(super) const AUDIT: &str = "audit";

/// Heartbeats in a row that say that the log has grown, and nothing about how, until it counts as another log: a sensor that has to look it up
/// in old files needs a few.
const UNANSWERED: u32 = 20;

/// What was said last.
#[derive(Debug, Default)]
pub(super) struct AuditTalk {
    /// What the last heartbeat said, until it is attended to.
    said: Option<Said>,
    /// What of it is stored.
    noted: Option<(AuditHead, Option<u64>)>,
    /// From where the sensor is to show how its log went on.
    ask: Option<AuditHead>,
    /// Heartbeats since it was first asked that from there.
    unanswered: u32,
    /// How often checkpoints had been taken when one was brought.
    brought: Option<u64>,
}

#[derive(Debug, Clone)]
struct Said {
    log: SensorHead,
    kept: u64,
}

impl AuditTalk {
    /// Takes from a message what concerns it. What is malformed says nothing.
    pub(super) fn hear(&mut self, message: &v1::SensorMessage) {
        if let Some(sensor_message::Body::Heartbeat(heartbeat)) = &message.body
            && let Some(state) = &heartbeat.audit
            && let Ok(hash) = AuditHash::from_slice(&state.hash)
        {
            let log = SensorHead {
                head: AuditHead { seq: state.seq, hash },
                leads: heartbeat.audit_leads.as_ref().and_then(leads),
                refused: Some(state.refused_checkpoint_seq).filter(|seq| *seq > 0),
            };
            let kept = state.checkpoint_seq;
            self.said = Some(Said { log, kept });
        }
    }

    /// Puts the question into the answer to a heartbeat, if there is one.
    pub(super) fn ask(&self, body: &mut Body) {
        if let (Body::HeartbeatAck(ack), Some(known)) = (body, &self.ask) {
            ack.audit_known = Some(v1::AuditKnown {
                seq: known.seq,
                hash: known.hash.0.to_vec().into(),
            });
        }
    }

    /// It is known so far. Whether the sensor has to show how its log went on from there.
    fn known(&mut self, log: &SensorHead, known: AuditHead) {
        if known == log.head {
            (self.ask, self.unanswered) = (None, 0);
            self.noted = Some((log.head, log.refused));
        } else if self.ask == Some(known) {
            self.unanswered += 1;
        } else {
            (self.ask, self.unanswered) = (Some(known), 0);
        }
    }
}

fn leads(wire: &v1::AuditLeads) -> Option<SensorLeads> {
    let (digests, rest) = wire.digests.as_chunks::<32>();
    let is_sound = rest.is_empty() && digests.len() <= limits::AUDIT_LEADING;
    is_sound.then(|| SensorLeads {
        after: wire.after_seq,
        digests: (!wire.nowhere).then(|| digests.iter().copied().map(AuditHash).collect()),
    })
}

impl SessionStream {
    /// Notes what the sensor said of its log, if that is news, and brings a checkpoint, if there is a new one.
    pub(super) async fn attend_to_audit(&mut self) {
        let Some(mut said) = self.audit.said.take() else {
            return;
        };
        if self.live.is_none() {
            return;
        }
        if self.audit.noted != Some((said.log.head, said.log.refused)) {
            if let Some(asked) = self.audit.ask
                && said.log.leads.is_none()
                && self.audit.unanswered >= UNANSWERED
            {
                said.log.leads = Some(SensorLeads {
                    after: asked.seq,
                    digests: None,
                });
            }
            let (tenant, sensor) = (self.identity.tenant, self.identity.sensor);
            let noted = self.door.app.note_sensor_audit(tenant, sensor, &said.log).await;
            let noted = noted.map(|known| {
                if let Some(known) = known {
                    self.audit.known(&said.log, known);
                }
            });
            self.logged("keep where a sensor's log stands", noted);
        }
        let taken = *self.door.app.signals.checkpoints.borrow();
        if self.audit.brought != Some(taken) {
            let brought = self.bring_checkpoint(said.kept).await;
            match brought {
                Ok(Some(closed)) => return self.feed(closed).await,
                Ok(None) => self.audit.brought = Some(taken),
                Err(error) => self.logged("bring a checkpoint", Err(error)),
            }
        }
    }

    /// Gives an event if the session is over.
    async fn bring_checkpoint(&mut self, kept: u64) -> Result<Option<Event>, StoreError> {
        let tenant = self.identity.tenant;
        let Some(signed) = self.door.app.checkpoint_behind(tenant, kept).await? else {
            return Ok(None);
        };
        let until = signed.checkpoint.seq;
        let mut after = if kept == 0 { until } else { kept };
        loop {
            let digests = self.door.app.audit_digests(tenant, after, until).await?;
            let next = after + digests.len() as u64;
            let last = next >= until || digests.is_empty();
            let head = last.then(|| v1::AuditHead {
                seq: until,
                hash: signed.checkpoint.hash.0.to_vec().into(),
                at_ms: signed.checkpoint.at_ms,
                signature: signed.signature.clone().into(),
                public_key: signed.key.clone().into(),
            });
            let message = v1::AuditCheckpoint {
                after_seq: after,
                digests: digests
                    .iter()
                    .flat_map(|digest| digest.0)
                    .collect::<Vec<u8>>()
                    .into(),
                head,
            };
            if let Some(event) = self.send(Body::AuditCheckpoint(message)).await {
                return Ok(Some(event));
            }
            if last {
                return Ok(None);
            }
            after = next;
        }
    }
}
