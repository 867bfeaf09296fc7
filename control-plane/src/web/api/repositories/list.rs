//! `GET /repositories`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use portolan_store::Page;
use serde::Deserialize;

use super::Repository;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::page_request;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListRepositories {
    /// Only of this registry, by name or id.
    registry: Option<String>,
    /// Only this one, even if it has vanished: its name if `registry` is given, else `REGISTRY/REPOSITORY`, `HOST[:PORT]/REPOSITORY`, or a bare
    /// name that only one registry has. One that does not exist gives `404`. With it, `contains` and `cursor` are refused.
    repository: Option<String>,
    /// Only names that contain this text, in any case.
    contains: Option<String>,
    /// Also those that have vanished.
    #[serde(default)]
    #[param(default = false)]
    vanished: bool,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

/// List repositories
///
/// By registry and name.
#[utoipa::path(
    get, path = "/repositories", operation_id = "list_repositories", tag = "inventory",
    params(ListRepositories),
    responses((status = 200, description = "A page of repositories", body = PageOf<Repository>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(query): Parameters<ListRepositories>,
) -> Result<Json<PageOf<Repository>>, ApiError> {
    if query.repository.is_some() {
        only_one("contains", query.contains.as_deref())?;
        only_one("cursor", query.cursor.as_deref())?;
    }
    let page = page_request(query.cursor, query.limit)?;
    let registry = query.registry.as_deref();
    let page = match &query.repository {
        Some(reference) => Page {
            items: vec![app.repository(&caller, registry, reference).await?],
            next: None,
        },
        None => {
            app.repositories(&caller, registry, query.contains, query.vanished, &page)
                .await?
        }
    };
    let known = app.registries_of(&caller, &page.items).await?;
    let now = app.clock.now();
    Ok(Json(PageOf::of(page, |record| {
        Repository::of(&record, &known, now)
    })))
}

/// Refuses what could only leave out the one that is named.
fn only_one(field: &'static str, given: Option<&str>) -> Result<(), ApiError> {
    match given {
        None | Some("") => Ok(()),
        Some(_) => Err(ApiError::invalid(field, "`repository` names one already")),
    }
}
