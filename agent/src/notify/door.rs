//! From a request to its answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request as HttpRequest, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body as _, Incoming};
use portolan_shared::events::{Notification, read};
use portolan_shared::model::limits;
use portolan_shared::process::Clock;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::callers::Seat;
use super::counts::Refused;
use super::desk::NotifyDesk;
use super::registry::{HeadersOf, Notifiers, Request};

/// A body has this long to come.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// A larger body needs one of the places for such.
const SMALL_BODY: usize = 64 * 1024;
/// Places for larger bodies.
const LARGE_BODIES: usize = 4;

/// Answers requests. Where the answer is 200, what was said is at the desk.
pub(super) struct Door {
    desk: Arc<NotifyDesk>,
    notifiers: Arc<Notifiers>,
    large: Semaphore,
    clock: Arc<dyn Clock>,
}

/// A body that was not read.
#[derive(Debug, Clone, Copy)]
enum Unread {
    TooLarge,
    TooManyLarge,
    Slow,
    Broken,
}

impl Unread {
    /// Status, kind of refusal, and the words for the log.
    fn told(self) -> (StatusCode, Refused, &'static str) {
        match self {
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                Refused::Body,
                "its body is too large",
            ),
            Self::TooManyLarge => (
                StatusCode::TOO_MANY_REQUESTS,
                Refused::Rate,
                "too many large bodies at once",
            ),
            Self::Slow => (
                StatusCode::REQUEST_TIMEOUT,
                Refused::Body,
                "its body did not come in time",
            ),
            Self::Broken => (
                StatusCode::REQUEST_TIMEOUT,
                Refused::Body,
                "its body did not come whole",
            ),
        }
    }
}

impl Door {
    pub(super) fn new(desk: Arc<NotifyDesk>, notifiers: Arc<Notifiers>, clock: Arc<dyn Clock>) -> Self {
        Self {
            desk,
            notifiers,
            large: Semaphore::new(LARGE_BODIES),
            clock,
        }
    }

    /// The answer to one request that came from `source` over the connection of this seat.
    pub(super) async fn answer(
        &self,
        request: HttpRequest<Incoming>,
        source: IpAddr,
        seat: &Seat,
    ) -> Response<Empty<Bytes>> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let refuse = |refused, why: &str| {
            self.desk.refuse(self.notifiers.named(path), refused, source, why);
        };
        if !seat.may_ask(self.clock.uptime()) {
            refuse(Refused::Rate, "too many requests from its address");
            // Whoever is still sending when its connection is closed does not get to hear why.
            let _ = timeout(BODY_WITHIN, pass_over(body, SMALL_BODY)).await;
            return empty(StatusCode::TOO_MANY_REQUESTS);
        }
        let headers = HeadersOf(&head.headers);
        let shown = |body| Request {
            method: &head.method,
            path,
            headers: &headers,
            body,
        };
        let webhook = self
            .notifiers
            .webhook_of_gitlab(&shown(None), source, self.clock.now());
        if let Some(registry) = webhook {
            let ignored = Notification {
                ignored: 1,
                ..Notification::default()
            };
            self.desk.take(registry, ignored);
            // A sender that is cut off would call its webhook broken.
            let _ = timeout(BODY_WITHIN, pass_over(body, limits::PASSED_OVER_BYTES)).await;
            return empty(StatusCode::OK);
        }
        let kept = if self.notifiers.expect(source) {
            limits::NOTIFICATION_BYTES
        } else {
            SMALL_BODY
        };
        let read_within = timeout(BODY_WITHIN, self.read_body(body, kept)).await;
        let body = match read_within.unwrap_or(Err(Unread::Slow)) {
            Ok((body, _place)) => body,
            Err(unread) => {
                let (status, refused, why) = unread.told();
                refuse(refused, why);
                return empty(status);
            }
        };
        let judged = self
            .notifiers
            .judge(&shown(Some(&body)), source, self.clock.now());
        let (registry, sender) = match judged {
            Ok(believed) => believed,
            Err(disbelief) => {
                self.desk
                    .refuse(disbelief.registry, disbelief.refused, source, &disbelief.why);
                return empty(StatusCode::UNAUTHORIZED);
            }
        };
        match read(sender, &headers, &body) {
            Ok(notification) => self.desk.take(registry, notification),
            // It will not become better by being sent again.
            Err(error) => {
                let why = error.to_string();
                self.desk.refuse(Some(registry), Refused::Malformed, source, &why);
            }
        }
        empty(StatusCode::OK)
    }

    /// The body, and the place that it takes if it is large. Of one that is longer than `kept` the rest is passed over: it comes from an address that
    /// will not be believed whatever it says, and takes no place.
    async fn read_body(
        &self,
        mut body: Incoming,
        kept: usize,
    ) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), Unread> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > limits::NOTIFICATION_BYTES {
            return Err(Unread::TooLarge);
        }
        let mut place = self.place_for(announced.min(kept), None)?;
        let mut read = Vec::with_capacity(announced.min(kept));
        let mut came = 0;
        while let Some(frame) = body.frame().await {
            // Trailers say nothing to us.
            let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
                continue;
            };
            came += data.len();
            if came > limits::NOTIFICATION_BYTES {
                return Err(Unread::TooLarge);
            }
            place = self.place_for(came.min(kept), place)?;
            read.extend_from_slice(&data[..data.len().min(kept - read.len())]);
        }
        Ok((read, place))
    }

    /// What a body of so many bytes needs, beside the place that it has.
    fn place_for<'a>(
        &'a self,
        bytes: usize,
        place: Option<SemaphorePermit<'a>>,
    ) -> Result<Option<SemaphorePermit<'a>>, Unread> {
        match place {
            None if bytes > SMALL_BODY => match self.large.try_acquire() {
                Ok(place) => Ok(Some(place)),
                Err(_) => Err(Unread::TooManyLarge),
            },
            place => Ok(place),
        }
    }
}

/// Reads a body, up to so many bytes of it, and keeps nothing.
async fn pass_over(mut body: Incoming, most: usize) {
    let mut passed = 0;
    while passed <= most
        && let Some(Ok(frame)) = body.frame().await
    {
        passed += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// All that is ever answered: a status, and when to come again where there is too much of it.
fn empty(status: StatusCode) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    if status == StatusCode::TOO_MANY_REQUESTS {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
