//! The rules that protect tags.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::response::Response;
use http::{HeaderMap, Uri};
use serde_json::json;

use super::answers;
use super::credential::DEVELOPER;
use super::host::State;

pub(super) async fn list(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    state.answer(&headers, &uri, |ask| {
        if !ask.switches.tag_rules {
            return Err(answers::no_route());
        }
        ask.caller.reading()?;
        let project = ask.caller.project_with_images(ask.instance, &id)?;
        if ask.caller.role(project) < DEVELOPER {
            return Err(answers::forbidden());
        }
        Ok(answers::ok(&json!(project.tag_rules)))
    })
}
