//! `GET /audit/chain`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use portolan_store::{Cursor, PageRequest};
use serde::Deserialize;

use super::AuditLink;
use crate::app::App;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::page::page_request;
use crate::web::api::parameters::Parameters;
use crate::web::api::{ApiError, PageOf};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListChain {
    /// Number of the record behind which it begins; at the first record if none is named.
    #[param(value_type = Option<u64>)]
    after: Option<String>,
    /// `next` of the page before; takes the place of `after`.
    cursor: Option<String>,
    /// Items in the page, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

/// List what was done, oldest first, with hashes
///
/// Every record as it is hashed. `details` is a text that holds JSON: its bytes are what counts. `hash` is the SHA-256 of
/// `portolan audit record v1` and a zero byte, the SHA-256 of the record, and `prev_hash`. The record is hashed as `seq` and `at_ms` (eight bytes
/// each, most significant first), then `actor`, `action`, `object` and `outcome`, each behind its length in bytes (eight bytes), then the
/// SHA-256 of `details`.
#[utoipa::path(
    get, path = "/audit/chain", operation_id = "list_audit_chain", tag = "access",
    params(ListChain),
    responses((status = 200, description = "A page of the audit log", body = PageOf<AuditLink>)),
    extensions(("x-required-role" = json!("viewer"))),
)]
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    Parameters(query): Parameters<ListChain>,
) -> Result<Json<PageOf<AuditLink>>, ApiError> {
    let page = page_request(query.cursor, query.limit)?;
    let after = match (&page.after, query.after) {
        (Some(cursor), _) => number(cursor)?,
        (None, Some(text)) => text
            .parse()
            .map_err(|_| ApiError::invalid("after", "must be the number of a record"))?,
        (None, None) => 0,
    };
    let records = app
        .audit_chain(&caller, after, page.limit.min(PageRequest::MAX))
        .await?;
    let full = records.len() == usize::from(page.limit);
    let last = records.last().filter(|_| full).map(|last| last.record.seq);
    Ok(Json(PageOf {
        next: last.map(|seq| Cursor::at(seq.to_string().as_bytes()).to_string()),
        items: records.into_iter().map(AuditLink::from).collect(),
    }))
}

fn number(cursor: &Cursor) -> Result<u64, ApiError> {
    let position = cursor.position().ok();
    position
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| ApiError::invalid("cursor", "it does not belong to this list"))
}
