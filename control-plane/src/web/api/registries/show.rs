//! `GET /registries/{registry}`

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::{Path, State};

use super::{EventCountView, Registry};
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::conditional::Version;

/// Show a registry
///
/// Its `ETag` can be given back in `If-Match` when it is changed.
#[utoipa::path(
    get, path = "/registries/{registry}", operation_id = "show_registry", tag = "registries",
    params(("registry" = String, Path, description = "Name or id")),
    responses((status = 200, description = "The registry", body = Registry)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn show(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Path(registry): Path<String>,
) -> Result<(Extension<Version>, Json<Registry>), ApiError> {
    let record = app.registry(&caller, &registry).await?;
    let known = app
        .known_registries(&caller, std::slice::from_ref(&record))
        .await?;
    let version = Extension(Version(record.version));
    let counts = app.event_counts(&caller, &record).await?;
    let mut shown = Registry::of(record, &known, app.clock.now());
    shown.events = (!counts.is_empty()).then(|| counts.into_iter().map(EventCountView::from).collect());
    Ok((version, Json(shown)))
}
