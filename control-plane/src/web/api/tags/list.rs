//! `GET /tags`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::Tag;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::page_request;
use crate::web::api::parameters::{Parameters, time};
use crate::web::api::{ApiError, PageOf};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListTags {
    /// Of which repository: its name if `registry` is given, else `REGISTRY/REPOSITORY`, `HOST[:PORT]/REPOSITORY`, or a bare name that
    /// only one registry has.
    repository: String,
    /// In which registry, by name or id.
    registry: Option<String>,
    /// Tags as they were known at this time, RFC 3339; as they are now if not given. A time of which nothing is known any more gives `410`
    /// with the code `history_forgotten`.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

/// List tags of a repository
///
/// By name. With `at`, as they were known then.
#[utoipa::path(
    get, path = "/tags", operation_id = "list_tags", tag = "inventory",
    params(ListTags),
    responses((status = 200, description = "A page of tags", body = PageOf<Tag>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(query): Parameters<ListTags>,
) -> Result<Json<PageOf<Tag>>, ApiError> {
    let page = page_request(query.cursor, query.limit)?;
    if let Some(at) = query.at {
        let at = time("at", &at)?;
        let (place, page) = app
            .tags_at(&caller, query.registry.as_deref(), &query.repository, at, &page)
            .await?;
        return Ok(Json(PageOf::of(page, |record| Tag::of_past(&place, record))));
    }
    let (place, page) = app
        .tags(&caller, query.registry.as_deref(), &query.repository, &page)
        .await?;
    Ok(Json(PageOf::of(page, |record| Tag::of(&place, record))))
}
