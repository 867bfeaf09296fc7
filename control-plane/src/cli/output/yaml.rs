//! YAML 1.2 from JSON values, in block style.
//!
//! Every text that YAML could read as something else is written in JSON's double quotes, which YAML 1.2 reads the same way (YAML 1.2.2,
//! section 1.2). That makes the output as safe as JSON and leaves names as they are.

use serde_json::Value;

/// One document.
pub(in crate::cli) fn to_yaml(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(object) if !object.is_empty() => members(object, 0, &mut text),
        Value::Array(items) if !items.is_empty() => elements(items, 0, &mut text),
        plain => {
            text.push_str(&scalar(plain));
            text.push('\n');
        }
    }
    text
}

fn members(object: &serde_json::Map<String, Value>, depth: usize, text: &mut String) {
    for (index, (name, value)) in object.iter().enumerate() {
        // The first member of an element stands behind its dash.
        if index > 0 || !text.ends_with("- ") {
            indent(depth, text);
        }
        text.push_str(&quoted(name));
        text.push(':');
        nested(value, depth + 1, text);
    }
}

fn elements(items: &[Value], depth: usize, text: &mut String) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 || !text.ends_with("- ") {
            indent(depth, text);
        }
        match item {
            Value::Object(object) if !object.is_empty() => {
                text.push_str("- ");
                members(object, depth + 1, text);
            }
            Value::Array(inner) if !inner.is_empty() => {
                text.push_str("- ");
                elements(inner, depth + 1, text);
            }
            plain => {
                text.push_str("- ");
                text.push_str(&scalar(plain));
                text.push('\n');
            }
        }
    }
}

fn nested(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            text.push('\n');
            members(object, depth, text);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            elements(items, depth, text);
        }
        plain => {
            text.push(' ');
            text.push_str(&scalar(plain));
            text.push('\n');
        }
    }
}

fn indent(depth: usize, text: &mut String) {
    text.extend(std::iter::repeat_n("  ", depth));
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        // Null, booleans, numbers, and what is empty, are written as in JSON.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

/// As it is if it can be nothing but a text, else in double quotes.
fn quoted(text: &str) -> String {
    let mut bytes = text.bytes();
    let starts = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'/');
    let plain = starts
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"_./@+:-".contains(&b))
        && !text.ends_with(':')
        && !is_word_of_yaml(text);
    if plain {
        text.to_owned()
    } else {
        // JSON leaves C1 controls and line separators alone; YAML does not allow them all, and a terminal obeys some.
        let json = Value::String(text.to_owned()).to_string();
        json.chars()
            .map(|c| match c {
                '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                    format!("\\u{:04x}", u32::from(c))
                }
                other => other.to_string(),
            })
            .collect()
    }
}

/// What YAML 1.1 or 1.2 reads as null, a boolean or a number.
fn is_word_of_yaml(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    matches!(
        lower.as_str(),
        "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "inf" | "nan"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn writes_block_style_and_quotes_what_could_be_read_otherwise() {
        let value = json!({
            "name": "gl", "url": "https://h:1", "tags": ["1.0", "latest", "yes", ""], "none": null, "count": 3, "empty": [],
            "nested": [{"a": 1, "b": [{"c": "x y"}]}, [["deep"]]], "object": {},
        });
        insta::assert_snapshot!(to_yaml(&value), @r#"
        count: 3
        empty: []
        name: gl
        nested:
          - a: 1
            b:
              - c: "x y"
          - - - deep
        none: null
        object: {}
        tags:
          - "1.0"
          - latest
          - "yes"
          - ""
        url: https://h:1
        "#);
        assert_eq!(to_yaml(&json!("a: b")), "\"a: b\"\n");
        assert_eq!(to_yaml(&json!([])), "[]\n");
        assert_eq!(to_yaml(&json!("\u{85}\u{1b}")), "\"\\u0085\\u001b\"\n");
    }

    proptest! {
        #[test]
        fn a_text_is_one_line_and_reads_back_as_itself(text in "\\PC{0,40}|[a-z:]{1,5}|(null|y|~|-|0x1|1e3|:|#|\n|\t)") {
            let yaml = to_yaml(&Value::String(text.clone()));
            let line = yaml.strip_suffix('\n').unwrap();
            prop_assert!(!line.contains('\n'));
            match serde_json::from_str::<String>(line) {
                Ok(read) => prop_assert_eq!(read, text),
                // Unquoted: only what nothing in YAML begins with or contains.
                Err(_) => {
                    prop_assert_eq!(line, &text);
                    prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./@+:-".contains(&b)));
                    prop_assert!(!text.ends_with(':'));
                    prop_assert!(text.as_bytes()[0].is_ascii_alphabetic() || text.starts_with('/'));
                }
            }
        }
    }
}
