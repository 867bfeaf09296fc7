//! `POST /api/webhooks/{sender}/{registry}` and `POST /api/webhooks/{sender}/{registry}/{secret}`

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use portolan_shared::events::{Headers, Sender, is_signed};
use portolan_shared::model::RegistryId;

use super::body::{Bodies, Untaken};
use crate::app::{App, Believed, Knock, NotTaken, Refused, WebhookDoor};
use crate::fair::{Buckets, Source};
use crate::settings::RateLimit;

/// Notifications of one registry: a registry that is busy, with every layer of every push announced by itself.
const OF_REGISTRY: RateLimit = RateLimit::new(200.0, 1_000.0);
/// Requests of one source, whatever they show. A proxy in front is one source.
const OF_SOURCE: RateLimit = RateLimit::new(1_000.0, 5_000.0);
/// Bodies in hand of registries that have shown their secret, and how many of them may be large.
const BELIEVED: (usize, usize) = (256, 16);
/// Bodies in hand that only their signature can tell of, and how many of them may be large.
const UNJUDGED: (usize, usize) = (64, 4);
/// Seconds after which whoever was too fast may try again.
const LATER: HeaderValue = HeaderValue::from_static("1");

struct Receiver {
    door: WebhookDoor,
    rates: Buckets<RegistryId>,
    /// `None` is whoever comes from no address that is known.
    sources: Buckets<Option<Source>>,
    believed: Bodies,
    unjudged: Bodies,
}

/// Why a notification is not answered with 200.
enum Refusal {
    NotTaken(NotTaken),
    /// A registry that is believed, or a source, comes too often.
    TooFast,
    Body(Untaken),
}

/// The routes, below `/api/webhooks`.
pub(in crate::web) fn routes<S: Clone + Send + Sync + 'static>(app: Arc<App>) -> Router<S> {
    let receiver = Arc::new(Receiver {
        door: WebhookDoor::new(app),
        rates: Buckets::new(OF_REGISTRY),
        sources: Buckets::new(OF_SOURCE),
        believed: Bodies::new(BELIEVED.0, BELIEVED.1),
        unjudged: Bodies::new(UNJUDGED.0, UNJUDGED.1),
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
        let connection = head.extensions.get::<ConnectInfo<SocketAddr>>();
        let source = connection.map(|ConnectInfo(remote)| Source::of(remote.ip()));
        if self.sources.take(source, self.door.uptime()).is_err() {
            self.door.turn_away(Refused::TooMany);
            return Err(Refusal::TooFast);
        }
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
        let headers = Shown(&head.headers);
        let knock = |body| Knock {
            sender,
            registry,
            path_secret: secret.as_deref(),
            headers: &headers,
            body,
        };
        if let Some(believed) = self.door.recognise(&knock(&[])).await? {
            self.keep_rate(believed, registry)?;
            self.believed
                .pass_over(body)
                .await
                .map_err(|untaken| self.untaken(believed, untaken))?;
            self.door.ignore(believed);
        } else if is_signed(&headers) {
            let body = self.unjudged.take(body).await.map_err(|untaken| {
                self.door.turn_away(untaken.told().1);
                Refusal::Body(untaken)
            })?;
            let knock = knock(&body.bytes);
            let believed = self.believe(&knock).await?;
            self.door.take(believed, &knock).await?;
        } else {
            let believed = self.believe(&knock(&[])).await?;
            let body = self.believed.take(body).await;
            let body = body.map_err(|untaken| self.untaken(believed, untaken))?;
            self.door.take(believed, &knock(&body.bytes)).await?;
        }
        Ok(())
    }

    /// Whether it is authentic, and one that may come now.
    async fn believe(&self, knock: &Knock<'_>) -> Result<Believed, Refusal> {
        let believed = self.door.authenticate(knock).await?;
        self.keep_rate(believed, knock.registry)?;
        Ok(believed)
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
