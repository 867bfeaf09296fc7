//! From a request to its answer.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request as HttpRequest, Response, StatusCode, header};
use http_body_util::Empty;
use hyper::body::Incoming;
use portolan_shared::events::{Allowances, Notification, Sender, is_gitlab_webhook, is_signed, read};
use portolan_shared::model::limits;
use portolan_shared::process::{Clock, Uptime};

use super::body::{LargeBodies, Name, SMALL, Taken, Unread, pass_over};
use super::callers::caller;
use super::counts::Refused;
use super::desk::NotifyDesk;
use super::path::NotifyPath;
use super::registry::{Disbelief, HeadersOf, Notifiers, Request};

/// Notifications of one registry a second, in the long run: registries tell of pulls as well, unless told not to.
const BELIEVED_PER_SECOND: u32 = 1_000;
/// Notifications of one registry at once.
pub(super) const BELIEVED_AT_ONCE: u32 = 5_000;
/// Registries that are configured at most.
const REGISTRIES: usize = 100;

/// Answers requests. Where the answer is 200, what was said is at the desk.
pub(super) struct Door {
    desk: Arc<NotifyDesk>,
    notifiers: Arc<Notifiers>,
    bodies: Bodies,
    allowances: Mutex<Remaining>,
    names: RandomState,
    clock: Arc<dyn Clock>,
}

/// Places for larger bodies: nobody takes those of whoever shows the secret, nor whoever makes a name up those of the registries.
struct Bodies {
    believed: LargeBodies,
    /// Of which only the signature can tell.
    unjudged: LargeBodies,
    /// The same, for names that are no registry's.
    of_nobody: LargeBodies,
}

/// What may come yet.
struct Remaining {
    believed: Allowances<usize>,
    disbelieved: Allowances<(Name, IpAddr)>,
}

/// A request that is not answered with 200.
struct Refusal {
    status: StatusCode,
    registry: Option<usize>,
    refused: Refused,
    /// For the log.
    why: String,
    /// Whether it is one of those that are not believed, of which each address has so many for a registry.
    is_charged: bool,
    /// Whether the body, of which nothing was read, is passed over: whoever is still sending when its connection is closed does not get to hear why.
    body_comes: bool,
}

impl Door {
    pub(super) fn new(desk: Arc<NotifyDesk>, notifiers: Arc<Notifiers>, clock: Arc<dyn Clock>) -> Self {
        Self {
            desk,
            notifiers,
            bodies: Bodies {
                believed: LargeBodies::new(),
                unjudged: LargeBodies::of_strangers(),
                of_nobody: LargeBodies::of_strangers(),
            },
            allowances: Mutex::new(Remaining {
                believed: Allowances::new(BELIEVED_PER_SECOND, BELIEVED_AT_ONCE, REGISTRIES),
                disbelieved: Allowances::new(
                    limits::DISBELIEVED_PER_SECOND,
                    limits::DISBELIEVED_AT_ONCE,
                    limits::DISBELIEVED_KEYS,
                ),
            }),
            names: RandomState::new(),
            clock,
        }
    }

    /// The answer to one request that came from `source`.
    pub(super) async fn answer(
        &self,
        request: HttpRequest<Incoming>,
        source: IpAddr,
    ) -> Response<Empty<Bytes>> {
        let (head, mut body) = request.into_parts();
        let attempt = (self.name(head.uri.path()), caller(source));
        let received = self.receive(&head, &mut body, attempt, source).await;
        let Err(refusal) = received else {
            return empty(StatusCode::OK);
        };
        self.desk
            .refuse(refusal.registry, refusal.refused, source, &refusal.why);
        if refusal.is_charged {
            self.remaining().disbelieved.use_up(attempt, self.now());
        }
        if refusal.body_comes {
            pass_over(&mut body, limits::NOTIFICATION_BYTES).await;
        }
        empty(refusal.status)
    }

    /// What has come before does not matter to whoever shows the secret: nothing else tells it from whom it shares an address with.
    async fn receive(
        &self,
        head: &Parts,
        body: &mut Incoming,
        attempt: (Name, IpAddr),
        source: IpAddr,
    ) -> Result<(), Refusal> {
        let (name, _) = attempt;
        let refusal = match self.judge(head, None, source) {
            Ok(shown) => return self.receive_shown(shown, head, body, name, source).await,
            Err(refusal) => refusal,
        };
        if !self.remaining().disbelieved.is_left(&attempt, self.now()) {
            let why = "too many of its address were not believed";
            return Err(Refusal::of_rate(refusal.registry, why));
        }
        let headers = HeadersOf(&head.headers);
        // Without a signature the body says nothing about who sent it.
        if !is_signed(&headers) {
            return Err(refusal);
        }
        let taken = self.read_signed(head, body, name, source).await?;
        let judged = self
            .judge(head, Some(&taken.bytes), source)
            .and_then(|(registry, sender)| {
                self.keep_rate(registry)?;
                Ok((registry, sender))
            });
        let (registry, sender) = judged.map_err(Refusal::with_body_read)?;
        self.take(registry, sender, &headers, &taken.bytes, source);
        Ok(())
    }

    /// What comes from whoever shows the secret.
    async fn receive_shown(
        &self,
        (registry, sender): (usize, Sender),
        head: &Parts,
        body: &mut Incoming,
        name: Name,
        source: IpAddr,
    ) -> Result<(), Refusal> {
        let headers = HeadersOf(&head.headers);
        self.keep_rate(registry)?;
        if is_gitlab_webhook(sender, &headers) {
            let ignored = Notification {
                ignored: 1,
                ..Notification::default()
            };
            self.desk.take(registry, ignored);
            // A sender that is cut off would call its webhook broken.
            pass_over(body, limits::PASSED_OVER_BYTES).await;
            return Ok(());
        }
        let bodies = &self.bodies.believed;
        let taken = bodies.read(name, body, limits::NOTIFICATION_BYTES).await;
        let taken = taken.map_err(|unread| Refusal {
            is_charged: false,
            ..Refusal::of_body(Some(registry), unread)
        })?;
        // A signature that is there as well has to verify.
        let judged = self.judge(head, Some(&taken.bytes), source);
        judged.map_err(Refusal::with_body_read)?;
        self.take(registry, sender, &headers, &taken.bytes, source);
        Ok(())
    }

    /// The body of a request of which only the signature can tell.
    async fn read_signed(
        &self,
        head: &Parts,
        body: &mut Incoming,
        name: Name,
        source: IpAddr,
    ) -> Result<Taken<'_>, Refusal> {
        let named = self.notifiers.named(head.uri.path());
        let bodies = match named {
            Some(_) => &self.bodies.unjudged,
            None => &self.bodies.of_nobody,
        };
        // Nothing that comes from elsewhere will be believed.
        let kept = match self.notifiers.expect(source) {
            true => limits::NOTIFICATION_BYTES,
            false => SMALL,
        };
        let taken = bodies.read(name, body, kept).await;
        taken.map_err(|unread| Refusal::of_body(named, unread))
    }

    /// Which registry a request comes from, and in whose format; without its body, by the secret alone.
    fn judge(&self, head: &Parts, body: Option<&[u8]>, source: IpAddr) -> Result<(usize, Sender), Refusal> {
        let shown = Request {
            method: &head.method,
            path: head.uri.path(),
            headers: &HeadersOf(&head.headers),
            body,
        };
        let judged = self.notifiers.judge(&shown, source, self.clock.now());
        judged.map_err(Refusal::of)
    }

    /// Takes what is authentic. What cannot be read will not become better by being sent again.
    fn take(&self, registry: usize, sender: Sender, headers: &HeadersOf<'_>, body: &[u8], source: IpAddr) {
        match read(sender, headers, body) {
            Ok(notification) => self.desk.take(registry, notification),
            Err(error) => {
                let why = error.to_string();
                self.desk.refuse(Some(registry), Refused::Malformed, source, &why);
            }
        }
    }

    /// Whether this registry, which is believed, may say something now.
    fn keep_rate(&self, registry: usize) -> Result<(), Refusal> {
        let (now, mut remaining) = (self.now(), self.remaining());
        if !remaining.believed.is_left(&registry, now) {
            return Err(Refusal::of_rate(Some(registry), "too many of this registry"));
        }
        remaining.believed.use_up(registry, now);
        Ok(())
    }

    /// What stands for the name in a path; paths that have none have one together. Names that are no registry's are told apart as well: so that nothing shows
    /// which are.
    fn name(&self, path: &str) -> Name {
        let name = NotifyPath::of(path).map(|path| path.registry);
        self.names.hash_one(name.unwrap_or_default())
    }

    fn now(&self) -> Uptime {
        self.clock.uptime()
    }

    fn remaining(&self) -> MutexGuard<'_, Remaining> {
        self.allowances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refusal {
    fn of(disbelief: Disbelief) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            registry: disbelief.registry,
            refused: disbelief.refused,
            why: disbelief.why,
            is_charged: true,
            body_comes: true,
        }
    }

    fn of_rate(registry: Option<usize>, why: &str) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            registry,
            refused: Refused::Rate,
            why: why.to_owned(),
            is_charged: false,
            body_comes: true,
        }
    }

    /// The same where nothing of the body is left to come.
    fn with_body_read(self) -> Self {
        Self {
            body_comes: false,
            ..self
        }
    }

    /// Of one that nobody believes yet.
    fn of_body(registry: Option<usize>, unread: Unread) -> Self {
        let (status, refused, why) = unread.told();
        Self {
            status,
            registry,
            refused,
            why: why.to_owned(),
            // That there is no place may be the fault of others.
            is_charged: unread != Unread::TooManyLarge,
            body_comes: false,
        }
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
