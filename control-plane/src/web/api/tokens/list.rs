//! `GET /tokens`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Token;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::PageQuery;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

/// List API tokens
///
/// Oldest first, revoked ones included. Their texts are not to be had.
#[utoipa::path(
    get, path = "/tokens", operation_id = "list_tokens", tag = "access",
    params(PageQuery),
    responses((status = 200, description = "A page of tokens", body = PageOf<Token>)),
    extensions(("x-required-role" = json!("admin"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(page): Parameters<PageQuery>,
) -> Result<Json<PageOf<Token>>, ApiError> {
    let page = app.api_tokens(&caller, &page.request()?).await?;
    Ok(Json(PageOf::of(page, Token::from)))
}
