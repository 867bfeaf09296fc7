//! `POST /artifactory/api/search/aql`: the query language, as much of it as an inventory needs.

use axum::response::Response;
use http::{Method, header};
use portolan_shared::model::MediaType;
use serde_json::{Value, json};

use super::double::State;
use crate::products::stage::{Question, json};

/// `items.find(CRITERIA).include(...).sort(...).offset(N).limit(N)`.
struct Query {
    criteria: Value,
    included: Vec<String>,
    offset: usize,
    limit: usize,
}

pub(super) fn answer(state: &State, question: &Question) -> Response {
    if !state.knows(question) {
        return refusal(401, "Bad credentials");
    }
    if !state.manners.queries {
        return refusal(403, "Forbidden");
    }
    if question.method != Method::POST || !question.header(header::CONTENT_TYPE).starts_with("text/plain") {
        return refusal(400, "Bad Request");
    }
    let text = String::from_utf8_lossy(&question.body);
    let Some(query) = read(&text) else {
        return refusal(400, "Failed to parse query");
    };
    // Who is no administrator has to ask for these.
    if !["repo", "path", "name"]
        .iter()
        .all(|field| query.included.iter().any(|included| included == field))
    {
        return refusal(400, "repo, path and name have to be included");
    }
    let rows = rows(state, &query);
    let start = query.offset.min(rows.len());
    let page = &rows[start..start.saturating_add(query.limit).min(rows.len())];
    let range = json!({"start_pos": query.offset, "end_pos": start + page.len(), "total": page.len()});
    json(200, &json!({"results": page, "range": range}))
}

fn refusal(status: u16, message: &str) -> Response {
    json(
        status,
        &json!({"errors": [{"status": status, "message": message}]}),
    )
}

fn read(text: &str) -> Option<Query> {
    let rest = text.trim().strip_prefix("items.find(")?;
    let mut criteria = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
    let first = criteria.next()?.ok()?;
    let rest = rest[criteria.byte_offset()..].strip_prefix(')')?;
    let argument = |name: &str| {
        let (_, after) = rest.split_once(&format!(".{name}("))?;
        after.split_once(')').map(|(argument, _)| argument)
    };
    let included = argument("include")?
        .split(',')
        .map(|field| field.trim().trim_matches('"').to_owned());
    Some(Query {
        criteria: first,
        included: included.collect(),
        offset: argument("offset").map_or(Some(0), |number| number.parse().ok())?,
        limit: argument("limit").map_or(Some(usize::MAX), |number| number.parse().ok())?,
    })
}

/// Every manifest file that fits, in order of its path and name.
fn rows(state: &State, query: &Query) -> Vec<Value> {
    let fits = |field: &str, value: &str| criterion(&query.criteria, field, value);
    let mut rows = Vec::new();
    for (whole, repository) in state.content.repositories() {
        let Some((key, image)) = whole.as_str().split_once('/') else {
            continue;
        };
        let tagged = repository
            .tags()
            .iter()
            .map(|(tag, digest)| (tag.to_string(), digest));
        // Whatever is below an index is a folder beside the tags, named after its digest.
        let tags: Vec<_> = repository.tags().values().collect();
        let others = repository
            .manifests()
            .iter()
            .filter(|digest| !tags.contains(digest));
        let others = others.map(|digest| (digest.to_string().replacen(':', "__", 1), digest));
        for (folder, digest) in tagged.chain(others) {
            let media_type = state
                .content
                .manifests()
                .get(digest)
                .map(|stored| &stored.media_type);
            let name = if media_type.is_some_and(MediaType::is_index) {
                "list.manifest.json"
            } else {
                "manifest.json"
            };
            let path = format!("{image}/{folder}");
            if !(fits("repo", key) && fits("path", &path) && fits("name", name)) {
                continue;
            }
            let pushed = repository.pushed(&folder);
            let hex = digest.to_string().split(':').nth(1).map(str::to_owned);
            let row = json!({"repo": key, "path": path, "name": name, "sha256": hex, "size": 1_000,
                "created": pushed.created, "modified": pushed.published()});
            let Value::Object(mut row) = row else { continue };
            row.retain(|field, _| query.included.iter().any(|included| included == field));
            rows.push(Value::Object(row));
        }
    }
    rows
}

/// Whether the value of a field is what the criteria want, as far as these are of a form that is known here.
fn criterion(criteria: &Value, field: &str, value: &str) -> bool {
    let one = |wanted: &Value| match wanted {
        Value::String(wanted) => wanted == value,
        Value::Object(wanted) => wanted
            .get("$match")
            .and_then(Value::as_str)
            .is_some_and(|wanted| matches(wanted, value)),
        _ => false,
    };
    let own = criteria.get(field).is_none_or(one);
    let alternatives = criteria.get("$or").and_then(Value::as_array);
    let about = |alternatives: &&Vec<Value>| {
        alternatives
            .iter()
            .any(|alternative| alternative.get(field).is_some())
    };
    let any = alternatives.filter(about).is_none_or(|alternatives| {
        alternatives
            .iter()
            .filter_map(|alternative| alternative.get(field))
            .any(one)
    });
    own && any
}

/// `*` stands for anything, slashes too; `?` for one character.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_at_checked(1) {
        None => text.is_empty(),
        Some(("*", rest)) => {
            (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))
        }
        Some((one, rest)) => {
            let mut characters = text.chars();
            let first = characters.next();
            first.is_some_and(|first| one == "?" || one.starts_with(first))
                && matches(rest, characters.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_cross_slashes() {
        for (pattern, text) in [
            ("a/*", "a/b"),
            ("a/*", "a/b/c"),
            ("*", ""),
            ("a?c", "abc"),
            ("*.json", "x.json"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a/*", "b/a"), ("a", "ab"), ("a?", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn criteria_of_several_fields_hold_together() {
        let criteria = json!({"repo": "r", "path": {"$match": "a/*"}, "$or": [{"name": "x"}, {"name": "y"}]});
        for (field, value, fits) in [
            ("repo", "r", true),
            ("repo", "s", false),
            ("path", "a/1", true),
            ("name", "y", true),
            ("name", "z", false),
        ] {
            assert_eq!(criterion(&criteria, field, value), fits, "{field} {value}");
        }
    }
}
