//! Whether an answer is what the document says it is. Knows as much of JSON Schema as the document uses; anything else in it fails.

use serde_json::Value;

/// Panics with the place if `value` is not of the form that `schema` describes.
pub(crate) fn conforms(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').unwrap();
        return conforms(document, document.pointer(pointer).unwrap(), value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        // The document uses it for "this or null" alone.
        let chosen = choices
            .iter()
            .find(|choice| (choice["type"] == "null") == value.is_null());
        return conforms(document, chosen.unwrap(), value, at);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::String(only) => vec![only.as_str()],
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
        other => panic!("{at}: the document has a schema without a type: {other}"),
    };
    assert!(allowed.contains(&kind), "{at}: {value} is not {allowed:?}");
    match value {
        Value::Object(members) => object(document, schema, members, at),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                conforms(document, &schema["items"], item, &format!("{at}[{index}]"));
            }
        }
        Value::String(text) => string(schema, text, at),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn object(document: &Value, schema: &Value, members: &serde_json::Map<String, Value>, at: &str) {
    let Some(properties) = schema["properties"].as_object() else {
        // A map, or facts of no fixed form.
        for (name, value) in members {
            if schema["additionalProperties"].is_object() {
                conforms(
                    document,
                    &schema["additionalProperties"],
                    value,
                    &format!("{at}.{name}"),
                );
            }
        }
        return;
    };
    for (name, value) in members {
        let schema = properties
            .get(name)
            .unwrap_or_else(|| panic!("{at}.{name} is not in the document"));
        conforms(document, schema, value, &format!("{at}.{name}"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(
            members.contains_key(name.as_str().unwrap()),
            "{at}.{name} is missing"
        );
    }
}

fn string(schema: &Value, text: &str, at: &str) {
    match schema["format"].as_str() {
        Some("date-time") => drop(
            text.parse::<jiff::Timestamp>()
                .unwrap_or_else(|_| panic!("{at}: {text} is no time")),
        ),
        Some("uuid") => drop(
            text.parse::<portolan_shared::model::RunId>()
                .unwrap_or_else(|_| panic!("{at}: {text} is no id")),
        ),
        Some(other) => panic!("{at}: the document has a format that nobody checks: {other}"),
        None => {}
    }
}

#[test]
fn what_is_not_described_is_noticed() {
    use serde_json::json;
    let document = json!({"schemas": {"Thing": {
        "type": "object", "required": ["id"],
        "properties": {"id": {"type": "string", "format": "uuid"}, "at": {"type": ["string", "null"], "format": "date-time"}},
    }}});
    let schema = json!({"type": "array", "items": {"$ref": "#/schemas/Thing"}});
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    conforms(&document, &schema, &json!([{"id": id, "at": null}]), "good");
    for bad in [
        json!({"id": id}),
        json!([{"at": null}]),
        json!([{"id": id, "more": 1}]),
        json!([{"id": "x"}]),
        json!([{"id": id, "at": "yesterday"}]),
        json!([{"id": 1}]),
    ] {
        let judged = std::panic::catch_unwind(|| conforms(&document, &schema, &bad, "bad"));
        assert!(judged.is_err(), "{bad}");
    }
}
