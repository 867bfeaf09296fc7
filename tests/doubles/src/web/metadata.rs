//! `GET /metadata` and `GET /version`.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use http::{HeaderMap, Uri};
use serde_json::json;

use super::answers;
use super::host::State;

pub(super) async fn show(Shared(state): Shared<Arc<State>>, headers: HeaderMap, uri: Uri) -> Response {
    state.answer(&headers, &uri, |ask| {
        ask.caller.credential()?;
        ask.caller.with_one_of(&["api", "read_api", "read_user"])?;
        let version = &ask.switches.version;
        let mut body = json!({"version": version, "revision": "4b6ef1d2a7c"});
        if uri.path().ends_with("/metadata") {
            body["kas"] = json!({"enabled": false, "externalUrl": null, "version": null});
            body["enterprise"] = json!(version.ends_with("-ee"));
        }
        Ok(answers::ok(&body))
    })
}
