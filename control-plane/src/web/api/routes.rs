//! Every operation, once. The document is made from this list, so that no route can be missing in it.

use std::sync::Arc;

use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Router, middleware};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::conditional::conditional;
use super::{
    ApiError, audit, changes, credentials, document, history, images, invitations, placements, probes,
    registries, repositories, runs, schedules, sensors, settings, status, tags, tokens, totals, webhooks,
    whoami,
};
use crate::app::{App, AppError};

/// The operations, with their description; the one place where a route is added.
pub(super) fn operations() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(whoami::show))
        .routes(routes!(totals::show))
        .routes(routes!(status::show::show))
        .routes(routes!(sensors::list::list))
        .routes(routes!(sensors::show::show, sensors::delete::delete))
        .routes(routes!(sensors::story::tell))
        .routes(routes!(sensors::suspend::suspend))
        .routes(routes!(sensors::resume::resume))
        .routes(routes!(sensors::approve::approve))
        .routes(routes!(sensors::revoke::revoke))
        .routes(routes!(credentials::sealing_key::show))
        .routes(routes!(credentials::list::list))
        .routes(routes!(
            credentials::show::show,
            credentials::put::put,
            credentials::remove::remove
        ))
        .routes(routes!(credentials::revert::revert))
        .routes(routes!(invitations::list::list, invitations::create::create))
        .routes(routes!(invitations::revoke::revoke))
        .routes(routes!(registries::list::list, registries::create::create))
        .routes(routes!(
            registries::show::show,
            registries::change::change,
            registries::remove::remove
        ))
        .routes(routes!(probes::create::create))
        .routes(routes!(probes::of_registry::create))
        .routes(routes!(probes::show::show))
        .routes(routes!(registries::preview::preview))
        .routes(routes!(registries::pause::pause))
        .routes(routes!(registries::resume::resume))
        .routes(routes!(schedules::preview::preview))
        .routes(routes!(registries::webhook::webhook))
        .routes(routes!(runs::queue::queue))
        .routes(routes!(runs::list::list))
        .routes(routes!(runs::show::show))
        .routes(routes!(runs::coverage::coverage))
        .routes(routes!(runs::cancel::cancel))
        .routes(routes!(repositories::list::list))
        .routes(routes!(tags::list::list))
        .routes(routes!(images::show::show))
        .routes(routes!(images::raw::raw))
        .routes(routes!(history::list::list))
        .routes(routes!(history::differences::list))
        .routes(routes!(changes::follow::follow))
        .routes(routes!(settings::retention::show, settings::retention::replace))
        .routes(routes!(placements::list::list))
        .routes(routes!(webhooks::list::list, webhooks::create::create))
        .routes(routes!(
            webhooks::show::show,
            webhooks::change::change,
            webhooks::remove::remove
        ))
        .routes(routes!(webhooks::keys::show))
        .routes(routes!(webhooks::pause::pause))
        .routes(routes!(webhooks::resume::resume))
        .routes(routes!(webhooks::rotate::rotate))
        .routes(routes!(webhooks::test::test))
        .routes(routes!(webhooks::deliveries::list))
        .routes(routes!(tokens::list::list, tokens::create::create))
        .routes(routes!(tokens::revoke::revoke))
        .routes(routes!(audit::list::list))
        .routes(routes!(audit::chain::list))
        .routes(routes!(audit::head::show))
        .routes(routes!(audit::checkpoints::list))
}

/// The API below `/api/v1`. The document itself needs no token: it tells nothing of anybody.
pub fn routes() -> Router<Arc<App>> {
    let (router, _) = operations().split_for_parts();
    router
        .route("/openapi.json", get(async || document().into_response()))
        .layer(middleware::from_fn(conditional))
}

/// Reads an id from a path. What is no id names nothing: the answer is the one for an unknown id.
pub(super) fn id<T: std::str::FromStr>(what: &'static str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| {
        AppError::NotFound {
            what,
            name: text.to_owned(),
        }
        .into()
    })
}
