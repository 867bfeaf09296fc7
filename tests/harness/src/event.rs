//! What a registry says when something changes in it.

use portolan_doubles::SmallImage;
use portolan_shared::model::Digest;
use serde_json::{Value, json};

/// One event as CNCF Distribution notifies of it. Two with the same id are the same event.
#[must_use]
pub fn distribution_event(
    id: &str,
    action: &str,
    repository: &str,
    tag: Option<&str>,
    digest: Option<&Digest>,
) -> Value {
    json!({
        "id": id,
        "timestamp": "2026-01-02T03:04:05.000000006Z",
        "action": action,
        "target": {
            "mediaType": SmallImage::MEDIA_TYPE,
            "repository": repository,
            "tag": tag,
            "digest": digest,
        },
        "request": {"id": id, "addr": "10.0.0.9:4711", "host": "registry.acme.example", "method": "PUT", "useragent": "skopeo/1.9"},
        "actor": {"name": "root"},
        "source": {"addr": "registry:5000", "instanceID": "one"},
    })
}
