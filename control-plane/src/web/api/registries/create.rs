//! `POST /registries`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::{CreateRegistry, Registry};
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::body::Body;

/// Add a registry
#[utoipa::path(
    post, path = "/registries", operation_id = "create_registry", tag = "registries",
    request_body = CreateRegistry,
    responses((status = 201, description = "The registry", body = Registry)),
    extensions(("x-required-role" = json!("operator"))),
)]
pub(crate) async fn create(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Body(body): Body<CreateRegistry>,
) -> Result<(StatusCode, Json<Registry>), ApiError> {
    let record = app.add_registry(&caller, body.into_input()?).await?;
    let known = app
        .known_registries(&caller, std::slice::from_ref(&record))
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(Registry::of(record, &known, app.clock.now())),
    ))
}
