//! One event, written.

use portolan_shared::model::printable;
use serde_json::{Value, json};

use crate::cli::output::{Format, moment, short, to_yaml};
use crate::web::api::changes::CloudEvent;

/// Longest line for people, in bytes.
const LINE: usize = 1_024;

/// Appends an event: a line for people or programs, or a document of YAML.
pub(super) fn write_event(text: &mut String, event: &CloudEvent, format: Format) {
    match format {
        Format::Table => text.push_str(&printable(&for_people(event), LINE)),
        Format::Json => text.push_str(&json!(event).to_string()),
        Format::Yaml => {
            text.push_str("---\n");
            text.push_str(to_yaml(&json!(event)).trim_end());
        }
    }
    text.push('\n');
}

/// `2026-03-31 08:00:00Z  moved       gitlab/acme/shop:1.0  sha256:0123 -> sha256:4567`
fn for_people(event: &CloudEvent) -> String {
    let kind = event.kind.strip_prefix("io.portolan.").unwrap_or(&event.kind);
    let word = match kind {
        "baseline.complete" => return format!("{}  all that is there was told", moment(event.time)),
        "registry.removed" => "removed",
        kind => kind.strip_prefix("tag.").unwrap_or(kind),
    };
    let digest = |name: &str| event.data.get(name).and_then(Value::as_str).map(short);
    let digests = match (digest("previous_digest"), digest("digest")) {
        (Some(before), Some(after)) => format!("  {before} -> {after}"),
        (Some(before), None) => format!("  {before} -> nothing"),
        (None, Some(after)) => format!("  {after}"),
        (None, None) => String::new(),
    };
    let subject = event.subject.as_deref().unwrap_or_default();
    let word = word.replace('_', " ");
    format!("{}  {word:9}  {subject}{digests}", moment(event.time))
}
