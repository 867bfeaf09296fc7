//! `POST /api/webhooks/{sender}/{registry}` and `POST /api/webhooks/{sender}/{registry}/{secret}`

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use portolan_shared::events::{Allowances, Headers, Sender, is_gitlab_webhook, is_signed};
use portolan_shared::model::{RegistryId, limits};
use tokio::sync::Semaphore;

use super::body::{Bodies, Bounds, Taken, Untaken};
use crate::app::{App, Believed, Found, Knock, NotTaken, Refused, WebhookDoor};
use crate::fair::{Buckets, Source};
use crate::settings::RateLimit;

/// Notifications of one registry: a registry that is busy, with every layer of every push announced by itself.
const OF_REGISTRY: RateLimit = RateLimit::new(200.0, 1_000.0);
/// Bodies in hand of registries that have shown their secret.
const BELIEVED: Bounds = Bounds {
    all: (256, 64),
    large: (16, 4),
};
/// Bodies in hand that only their signature can tell of. Those for ids that are no registry's have as many places of their own, so that they are
/// answered as those of registries are and take no place from any.
const UNJUDGED: Bounds = Bounds {
    all: (128, 8),
    large: (8, 2),
};
/// Registries that are looked for at once: half of what reads the database.
const LOOKUPS: usize = 2;
/// Seconds after which whoever was too fast may try again.
const LATER: HeaderValue = HeaderValue::from_static("1");

/// Whom a request names, and where it comes from: `None` is whoever comes from no address that is known.
type Try = (RegistryId, Option<Source>);

struct Receiver {
    door: WebhookDoor,
    rates: Buckets<RegistryId>,
    disbelieved: Mutex<Allowances<Try>>,
    believed: Bodies,
    unjudged: Bodies,
    of_nobody: Bodies,
    /// For each that is being looked for in the database: ids that strangers make up leave most of its connections to others.
    lookups: Semaphore,
}

/// Why a notification is not answered with 200.
enum Refusal {
    NotTaken(NotTaken),
    /// A registry that is believed comes too often, or whoever is not.
    TooFast,
    Body(Untaken),
}

/// The routes, below `/api/webhooks`.
pub(in crate::web) fn routes<S: Clone + Send + Sync + 'static>(app: Arc<App>) -> Router<S> {
    let disbelieved = Allowances::new(
        limits::DISBELIEVED_PER_SECOND,
        limits::DISBELIEVED_AT_ONCE,
        limits::DISBELIEVED_KEYS,
    );
    let receiver = Arc::new(Receiver {
        door: WebhookDoor::new(app),
        rates: Buckets::new(OF_REGISTRY),
        disbelieved: Mutex::new(disbelieved),
        believed: Bodies::new(BELIEVED),
        unjudged: Bodies::of_strangers(UNJUDGED),
        of_nobody: Bodies::of_strangers(UNJUDGED),
        lookups: Semaphore::new(LOOKUPS),
    });
    Router::new()
        .route("/{sender}/{registry}", post(with_header))
        .route("/{sender}/{registry}/{secret}", post(with_path))
        .with_state(receiver)
}

async fn with_header(
    State(receiver): State<Arc<Receiver>>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Response {
    let path = path.map(|Path((sender, registry))| (sender, registry, None));
    receiver.answer(path.ok(), request).await
}

async fn with_path(
    State(receiver): State<Arc<Receiver>>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    request: Request,
) -> Response {
    let path = path.map(|Path((sender, registry, secret))| (sender, registry, Some(secret)));
    receiver.answer(path.ok(), request).await
}

impl Receiver {
    /// The answer to what came to this path; to none that could be read.
    async fn answer(&self, path: Option<(String, String, Option<String>)>, request: Request) -> Response {
        match self.receive(path, request).await {
            Ok(()) => StatusCode::OK.into_response(),
            Err(Refusal::TooFast) => later(StatusCode::TOO_MANY_REQUESTS),
            Err(Refusal::Body(untaken)) => match untaken.told().0 {
                StatusCode::TOO_MANY_REQUESTS => later(StatusCode::TOO_MANY_REQUESTS),
                status => status.into_response(),
            },
            Err(Refusal::NotTaken(NotTaken::NotAuthentic)) => StatusCode::UNAUTHORIZED.into_response(),
            Err(Refusal::NotTaken(NotTaken::Store(error))) => {
                self.door.turn_away(Refused::NotNoted);
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a notification could not be noted"
                );
                later(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }

    async fn receive(
        &self,
        path: Option<(String, String, Option<String>)>,
        request: Request,
    ) -> Result<(), Refusal> {
        let (head, body) = request.into_parts();
        let path = path.and_then(|(sender, registry, secret)| {
            Some((
                sender.parse::<Sender>().ok()?,
                registry.parse::<RegistryId>().ok()?,
                secret,
            ))
        });
        let Some((sender, registry, secret)) = path else {
            self.door.turn_away(Refused::Path);
            return Err(NotTaken::NotAuthentic.into());
        };
        let connection = head.extensions.get::<ConnectInfo<SocketAddr>>();
        let source = connection.map(|ConnectInfo(remote)| Source::of(remote.ip()));
        let knock = Knock {
            sender,
            registry,
            path_secret: secret.as_deref(),
            headers: &Shown(&head.headers),
            body: &[],
        };
        self.let_in(&knock, body, source).await
    }

    /// What strangers have done before does not matter to whoever shows the secret: they may share the address of a proxy with everybody else, and
    /// nothing else tells one from the other. Of whoever does not, those that come too often are not looked at any further.
    async fn let_in(&self, knock: &Knock<'_>, body: Body, source: Option<Source>) -> Result<(), Refusal> {
        let attempt = (knock.registry, source);
        let disbelieve = |refusal: Refusal| {
            self.disbelieved().use_up(attempt, self.door.uptime());
            refusal
        };
        let found = self.find(knock.registry).await?;
        if let Some(believed) = found.recognise(knock) {
            let body = self.receive_shown(believed, knock, body).await?;
            let Some(body) = body else { return Ok(()) };
            // A signature that is there as well has to verify.
            let whole = Knock {
                body: &body.bytes,
                ..*knock
            };
            let believed = self.door.authenticate(&found, &whole);
            let believed = believed.map_err(|error| disbelieve(error.into()))?;
            return self.take(believed, knock, &body.bytes).await;
        }
        if !self.disbelieved().is_left(&attempt, self.door.uptime()) {
            self.door.turn_away(Refused::TooMany);
            return Err(Refusal::TooFast);
        }
        if !is_signed(knock.headers) {
            // Counts why.
            let error = self.door.authenticate(&found, knock).err();
            return Err(disbelieve(error.unwrap_or(NotTaken::NotAuthentic).into()));
        }
        let places = match found.is_known() {
            true => &self.unjudged,
            false => &self.of_nobody,
        };
        let body = places.take(knock.registry, body).await.map_err(|untaken| {
            self.door.turn_away(untaken.told().1);
            match untaken {
                // It may be the fault of others.
                Untaken::NoPlace => Refusal::Body(untaken),
                _ => disbelieve(Refusal::Body(untaken)),
            }
        })?;
        let signed = Knock {
            body: &body.bytes,
            ..*knock
        };
        let believed = self.door.authenticate(&found, &signed);
        let believed = believed.map_err(|error| disbelieve(error.into()))?;
        self.keep_rate(believed, knock.registry)?;
        // From here on it waits for the database, and not among strangers.
        let body = self.believed.take_over(knock.registry, body.into_bytes());
        let body = body.map_err(|untaken| self.untaken(believed, untaken))?;
        self.take(believed, knock, &body.bytes).await
    }

    async fn find(&self, registry: RegistryId) -> Result<Found, NotTaken> {
        // It is never closed; were it, whoever looked would not be bounded.
        let _permit = self.lookups.acquire().await.ok();
        self.door.find(registry).await
    }

    /// The body of whoever shows the secret; none of a webhook of GitLab's projects and groups, out of which nothing is read.
    async fn receive_shown(
        &self,
        believed: Believed,
        knock: &Knock<'_>,
        body: Body,
    ) -> Result<Option<Taken<'_>>, Refusal> {
        self.keep_rate(believed, knock.registry)?;
        if is_gitlab_webhook(knock.sender, knock.headers) {
            let passed = self.believed.pass_over(knock.registry, body).await;
            passed.map_err(|untaken| self.untaken(believed, untaken))?;
            self.door.ignore(believed);
            return Ok(None);
        }
        let body = self.believed.take(knock.registry, body).await;
        body.map(Some).map_err(|untaken| self.untaken(believed, untaken))
    }

    async fn take(&self, believed: Believed, knock: &Knock<'_>, body: &[u8]) -> Result<(), Refusal> {
        self.door.take(believed, &Knock { body, ..*knock }).await?;
        Ok(())
    }

    fn keep_rate(&self, believed: Believed, registry: RegistryId) -> Result<(), Refusal> {
        self.rates.take(registry, self.door.uptime()).map_err(|_| {
            self.door.refuse(believed, Refused::TooMany);
            Refusal::TooFast
        })
    }

    fn untaken(&self, believed: Believed, untaken: Untaken) -> Refusal {
        self.door.refuse(believed, untaken.told().1);
        Refusal::Body(untaken)
    }

    fn disbelieved(&self) -> MutexGuard<'_, Allowances<Try>> {
        self.disbelieved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<NotTaken> for Refusal {
    fn from(error: NotTaken) -> Self {
        Self::NotTaken(error)
    }
}

fn later(status: StatusCode) -> Response {
    (status, [(header::RETRY_AFTER, LATER)]).into_response()
}

/// Headers as the formats look at them.
struct Shown<'a>(&'a HeaderMap);

impl Headers for Shown<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }
}
