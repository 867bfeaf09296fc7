//! Asking the control plane what it thinks of this sensor, where TLS alone says no: alerts do not tell the truth.

use std::time::Duration;

use jiff::Timestamp;
use portolan_proto::v1::enrolment_client::EnrolmentClient;
use portolan_proto::{v1, who_am_i_message};
use portolan_shared::model::{Reason, limits};
use portolan_shared::tls::ControlPlaneTrust;
use tokio::time::timeout;

use super::channel::{Connector, Windows};
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::reconnect::Told;
use crate::keyring::Keyring;

const WITHIN: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// What the control plane thinks of this sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GoodOrNot {
    /// What is wrong; none if it is in good standing.
    pub(super) told: Option<Told>,
    /// The control plane's clock.
    pub(super) server_time: Option<Timestamp>,
}

/// Asks over a connection without a certificate, with a signature of the identity key.
pub(super) async fn who_am_i(
    connector: &Connector,
    to: &Endpoint,
    keyring: &Keyring,
) -> Result<GoodOrNot, Failure> {
    let trust = ControlPlaneTrust::Roots(keyring.trust().roots.clone());
    let channel = connector.connect(to, trust, None, Windows::SESSION).await?;
    let mut client = EnrolmentClient::with_origin(channel.clone(), channel.origin())
        .max_decoding_message_size(limits::HELLO_BYTES);
    let sensor = keyring.sensor();
    let asked = timeout(WITHIN, async {
        let challenge = v1::ChallengeRequest {
            sensor_id: sensor.as_bytes().to_vec().into(),
        };
        let nonce = client.challenge(challenge).await?.into_inner().nonce;
        let message = who_am_i_message(sensor, &nonce, channel.anchor());
        let question = v1::WhoAmIRequest {
            sensor_id: sensor.as_bytes().to_vec().into(),
            nonce,
            signature: keyring.identity().sign(&message).into(),
        };
        client.who_am_i(question).await
    });
    match asked.await {
        Ok(Ok(answer)) => {
            let answer = answer.into_inner();
            let told = Reason::try_from(answer.reason()).ok().map(|reason| Told {
                reason,
                retry_after: (answer.retry_after_ms > 0)
                    .then(|| Duration::from_millis(answer.retry_after_ms.into()).min(LONGEST_WAIT)),
            });
            Ok(GoodOrNot {
                told,
                server_time: Timestamp::from_millisecond(answer.server_time_ms).ok(),
            })
        }
        Ok(Err(status)) => Err(channel.failure(&status)),
        Err(_) => Err(Failure::Timeout {
            what: "asking for this sensor's standing",
            seconds: WITHIN.as_secs(),
        }),
    }
}
