//! `GET /invitations`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Invitation;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::PageQuery;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

/// List invitations
///
/// Newest first.
#[utoipa::path(
    get, path = "/invitations", operation_id = "list_invitations", tag = "invitations",
    params(PageQuery),
    responses((status = 200, description = "A page of invitations", body = PageOf<Invitation>)),
    extensions(("x-required-role" = json!("admin"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(page): Parameters<PageQuery>,
) -> Result<Json<PageOf<Invitation>>, ApiError> {
    let page = app.invitations(&caller, &page.request()?).await?;
    Ok(Json(PageOf::of(page, Invitation::from)))
}
