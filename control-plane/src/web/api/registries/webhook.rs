//! `GET /registries/{registry}/webhook`

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use portolan_shared::events::Sender;
use portolan_store::{EventCount, EventDoor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::parameters::Parameters;

/// In whose format.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ShowWebhook {
    /// Such as `gitlab` or `harbor`; what follows from the registry's flavour if none is given.
    sender: Option<String>,
}

/// Where a registry can send its notifications of pushes, and what it has to show there.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = RegistryWebhook)]
pub struct RegistryWebhookView {
    /// In whose format.
    pub sender: String,
    /// Path at the control plane; its address is the one of this API.
    #[schema(example = "/api/webhooks/harbor/0198c2f1-0000-7000-8000-000000000001")]
    pub path: String,
    /// What the registry shows at the control plane: in a header, by a signature, or as one more segment of the path.
    pub secret: String,
    /// What it shows at the listener of a sensor, whose administrator puts it there.
    pub listener_secret: String,
    /// Sensors of the registry that listen.
    pub listeners: Vec<ListenerView>,
    /// What came in so far.
    pub received: Vec<EventCountView>,
}

/// A sensor that listens.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Listener)]
pub struct ListenerView {
    /// The sensor's name.
    pub sensor: String,
    /// Where, with the registry's name at its end.
    pub url: String,
}

/// What came in at one door since the registry was added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = EventCount)]
pub struct EventCountView {
    /// `webhook` for the control plane's own, else the id of the sensor.
    pub door: String,
    /// Events that named something.
    pub accepted: u64,
    /// Notifications of things that change no inventory.
    pub ignored: u64,
    /// Notifications that were not authentic, malformed, too large or too many.
    pub refused: u64,
    /// Events in whose place the whole registry was looked at: a sensor could not keep them apart, or they could not be noted.
    pub given_up: u64,
    /// When something last came that was not refused: what a sensor told later, when it came to the sensor.
    pub last_at: Option<Timestamp>,
    /// When something was last refused.
    pub last_refused_at: Option<Timestamp>,
    /// Why.
    pub last_refused: Option<String>,
}

/// Where a registry can send notifications of pushes
///
/// With the secrets that it has to show. They follow from a key of this control plane and are the same each time.
#[utoipa::path(
    get, path = "/registries/{registry}/webhook", operation_id = "show_registry_webhook", tag = "registries",
    params(("registry" = String, Path, description = "Name or id"), ShowWebhook),
    responses((status = 200, description = "Addresses and secrets", body = RegistryWebhookView)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn webhook(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(registry): Path<String>,
    Parameters(query): Parameters<ShowWebhook>,
) -> Result<Json<RegistryWebhookView>, ApiError> {
    let sender = query.sender.as_deref().map(str::parse::<Sender>).transpose();
    let sender = sender.map_err(|error| ApiError::invalid("sender", error))?;
    let found = app.registry_webhook(&caller, &registry).await?;
    let flavour = found
        .record
        .facts
        .detection
        .as_ref()
        .map(|seen| seen.fact.flavour);
    let sender = sender
        .or_else(|| flavour.and_then(Sender::of))
        .unwrap_or(Sender::Distribution);
    let registry = &found.record.registry;
    let listener = |(sensor, url): (String, String)| ListenerView {
        sensor,
        url: format!("{}/{}", url.trim_end_matches('/'), registry.name),
    };
    Ok(Json(RegistryWebhookView {
        sender: sender.to_string(),
        path: format!("/api/webhooks/{sender}/{}", registry.id),
        secret: found.secret.expose().to_owned(),
        listener_secret: found.listener_secret.expose().to_owned(),
        listeners: found.listeners.into_iter().map(listener).collect(),
        received: found.counts.into_iter().map(EventCountView::from).collect(),
    }))
}

impl From<EventCount> for EventCountView {
    fn from(count: EventCount) -> Self {
        let (last_refused_at, last_refused) = count.last_refused.unzip();
        Self {
            door: match count.door {
                EventDoor::Webhook => "webhook".to_owned(),
                EventDoor::Sensor(sensor) => sensor.to_string(),
            },
            accepted: count.accepted,
            ignored: count.ignored,
            refused: count.refused,
            given_up: count.given_up,
            last_at: count.last_at,
            last_refused_at,
            last_refused,
        }
    }
}
