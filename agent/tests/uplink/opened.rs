//! One session, seen from the control plane.

use std::sync::Arc;

use portolan_proto::v1;
use portolan_shared::process::Clock as _;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use crate::plane::Shared;

/// A session as the test sees it.
pub struct Opened {
    pub hello: v1::Hello,
    pub up: Streaming<v1::SensorMessage>,
    pub down: mpsc::Sender<Result<v1::ControlMessage, Status>>,
    pub seq: u64,
    /// Whether the token of its Hello is good.
    pub fits: bool,
    pub shared: Arc<Shared>,
}

impl Opened {
    pub async fn say(&mut self, body: v1::control_message::Body) {
        self.seq += 1;
        let message = v1::ControlMessage {
            seq: self.seq,
            body: Some(body),
        };
        self.down.send(Ok(message)).await.unwrap();
    }

    /// Leaves out a sequence number.
    pub fn skip_one(&mut self) {
        self.seq += 1;
    }

    /// Lets it in. Gives the continuity token that it is to store.
    pub async fn welcome(&mut self, epoch: u64, keep: bool) -> Vec<u8> {
        self.welcome_with(epoch, keep, &["sync"]).await
    }

    /// The same, by a control plane that says this of itself.
    pub async fn welcome_with(&mut self, epoch: u64, keep: bool, capabilities: &[&str]) -> Vec<u8> {
        let token = self.shared.tokens.send();
        let verdicts = self
            .hello
            .running
            .clone()
            .into_iter()
            .map(|running| v1::AttemptVerdict {
                attempt: running.attempt,
                keep,
            });
        let welcome = v1::Welcome {
            protocol: portolan_proto::PROTOCOL,
            capabilities: capabilities.iter().copied().map(str::to_owned).collect(),
            session_epoch: epoch,
            server_time_ms: self.shared.clock.now().as_millisecond(),
            heartbeat_ms: 5_000,
            reconnect_spread_ms: 1_000,
            verdicts: verdicts.collect(),
            continuity_token: token.clone().into(),
            generation: 1,
        };
        self.say(v1::control_message::Body::Welcome(welcome)).await;
        token
    }

    /// Ends it with a reason.
    pub async fn goodbye(&mut self, reason: v1::Reason) {
        let goodbye = v1::Goodbye {
            reason: reason.into(),
            ..v1::Goodbye::default()
        };
        self.say(v1::control_message::Body::Goodbye(goodbye)).await;
    }

    /// Waits for the acknowledgement of the continuity token.
    pub async fn acknowledged(&mut self) {
        let token_sha256 = self
            .hear_matching(|body| match body {
                v1::sensor_message::Body::ContinuityAck(ack) => Some(ack.token_sha256),
                _ => None,
            })
            .await;
        assert!(self.shared.tokens.acknowledged(&token_sha256));
    }

    /// The next thing that the agent says, heartbeats, progress and the acknowledgement of the continuity token left out.
    pub async fn hear(&mut self) -> Option<v1::sensor_message::Body> {
        use v1::sensor_message::Body;
        loop {
            match self.up.message().await.ok()??.body? {
                Body::Heartbeat(_) | Body::JobProgress(_) => {}
                Body::ContinuityAck(ack) => {
                    // Void if the next session has begun meanwhile.
                    self.shared.tokens.acknowledged(&ack.token_sha256);
                }
                other => return Some(other),
            }
        }
    }

    /// The next thing of one kind.
    pub async fn hear_matching<T>(&mut self, pick: impl Fn(v1::sensor_message::Body) -> Option<T>) -> T {
        loop {
            let message = self.up.message().await.unwrap().expect("the stream is open");
            if let Some(found) = message.body.and_then(&pick) {
                return found;
            }
        }
    }
}
