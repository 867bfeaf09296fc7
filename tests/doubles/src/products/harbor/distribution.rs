//! `/v2/` and the token service.

use axum::response::Response;
use http::Method;
use portolan_shared::model::{Digest, MediaType};
use serde_json::json;

use super::accounts::{Caller, project_of};
use super::product::Harbor;
use crate::content::Content;
use crate::products::stage::{Question, json, text, with};
use crate::products::tokens::Issued;
use crate::products::v2::{self, Asked, Linked, Lists, View};

const LISTS: Lists = Lists {
    linked: Linked::Path,
    usual: None,
    most: usize::MAX,
    holes: false,
};

pub(super) fn token(harbor: &mut Harbor, question: &Question) -> Response {
    let Ok(caller) = harbor.caller(question) else {
        return v2::error(401, "UNAUTHORIZED");
    };
    let granted = |scope: &String| {
        let repository = scope.strip_prefix("repository:")?.rsplit_once(':')?.0;
        caller
            .sees(project_of(repository), &harbor.public)
            .then(|| format!("repository:{repository}:pull"))
    };
    let asked = question.parameters("scope");
    let scopes = asked.iter().filter_map(granted).collect();
    let login = match caller {
        Caller::Stranger => None,
        Caller::Known(account) => Some(account.name),
    };
    let token = harbor.tokens.issue(login, scopes);
    json(
        200,
        &json!({"token": token, "access_token": "", "expires_in": 1800, "issued_at": "2026-01-02T03:04:05Z"}),
    )
}

/// How somebody came in.
enum Entered {
    By(Caller),
    ByToken(Issued),
}

pub(super) fn answer(harbor: &mut Harbor, content: &Content, question: &Question) -> Response {
    let behind = question.path.trim_start_matches("/v2/");
    let (asked, referrers) = match behind.rsplit_once("/referrers/") {
        Some((name, digest)) => (Some(Asked::Tags(name)), Some((name, digest))),
        None => (Asked::of(behind), None),
    };
    let Some(asked) = asked else {
        return v2::error(404, "NOT_FOUND");
    };
    let entered = match question.bearer().map(|token| harbor.tokens.find(token)) {
        Some(Some(issued)) => Entered::ByToken(issued.clone()),
        Some(None) => return refusal(question, &asked),
        None => match harbor.caller(question) {
            Ok(caller) => Entered::By(caller),
            Err(()) => return refusal(question, &asked),
        },
    };
    if !may(harbor, &entered, &asked, question) {
        return refusal(question, &asked);
    }
    let is_mirror = asked
        .repository()
        .is_some_and(|name| harbor.mirrors.contains(project_of(name)));
    match asked {
        Asked::Tags(name) if is_mirror && referrers.is_none() => {
            harbor.upstream += 1;
            return upstream_tags(content, name);
        }
        Asked::Manifest(_, reference) if is_mirror && !reference.contains(':') => harbor.upstream += 1,
        _ => {}
    }
    if let Some((name, digest)) = referrers {
        return list_referrers(content, name, digest);
    }
    if let Asked::Manifest(name, reference) = asked {
        if let Some(blocked) = policy(harbor, content, name, reference) {
            return blocked;
        }
        return manifest(harbor, content, &asked, question);
    }
    if asked == Asked::Catalog {
        return catalog(content, question);
    }
    v2::answer(View::all(content), &asked, question, LISTS)
}

fn may(harbor: &Harbor, entered: &Entered, asked: &Asked<'_>, question: &Question) -> bool {
    let anonymous = question.header(http::header::AUTHORIZATION).is_empty();
    match (entered, asked.repository()) {
        // Even of a public project, nothing is shown to somebody who sends no `Authorization` at all.
        (_, Some(_)) if anonymous => false,
        (Entered::By(caller), Some(name)) => caller.sees(project_of(name), &harbor.public),
        (Entered::ByToken(issued), Some(name)) => issued.pulls(name),
        // The catalog is for administrators, and not by a token.
        (Entered::By(caller), None) if *asked == Asked::Catalog => caller.is_administrator(),
        (Entered::ByToken(_), None) => *asked != Asked::Catalog,
        (Entered::By(caller), None) => matches!(caller, Caller::Known(_)),
    }
}

/// Whoever sends no login is sent to the token service; whoever sent one that does not do is asked for user name and password, and so is
/// everybody who wants the catalog.
fn refusal(question: &Question, asked: &Asked<'_>) -> Response {
    let sent = !question.header(http::header::AUTHORIZATION).is_empty();
    if sent || *asked == Asked::Catalog {
        return v2::challenged(&["Basic realm=\"harbor\"".to_owned()]);
    }
    let mut challenge = format!(
        "Bearer realm=\"{}/service/token\",service=\"harbor-registry\"",
        question.here
    );
    if let Some(name) = asked.repository() {
        challenge.push_str(&format!(",scope=\"repository:{name}:pull\""));
    }
    v2::challenged(&[challenge])
}

fn policy(harbor: &Harbor, content: &Content, name: &str, reference: &str) -> Option<Response> {
    let digest = digest_of(content, name, reference)?;
    let blocked = harbor.blocked.contains(&(name.to_owned(), digest));
    blocked.then(|| v2::error(412, "PROJECTPOLICYVIOLATION"))
}

fn manifest(harbor: &mut Harbor, content: &Content, asked: &Asked<'_>, question: &Question) -> Response {
    let response = v2::answer(View::all(content), asked, question, LISTS);
    if let (&Method::GET, 200, Asked::Manifest(name, reference)) =
        (&question.method, response.status().as_u16(), asked)
        && let Some(digest) = digest_of(content, name, reference)
    {
        *harbor.pulls.entry(((*name).to_owned(), digest)).or_default() += 1;
    }
    response
}

fn catalog(content: &Content, question: &Question) -> Response {
    let full = content
        .repositories()
        .iter()
        .filter(|(_, repository)| !repository.tags().is_empty());
    let names: Vec<String> = full.map(|(name, _)| name.to_string()).collect();
    let unknown = question
        .parameter("last")
        .is_some_and(|last| !names.contains(&last));
    if unknown {
        return v2::error(400, "BAD_REQUEST");
    }
    v2::catalog(&names, question, LISTS)
}

fn list_referrers(content: &Content, name: &str, digest: &str) -> Response {
    let Ok(subject) = digest.parse() else {
        return v2::error(400, "DIGEST_INVALID");
    };
    let found = content.referrers(name, &subject);
    let count = found.len().to_string();
    let index = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": found});
    let kind = "application/vnd.oci.image.index.v1+json";
    with(text(200, kind, index.to_string()), "x-total-count", &count)
}

fn upstream_tags(content: &Content, name: &str) -> Response {
    let Some(repository) = content.repository(name) else {
        return v2::error(404, "NAME_UNKNOWN");
    };
    let mut tags: Vec<String> = repository.tags().keys().map(ToString::to_string).collect();
    tags.push("not-yet-cached".to_owned());
    json(200, &json!({"name": name, "tags": tags}))
}

fn digest_of(content: &Content, name: &str, reference: &str) -> Option<Digest> {
    match reference.parse() {
        Ok(digest) => Some(digest),
        Err(_) => content.resolve(name, reference).cloned(),
    }
}
