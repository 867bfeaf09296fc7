//! `GET /changes`

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use portolan_shared::model::limits;
use portolan_store::FEED_PAGE;
use serde::Deserialize;

use super::{ChangesView, stream};
use crate::app::{App, AppError, FeedCursor, FeedStart};
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::parameters::Parameters;

/// Events in a page if the caller does not say.
const PAGE: u32 = 100;
/// What is said to those for whom there is no place: after how many seconds one may be free, from the least to the most.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FollowChanges {
    /// Go on behind this: `next_cursor` of the answer before, or the id of an event of the stream.
    cursor: Option<String>,
    /// Where to begin without a cursor: `start` with everything that is there, or `now`.
    #[param(value_type = Option<String>, default = "start")]
    from: Option<String>,
    /// Only of this registry, by name or id. A cursor says it too: with one it may be left out, and must not name another one.
    registry: Option<String>,
    /// Events at most, 1 to 1,000. Of a stream: those that are read at once, and more than 100 is as 100.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
    /// Seconds to wait for events if there are none, 0 to 25. A stream always waits.
    #[param(value_type = Option<u16>, minimum = 0, maximum = 25, default = 0)]
    wait: Option<String>,
}

/// Follow what changes
///
/// First one event for every tag that is there (the baseline), one that says that this was all, then one for every change, in the order in which
/// they were committed: CloudEvents. A tag is as the last event of it says; an event may tell what the baseline showed already.
///
/// With `Accept: text/event-stream` the events come as they happen, each with the cursor behind it as its id; a comment every 15 seconds; and
/// at last an `end` or an `error` with its code: then open it again with `Last-Event-ID`. The `end` says why: `draining`, `age` after 8 to 10
/// minutes, `token` at most 15 seconds after it was revoked or ended, `crowded` if others follow too and the tenant has more than its share of
/// streams, `removed`.
///
/// What was followed is part of the cursor. When a registry that is followed is removed, `io.portolan.registry.removed` is the last that is told:
/// `ended` is true from then on, a stream ends with `removed`, and opened again it answers `204`. One that is added again, by the same name too, is
/// another one: begin anew without a cursor.
///
/// A cursor behind which changes have been removed, as the settings of retention want it, gives `410` with the code `cursor_expired`. More than 16
/// streams and waiting polls of a token, 64 of a tenant or 128 of all give `429` with `too_many_streams`; as does one more of a tenant that has as
/// many as are left to all others.
#[utoipa::path(
    get, path = "/changes", operation_id = "follow_changes", tag = "inventory",
    params(FollowChanges, ("Last-Event-ID" = Option<String>, Header, description = "Of a stream that is opened again: instead of `cursor`")),
    responses((status = 200, description = "Events", content(
        (ChangesView = "application/json"), (String = "text/event-stream")
    )), (status = 204, description = "Of a stream: nothing will ever follow")),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn follow(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Parameters(query): Parameters<FollowChanges>,
) -> Result<Response, ApiError> {
    let is_stream = headers.get_all(header::ACCEPT).iter().any(wants_stream);
    let limit = number("limit", query.limit.as_deref(), PAGE, (1, FEED_PAGE))?;
    let most = u32::try_from(limits::FEED_WAIT_SECONDS).unwrap_or(0);
    let wait = number("wait", query.wait.as_deref(), 0, (0, most))?;
    let seen = headers.get("last-event-id").filter(|_| is_stream);
    let seen = seen.map(|value| value.to_str().unwrap_or("?").to_owned());
    let start = start(seen.or(query.cursor), query.from.as_deref())?;
    let cursor = app.feed_cursor(&caller, start, query.registry.as_deref()).await?;
    let wait = Duration::from_secs(wait.into());
    let answer = if is_stream {
        match app.enter_feed(&caller) {
            Ok(reader) => return stream::open(Arc::clone(&app), reader, &cursor, limit).await,
            Err(error) => Err(error),
        }
    } else {
        app.poll_feed(&caller, &cursor, limit, wait).await
    };
    match answer {
        Ok(page) => Ok(Json(ChangesView::of(page)).into_response()),
        Err(full @ AppError::TooManyReaders { .. }) => {
            let mut response = ApiError::from(full).into_response();
            let seconds = app.rng.between(RETRY_AFTER.0, RETRY_AFTER.1).as_secs();
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}

fn wants_stream(accept: &HeaderValue) -> bool {
    accept.to_str().is_ok_and(|list| {
        list.split(',')
            .filter_map(|range| range.split(';').next())
            .any(|range| range.trim().eq_ignore_ascii_case("text/event-stream"))
    })
}

fn start(cursor: Option<String>, from: Option<&str>) -> Result<FeedStart, ApiError> {
    match (cursor, from) {
        (Some(cursor), None) => cursor
            .parse::<FeedCursor>()
            .map(FeedStart::After)
            .map_err(|error| ApiError::invalid("cursor", error)),
        // A stream that is opened again has the query that it was opened with first.
        (Some(cursor), Some("start" | "now")) => start(Some(cursor), None),
        (None, None | Some("start")) => Ok(FeedStart::Baseline),
        (None, Some("now")) => Ok(FeedStart::Now),
        (_, Some(_)) => Err(ApiError::invalid("from", "expected start or now")),
    }
}

fn number(
    field: &'static str,
    text: Option<&str>,
    unsaid: u32,
    (least, most): (u32, u32),
) -> Result<u32, ApiError> {
    let Some(text) = text else { return Ok(unsaid) };
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| ApiError::out_of_bounds(field, least.into(), most.into()))
}
