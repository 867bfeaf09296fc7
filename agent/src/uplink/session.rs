//! One session: its stream, its sequence numbers, its clockwork. Opening it is the only place where a sensor introduces itself.

use std::time::Duration;

use jiff::Timestamp;
use portolan_proto::v1::control_message::Body as Down;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_proto::v1::session_client::SessionClient;
use portolan_proto::{PROTOCOL, v1};
use portolan_shared::model::{AttemptRef, CredentialId, Reason, limits};
use portolan_shared::process::{Clock, Rng, Uptime};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::account::count_message;
use super::channel::Channel;
use super::events::CAPABILITY;
use super::failure::Failure;
use super::issued;
use super::lease::Heartbeats;
use super::liveness::Liveness;
use super::reconnect::Told;
use super::sequence::Sequence;
use crate::keyring::ContinuityToken;

/// Messages that wait to be sent. When it is full the other side has not read for long, and the session is closed.
pub(super) const OUTBOUND: usize = 64;
/// Progress is left out while fewer places than this are free: only the latest counts.
const KEPT_FREE: usize = OUTBOUND / 2;
const WELCOME_WITHIN: Duration = Duration::from_secs(10);
const RENEW_WITHIN: Duration = Duration::from_secs(15);
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// An open session.
pub(super) struct Session {
    channel: Channel,
    outbound: mpsc::Sender<v1::SensorMessage>,
    inbound: Streaming<v1::ControlMessage>,
    sent: Sequence,
    received: Sequence,
    pub(super) epoch: u64,
    /// Whether the other side takes push events.
    pub(super) takes_events: bool,
    pub(super) opened: Uptime,
    pub(super) liveness: Liveness,
    pub(super) heartbeats: Heartbeats,
}

/// What the control plane granted.
#[derive(Debug, Clone)]
pub(super) struct Welcome {
    pub(super) server_time: Option<Timestamp>,
    pub(super) spread: Duration,
    pub(super) verdicts: Vec<(AttemptRef, bool)>,
    /// To be stored and acknowledged before anything else is done.
    pub(super) continuity: ContinuityToken,
    /// When the Hello was sent: kept leases count from then.
    pub(super) hello_sent: Uptime,
    /// Of the sensor; 0 if the control plane does not say.
    pub(super) generation: u64,
}

/// What the control plane says during a session.
#[derive(Debug, Clone)]
pub(super) enum Event {
    HeartbeatAck {
        counter: u64,
        renewed: Vec<AttemptRef>,
        /// From where on the control plane wants to be led over this sensor's own audit log.
        audit_known: Option<v1::AuditKnown>,
    },
    Offer(v1::JobOffer),
    Probe(v1::ProbeOffer),
    /// Another version of the credential of an attempt that runs.
    Credential(v1::CredentialOffer),
    /// Credentials that must not be kept; all if none is named.
    Withdrawal(Vec<CredentialId>),
    Cancel {
        attempt: AttemptRef,
        reason: Reason,
    },
    Trust(v1::TrustBundle),
    Checkpoint(v1::AuditCheckpoint),
    Drain {
        after: Duration,
    },
    /// Whether this sensor is alive; asked because somebody else shows its identity.
    Presence(v1::PresenceAsk),
    Goodbye(Told),
    /// It has what it was told of events.
    EventsTaken(v1::PushEventsAck),
    /// A message of a kind that this build does not know, by its number.
    Unknown(u64),
}

impl Session {
    /// Says Hello and waits for the Welcome.
    pub(super) async fn open(
        channel: Channel,
        hello: v1::Hello,
        clock: &dyn Clock,
        rng: &dyn Rng,
    ) -> Result<(Self, Welcome), Failure> {
        let (outbound, queue) = mpsc::channel(OUTBOUND);
        let mut sent = Sequence::default();
        let hello_sent = clock.uptime();
        queue_message(&channel, &outbound, &mut sent, Up::Hello(hello))?;
        let mut client = SessionClient::with_origin(channel.clone(), channel.origin())
            .max_decoding_message_size(limits::SESSION_MESSAGE_BYTES)
            .max_encoding_message_size(limits::SESSION_MESSAGE_BYTES);
        let answer = timeout(WELCOME_WITHIN, async {
            let opened = client.open(ReceiverStream::new(queue)).await;
            let mut inbound = opened.map_err(|status| channel.failure(&status))?.into_inner();
            let mut received = Sequence::default();
            loop {
                let (_, body) = next(&mut inbound, &mut received, &channel).await?;
                if let Some(Down::PresenceAsk(ask)) = body {
                    tracing::warn!(
                        "the control plane takes this sensor for a copy, and asks whether it is alive"
                    );
                    queue_message(&channel, &outbound, &mut sent, present(ask))?;
                } else {
                    return Ok::<_, Failure>((inbound, received, body));
                }
            }
        });
        let (inbound, received, body) = answer.await.map_err(|_| Failure::Timeout {
            what: "the control plane's welcome",
            seconds: WELCOME_WITHIN.as_secs(),
        })??;
        let welcome = match body {
            Some(Down::Welcome(welcome)) => welcome,
            Some(Down::Refuse(refuse)) => return Err(refused(&refuse)),
            Some(Down::Goodbye(goodbye)) => return Err(Failure::refused(told(&goodbye)?, "")),
            _ => {
                return Err(Failure::Protocol(
                    "something else than a welcome came first".to_owned(),
                ));
            }
        };
        if welcome.protocol != PROTOCOL || welcome.session_epoch == 0 {
            return Err(Failure::Protocol(format!(
                "it chose protocol {} and epoch {}",
                welcome.protocol, welcome.session_epoch
            )));
        }
        let now = clock.uptime();
        let session = Self {
            channel,
            outbound,
            inbound,
            sent,
            received,
            epoch: welcome.session_epoch,
            takes_events: welcome
                .capabilities
                .iter()
                .any(|capability| capability == CAPABILITY),
            opened: now,
            liveness: Liveness::new(Duration::from_millis(welcome.heartbeat_ms.into()), now, rng),
            heartbeats: Heartbeats::default(),
        };
        let granted = Welcome {
            server_time: Timestamp::from_millisecond(welcome.server_time_ms).ok(),
            spread: Duration::from_millis(welcome.reconnect_spread_ms.into()),
            verdicts: verdicts(&welcome)?,
            continuity: issued::continuity(&welcome.continuity_token)?,
            hello_sent,
            generation: welcome.generation,
        };
        Ok((session, granted))
    }

    /// Queues a message.
    ///
    /// # Errors
    /// If the queue is full or closed: the session is of no use any more.
    pub(super) fn send(&mut self, body: Up) -> Result<(), Failure> {
        queue_message(&self.channel, &self.outbound, &mut self.sent, body)
    }

    /// Whether there is room for messages of which only the latest counts.
    pub(super) fn has_room(&self) -> bool {
        self.outbound.capacity() > KEPT_FREE
    }

    /// The next thing that the control plane says. Nothing is lost if this is dropped before it is done.
    pub(super) async fn next(&mut self) -> Result<Event, Failure> {
        let (seq, body) = next(&mut self.inbound, &mut self.received, &self.channel).await?;
        Ok(match body {
            Some(Down::HeartbeatAck(ack)) => Event::HeartbeatAck {
                counter: ack.counter,
                renewed: attempts(&ack.renewed)?,
                audit_known: ack.audit_known,
            },
            Some(Down::JobOffer(offer)) => Event::Offer(offer),
            Some(Down::JobCancel(cancel)) => Event::Cancel {
                reason: Reason::try_from(cancel.reason()).unwrap_or(Reason::Cancelled),
                attempt: cancel
                    .attempt
                    .as_ref()
                    .ok_or_else(|| Failure::Protocol("a cancellation of nothing".to_owned()))?
                    .try_into()?,
            },
            Some(Down::TrustBundle(trust)) => Event::Trust(trust),
            Some(Down::Drain(drain)) => Event::Drain {
                after: Duration::from_millis(drain.reconnect_after_ms.into()).min(LONGEST_WAIT),
            },
            Some(Down::Goodbye(goodbye)) => Event::Goodbye(told(&goodbye)?),
            Some(Down::Refuse(refuse)) => return Err(refused(&refuse)),
            Some(Down::Welcome(_)) => return Err(Failure::Protocol("a second welcome".to_owned())),
            Some(Down::ProbeOffer(offer)) => Event::Probe(offer),
            Some(Down::AuditCheckpoint(checkpoint)) => Event::Checkpoint(checkpoint),
            Some(Down::PresenceAsk(ask)) => Event::Presence(ask),
            Some(Down::CredentialOffer(offer)) => Event::Credential(offer),
            Some(Down::CredentialWithdrawal(withdrawal)) => Event::Withdrawal(withdrawn(&withdrawal)),
            Some(Down::PushEventsAck(ack)) => Event::EventsTaken(ack),
            None => Event::Unknown(seq),
        })
    }

    /// The connection it runs over.
    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A call for a new certificate, over this session's connection.
    pub(super) fn renew(
        &self,
        csr_der: Vec<u8>,
    ) -> impl Future<Output = Result<v1::CertificateBundle, Failure>> + use<> {
        let channel = self.channel.clone();
        async move {
            let mut client = SessionClient::with_origin(channel.clone(), channel.origin())
                .max_decoding_message_size(limits::HELLO_BYTES);
            let request = v1::RenewRequest {
                csr_der: csr_der.into(),
            };
            match timeout(RENEW_WITHIN, client.renew(request)).await {
                Ok(Ok(answer)) => Ok(answer.into_inner()),
                Ok(Err(status)) => Err(channel.failure(&status)),
                Err(_) => Err(Failure::Timeout {
                    what: "the renewal",
                    seconds: RENEW_WITHIN.as_secs(),
                }),
            }
        }
    }

    /// Says goodbye and waits until the other side has read it, at most `within`.
    pub(super) async fn close(mut self, reason: Reason, within: Duration) {
        let goodbye = v1::Goodbye {
            reason: v1::Reason::from(reason).into(),
            ..v1::Goodbye::default()
        };
        if self.send(Up::Goodbye(goodbye)).is_err() {
            return;
        }
        let Self {
            outbound,
            mut inbound,
            ..
        } = self;
        // Ends our direction; the other side ends its own when it has read everything.
        drop(outbound);
        let _ = timeout(within, async {
            while let Ok(Some(_)) = inbound.message().await {}
        })
        .await;
    }
}

fn queue_message(
    channel: &Channel,
    outbound: &mpsc::Sender<v1::SensorMessage>,
    sent: &mut Sequence,
    body: Up,
) -> Result<(), Failure> {
    let place = outbound.try_reserve().map_err(|error| match error {
        mpsc::error::TrySendError::Full(()) => {
            Failure::Transport(format!("{OUTBOUND} messages wait to be sent"))
        }
        mpsc::error::TrySendError::Closed(()) => Failure::Transport("the stream was closed".to_owned()),
    })?;
    count_message(channel.line(), &body);
    place.send(v1::SensorMessage {
        seq: sent.number(),
        body: Some(body),
    });
    Ok(())
}

/// The answer of whoever is alive.
pub(super) fn present(ask: v1::PresenceAsk) -> Up {
    Up::PresenceReply(v1::PresenceReply { nonce: ask.nonce })
}

/// The next message, with its number.
async fn next(
    inbound: &mut Streaming<v1::ControlMessage>,
    received: &mut Sequence,
    channel: &Channel,
) -> Result<(u64, Option<Down>), Failure> {
    let message = inbound
        .message()
        .await
        .map_err(|status| unread(channel.failure(&status), &status))?
        .ok_or_else(|| Failure::Transport("the control plane ended the stream".to_owned()))?;
    received
        .check(message.seq)
        .map_err(|error| Failure::Protocol(error.to_string()))?;
    Ok((message.seq, message.body))
}

/// What is larger than a message may be is not read: the library says so by this code, where the control plane would give a reason.
fn unread(failure: Failure, status: &tonic::Status) -> Failure {
    match failure {
        Failure::Transport(_) if status.code() == tonic::Code::OutOfRange => Failure::Oversized,
        failure => failure,
    }
}

fn attempts(wire: &[v1::AttemptRef]) -> Result<Vec<AttemptRef>, Failure> {
    wire.iter()
        .map(|attempt| attempt.try_into().map_err(Failure::from))
        .collect()
}

fn verdicts(welcome: &v1::Welcome) -> Result<Vec<(AttemptRef, bool)>, Failure> {
    welcome
        .verdicts
        .iter()
        .filter_map(|verdict| Some((verdict.attempt.as_ref()?, verdict.keep)))
        .map(|(attempt, keep)| Ok((attempt.try_into()?, keep)))
        .collect()
}

/// Which credentials are withdrawn. One that cannot be read may be any of them.
fn withdrawn(withdrawal: &v1::CredentialWithdrawal) -> Vec<CredentialId> {
    let ids = withdrawal.credential_ids.iter();
    ids.map(|id| CredentialId::from_slice(id))
        .collect::<Result<_, _>>()
        .unwrap_or_default()
}

fn told(goodbye: &v1::Goodbye) -> Result<Told, Failure> {
    Ok(Told {
        reason: Reason::try_from(goodbye.reason())?,
        retry_after: wait(goodbye.retry_after_ms),
    })
}

fn wait(millis: u32) -> Option<Duration> {
    (millis > 0).then(|| Duration::from_millis(millis.into()).min(LONGEST_WAIT))
}

fn refused(refuse: &v1::Refuse) -> Failure {
    match Reason::try_from(refuse.reason()) {
        Ok(reason) => {
            let retry_after = wait(refuse.retry_after_ms);
            Failure::refused(Told { reason, retry_after }, &refuse.text)
        }
        Err(error) => error.into(),
    }
}
