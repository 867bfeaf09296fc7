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
use crate::web::api::{ApiError, KnownPageOf};

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
    /// with the code `history_forgotten`, and one before anything was known of the repository with `history_unknown`; `earliest` in the details is
    /// the first that can be asked for.
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
    responses((status = 200, description = "A page of tags", body = KnownPageOf<Tag>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(query): Parameters<ListTags>,
) -> Result<Json<KnownPageOf<Tag>>, ApiError> {
    let page = page_request(query.cursor, query.limit)?;
    if let Some(at) = query.at {
        let at = time("at", &at)?;
        let (place, found) = app
            .tags_at(&caller, query.registry.as_deref(), &query.repository, at, &page)
            .await?;
        let view = |record| Tag::of_past(&place, record);
        return Ok(Json(KnownPageOf::of(found.page, found.known_from, view)));
    }
    let (place, page) = app
        .tags(&caller, query.registry.as_deref(), &query.repository, &page)
        .await?;
    let known_from = place.repository.known_from;
    let view = |record| Tag::of(&place, record);
    Ok(Json(KnownPageOf::of(page, known_from, view)))
}
