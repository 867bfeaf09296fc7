//! `GET /images`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::Image;
use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::parameters::Parameters;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ShowImage {
    /// `REGISTRY/REPOSITORY:TAG` or `REGISTRY/REPOSITORY@DIGEST`; the registry by name or as `HOST[:PORT]`, and not at all if only one has
    /// the repository. Without a tag: `latest`.
    pub(super) reference: String,
    /// Of an index, the image for this platform: `OS/ARCHITECTURE[/VARIANT]`.
    pub(super) platform: Option<String>,
}

/// Show an image
///
/// Or any other artifact: its platforms, layers, facts and referrers. A reference that could mean several repositories gives `409` with
/// the candidates.
#[utoipa::path(
    get, path = "/images", operation_id = "show_image", tag = "inventory",
    params(ShowImage),
    responses((status = 200, description = "The image", body = Image)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn show(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(query): Parameters<ShowImage>,
) -> Result<Json<Image>, ApiError> {
    let shown = app
        .image(&caller, &query.reference, query.platform.as_deref())
        .await?;
    Ok(Json(Image::from(shown)))
}
