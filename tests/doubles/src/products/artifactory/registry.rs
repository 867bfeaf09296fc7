//! `/v2/` of one repository of Artifactory, and its token service.

use axum::response::Response;
use http::{Method, header};
use serde_json::json;

use super::double::{ArtifactoryLogin, State};
use crate::products::stage::{Question, json, page};
use crate::products::v2::{self, Asked, Linked, Lists, View};

const LISTS: Lists = Lists {
    // What is in front of `/v2/` is lost on the way through it.
    linked: Linked::PathWithoutPrefix,
    usual: Some(100),
    most: 1_000,
    holes: false,
};

/// Behind `/v2/` of the repository `key`.
pub(super) fn answer(state: &mut State, key: &str, behind: &str, question: &Question) -> Response {
    if behind == "token" {
        return token(state, key, question);
    }
    let (Some(asked), Some(keys)) = (Asked::of(behind), state.keys(key)) else {
        return page(404);
    };
    if !admitted(state, key, &asked, question) {
        return challenged(state, key, &asked, question);
    }
    if asked == Asked::Catalog && state.manners.closed.iter().any(|closed| closed == key) {
        return v2::error(403, "DENIED");
    }
    let lists_tags = matches!(asked, Asked::Tags(_));
    if lists_tags && question.header(header::ACCEPT).contains("manifest") {
        return v2::error(406, "UNSUPPORTED");
    }
    let view = View {
        content: &state.content,
        keys: Some(&keys),
    };
    v2::answer(view, &asked, question, LISTS)
}

/// Behind `/v2/` of the instance, where a proxy takes the first component for the key.
pub(super) fn at_root(state: &mut State, behind: &str, question: &Question) -> Response {
    match behind.split_once('/') {
        Some((key, behind)) => {
            let (key, behind) = (key.to_owned(), behind.to_owned());
            answer(state, &key, &behind, question)
        }
        None if behind == "token" => token(state, "", question),
        None if behind.is_empty() && admitted(state, "", &Asked::Root, question) => json(200, &json!({})),
        None if behind.is_empty() => challenged(state, "", &Asked::Root, question),
        None => page(404),
    }
}

fn admitted(state: &State, key: &str, asked: &Asked<'_>, question: &Question) -> bool {
    if state.knows(question) {
        return true;
    }
    let granted = question.bearer().and_then(|token| state.tokens.get(token));
    granted.is_some_and(|(of, repository)| {
        of == key
            && asked
                .repository()
                .is_none_or(|name| repository.as_deref() == Some(name))
    })
}

fn challenged(state: &State, key: &str, asked: &Asked<'_>, question: &Question) -> Response {
    if state.manners.login == ArtifactoryLogin::Basic {
        return v2::challenged(&["Basic realm=\"Artifactory Realm\"".to_owned()]);
    }
    let front = if key.is_empty() {
        "/v2".to_owned()
    } else {
        format!("/artifactory/api/docker/{key}/v2")
    };
    let host = question.here.split_once("://").map_or("", |(_, host)| host);
    let mut challenge = format!(
        "Bearer realm=\"{}{front}/token\",service=\"{host}\"",
        question.here
    );
    // To a HEAD it does not say for what.
    if let Some(name) = asked.repository().filter(|_| question.method != Method::HEAD) {
        challenge.push_str(&format!(",scope=\"repository:{name}:pull\""));
    }
    v2::challenged(&[challenge])
}

fn token(state: &mut State, key: &str, question: &Question) -> Response {
    if !state.knows(question) {
        return json(
            401,
            &json!({"errors": [{"status": 401, "message": "Bad credentials"}]}),
        );
    }
    let scope = question.parameter("scope").unwrap_or_default();
    let repository = scope
        .strip_prefix("repository:")
        .and_then(|rest| rest.strip_suffix(":pull"));
    let token = format!("jfrog-{}", state.tokens.len());
    state
        .tokens
        .insert(token.clone(), (key.to_owned(), repository.map(str::to_owned)));
    json(200, &json!({"token": token, "expires_in": 3600}))
}
