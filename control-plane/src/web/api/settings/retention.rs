//! `GET` and `PUT /settings/retention`

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use portolan_store::Retention;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::web::api::ApiError;
use crate::web::api::authenticated::Authenticated;
use crate::web::api::body::Body;
use crate::web::api::conditional::{Version, seen_version};

/// How long the past is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Retention)]
pub struct RetentionView {
    /// Days of tags' history, 1 to 36,500; null for ever. Of a tag that was there when that begins, it stays known what it pointed to.
    #[schema(minimum = 1, maximum = 36500, required)]
    #[serde(deserialize_with = "said")]
    pub history_days: Option<u32>,
    /// Days of runs that have ended, 7 to 36,500; null for ever. Of each registry the latest run stays, the latest of the whole, and the latest of
    /// these that was complete. Runs that looked at what push events had named, and saw all of it, are kept for 7 days whatever is said here.
    #[schema(minimum = 7, maximum = 36500, required)]
    #[serde(deserialize_with = "said")]
    pub runs_days: Option<u32>,
}

/// A field that is left out does not mean for ever.
fn said<'de, D: Deserializer<'de>>(field: D) -> Result<Option<u32>, D::Error> {
    Option::deserialize(field)
}

impl RetentionView {
    /// The number by which one setting is told from another: both numbers side by side, 0 for ever.
    fn version(self) -> Version {
        let days = |days: Option<u32>| u64::from(days.unwrap_or(0));
        Version(days(self.history_days) << 32 | days(self.runs_days))
    }

    /// What had this version.
    fn seen(version: u64) -> Retention {
        let days = |days: u64| {
            u32::try_from(days & u64::from(u32::MAX))
                .ok()
                .filter(|days| *days > 0)
        };
        Retention {
            history_days: days(version >> 32),
            runs_days: days(version),
        }
    }

    fn of(retention: Retention) -> Self {
        Self {
            history_days: retention.history_days,
            runs_days: retention.runs_days,
        }
    }
}

/// Show how long the past is kept
#[utoipa::path(
    get, path = "/settings/retention", operation_id = "show_retention", tag = "settings",
    responses((status = 200, description = "The settings", body = RetentionView)),
    extensions(("x-required-role" = json!("admin"))),
)]
pub(crate) async fn show(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
) -> Result<(Extension<Version>, Json<RetentionView>), ApiError> {
    let shown = RetentionView::of(app.retention(&caller).await?);
    Ok((Extension(shown.version()), Json(shown)))
}

/// Change how long the past is kept
///
/// What is older is removed within minutes, little by little, and does not come back. With `If-Match`, `412` if somebody else has changed it since.
#[utoipa::path(
    put, path = "/settings/retention", operation_id = "replace_retention", tag = "settings",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of what the caller saw")),
    request_body = RetentionView,
    responses((status = 200, description = "The settings as they are now", body = RetentionView)),
    extensions(("x-required-role" = json!("admin"))),
)]
pub(crate) async fn replace(
    Authenticated(caller): Authenticated,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Body(wanted): Body<RetentionView>,
) -> Result<Json<RetentionView>, ApiError> {
    let retention = Retention {
        history_days: wanted.history_days,
        runs_days: wanted.runs_days,
    };
    let seen = seen_version(&headers)?.map(RetentionView::seen);
    app.set_retention(&caller, retention, seen).await?;
    Ok(Json(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_version_is_that_of_one_setting_alone(
            history_days in prop::option::of(1_u32..),
            runs_days in prop::option::of(1_u32..),
        ) {
            let kept = Retention { history_days, runs_days };
            prop_assert_eq!(RetentionView::seen(RetentionView::of(kept).version().0), kept);
        }
    }
}
