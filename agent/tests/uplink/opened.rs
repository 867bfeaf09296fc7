//! One session, seen from the control plane.

use portolan_proto::v1;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use crate::plane::now;

/// A session as the test sees it.
pub struct Opened {
    pub hello: v1::Hello,
    pub up: Streaming<v1::SensorMessage>,
    pub down: mpsc::Sender<Result<v1::ControlMessage, Status>>,
    pub seq: u64,
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

    pub async fn welcome(&mut self, epoch: u64, keep: bool) {
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
            capabilities: vec!["sync".to_owned()],
            session_epoch: epoch,
            server_time_ms: now().as_millisecond(),
            heartbeat_ms: 5_000,
            reconnect_spread_ms: 1_000,
            verdicts: verdicts.collect(),
        };
        self.say(v1::control_message::Body::Welcome(welcome)).await;
    }

    /// The next thing that the agent says, heartbeats and progress left out.
    pub async fn hear(&mut self) -> Option<v1::sensor_message::Body> {
        use v1::sensor_message::Body;
        loop {
            match self.up.message().await.ok()??.body? {
                Body::Heartbeat(_) | Body::JobProgress(_) => {}
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
