//! The gate before every call: who may pass, and that every error says why.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use portolan_proto::convert::{ERROR_TRAILER, Refusal};
use portolan_shared::model::Reason;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::connection::{Connection, Purpose, Unclaimed};
use super::door::Door;
use super::refusal::request_id;

/// A call that was let through.
#[derive(Clone)]
pub(super) struct Call {
    /// Over which connection.
    pub(super) connection: Arc<Connection>,
    /// For finding it in the log.
    pub(super) request_id: Arc<str>,
}

/// Puts the gate before all services.
#[derive(Clone)]
pub(super) struct GateLayer(pub(super) Arc<Door>);

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate {
            door: Arc::clone(&self.0),
            inner,
        }
    }
}

/// The gate.
#[derive(Clone)]
pub(super) struct Gate<S> {
    door: Arc<Door>,
    inner: S,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Open to strangers, within strict limits.
    Enrolment,
    /// For sensors alone. So is everything that does not exist.
    Inside(Option<Purpose>),
}

fn way(path: &str) -> Way {
    let mut parts = path.split('/').skip(1);
    match (parts.next(), parts.next()) {
        (Some("portolan.sensor.v1.Enrolment"), _) => Way::Enrolment,
        // A renewal comes over any connection of a sensor whose session is here: the call itself looks for that.
        (Some("portolan.sensor.v1.Session"), Some("Open")) => Way::Inside(Some(Purpose::Session)),
        (Some("portolan.sensor.v1.Upload"), _) => Way::Inside(Some(Purpose::Upload)),
        _ => Way::Inside(None),
    }
}

impl Door {
    async fn judge(&self, way: Way, call: &Call) -> Result<(), Refusal> {
        let refuse = self.refuser(call);
        let Way::Inside(purpose) = way else {
            let address = call.connection.remote.ip();
            return self
                .enrolment_rate(address)
                .map_err(|wait| refuse.later(Reason::Overloaded, "too many enrolment calls", wait));
        };
        let Some(identity) = &call.connection.identity else {
            let text = "this call needs a sensor's certificate";
            return Err(refuse.with(Reason::IdentityUnknown, text));
        };
        self.admits(identity)
            .map_err(|reason| refuse.with(reason, format!("the sensor is not let in: {reason}")))?;
        if self.denials.is_blind() {
            let text = "the database does not say who is shut out";
            return Err(refuse.later(Reason::Overloaded, text, Duration::from_secs(15)));
        }
        if purpose == Some(Purpose::Upload) && self.tasks.shutdown().is_draining() {
            let text = "the control plane stops";
            return Err(refuse.later(Reason::Draining, text, Duration::from_secs(1)));
        }
        let Some(purpose) = purpose else {
            return Ok(());
        };
        if !call.connection.is_for(purpose) && !self.may_claim(identity, purpose).await {
            let text = "the sensor has another certificate now";
            return Err(refuse.with(Reason::CertificateNotCurrent, text));
        }
        match self
            .connections
            .claim(&call.connection, purpose, self.standing(identity.sensor))
        {
            Ok(()) => Ok(()),
            Err(Unclaimed::OtherPurpose) => {
                let text = "a connection is for a session or for uploads, not for both";
                Err(refuse.with(Reason::ProtocolViolation, text))
            }
            Err(Unclaimed::TooMany) => {
                let text = "the sensor has two such connections already";
                Err(refuse.later(Reason::Overloaded, text, Duration::from_secs(5)))
            }
        }
    }

    fn count_refused(&self, reason: Reason) {
        self.meters
            .calls_refused
            .with_label_values(&[reason.as_str()])
            .inc();
    }
}

impl<S> Service<Request<Body>> for Gate<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let door = Arc::clone(&self.door);
        let Some(connection) = request.extensions().get::<Arc<Connection>>().cloned() else {
            return Box::pin(async { Ok(Status::internal("the connection is not known").into_http()) });
        };
        let call = Call {
            connection,
            request_id: request_id(door.app.rng.as_ref()).into(),
        };
        let way = way(request.uri().path());
        // The one that was made ready serves this call; its clone is for the next.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            if let Err(refusal) = door.judge(way, &call).await {
                door.count_refused(refusal.reason);
                return Ok(refusal.into_status().into_http());
            }
            request.extensions_mut().insert(call.clone());
            let answer = inner.call(request);
            let answer = match way {
                Way::Enrolment => match tokio::time::timeout(door.limits.enrolment_deadline, answer).await {
                    Ok(answer) => answer,
                    Err(_) => {
                        let text = "the call took too long";
                        let wait = Duration::from_secs(5);
                        let refusal = door.refuser(&call).later(Reason::Overloaded, text, wait);
                        Ok(refusal.into_status().into_http())
                    }
                },
                Way::Inside(_) => answer.await,
            };
            answer.map(|answer| explain(&door, &call, answer))
        })
    }
}

/// Gives errors that tonic made itself, before a service saw the call, the detail that every error has.
fn explain(door: &Door, call: &Call, answer: Response<Body>) -> Response<Body> {
    match Status::from_header_map(answer.headers()) {
        Some(status) if status.code() != tonic::Code::Ok => {
            if answer.headers().contains_key(ERROR_TRAILER) {
                if let Some(refusal) = Refusal::in_status(&status) {
                    door.count_refused(refusal.reason);
                }
                return answer;
            }
            let refusal = door.refuser(call).bare(&status);
            door.count_refused(refusal.reason);
            refusal.into_status().into_http()
        }
        _ => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_enrolment_is_open_to_strangers() {
        assert_eq!(way("/portolan.sensor.v1.Enrolment/Enrol"), Way::Enrolment);
        for inside in [
            "/portolan.sensor.v1.Session/Open",
            "/portolan.sensor.v1.Upload/CloseRun",
            "/portolan.sensor.v1.Enrolment2/Enrol",
            "/x/portolan.sensor.v1.Enrolment/Enrol",
            "//portolan.sensor.v1.Enrolment/Enrol",
            "/",
            "",
        ] {
            assert!(matches!(way(inside), Way::Inside(_)), "{inside}");
        }
    }
}
