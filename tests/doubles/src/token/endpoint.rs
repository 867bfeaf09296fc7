//! The HTTP side.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State as Shared};
use axum::response::{IntoResponse as _, Response};
use data_encoding::{BASE64, HEXLOWER};
use http::{HeaderMap, StatusCode, header};
use portolan_shared::model::RepositoryName;
use portolan_shared::process::{Rng as _, SystemRng};
use serde_json::{Value, json};

use super::account::{Account, is_below};
use super::claims::{Access, Claims};
use super::state::{State, TokenAnswer, TokenRequest};

/// Most scopes in one request that are looked at; the rest is dropped.
const SCOPES: usize = 1_000;

/// What an instance calls the service that answers `/v2/` on its web address.
const DEPENDENCY_PROXY: &str = "dependency_proxy";

pub(super) fn router(state: Arc<State>) -> Router {
    // GitLab answers 404, not 405, to other methods on this path.
    let token = axum::routing::get(token).fallback(async || StatusCode::NOT_FOUND);
    Router::new()
        .route(state.path, token)
        .route("/v2/", axum::routing::get(dependency_proxy))
        .route("/v2", axum::routing::get(dependency_proxy))
        .fallback(async || StatusCode::NOT_FOUND)
        .with_state(state)
}

/// What GitLab's web address says to someone who takes it for the registry.
async fn dependency_proxy(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Response {
    if state.settings().signs_in {
        let location = format!("{}/users/sign_in", state.url);
        return (StatusCode::FOUND, [(header::LOCATION, location)]).into_response();
    }
    let plain = (header::CONTENT_TYPE, "text/plain".to_owned());
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let known = bearer.and_then(|(_, token)| state.signer.verify(token));
    if known.is_some_and(|claims| claims.aud == DEPENDENCY_PROXY) {
        return [plain].into_response();
    }
    let challenge = format!(
        "Bearer realm=\"{}/jwt/auth\",service=\"{DEPENDENCY_PROXY}\"",
        state.url
    );
    (
        StatusCode::UNAUTHORIZED,
        [(header::WWW_AUTHENTICATE, challenge), plain],
    )
        .into_response()
}

async fn token(Shared(state): Shared<Arc<State>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    let mut service = String::new();
    let mut scopes = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "service" => service = value.into_owned(),
            "scope" => scopes.extend(
                value
                    .split(' ')
                    .filter(|scope| !scope.is_empty())
                    .map(str::to_owned),
            ),
            _ => {}
        }
    }
    scopes.truncate(SCOPES);
    let login = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(basic);
    let response = if service == state.service || service == DEPENDENCY_PROXY {
        decide(
            &state,
            &service,
            login.as_ref(),
            headers.contains_key(header::AUTHORIZATION),
            &scopes,
        )
    } else {
        StatusCode::NOT_FOUND.into_response()
    };
    if matches!(
        response.status(),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
    ) {
        state.memory().failures += 1;
    }
    state.remember(TokenRequest {
        login: login.map(|(login, _)| login),
        scopes,
        status: response.status().as_u16(),
    });
    response
}

fn basic(authorization: &str) -> Option<(String, String)> {
    let (scheme, value) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(value.trim().as_bytes()).ok()?).ok()?;
    let (login, secret) = text.split_once(':')?;
    Some((login.to_owned(), secret.to_owned()))
}

fn decide(
    state: &State,
    service: &str,
    login: Option<&(String, String)>,
    credential_sent: bool,
    scopes: &[String],
) -> Response {
    let settings = state.settings().clone();
    if settings
        .ban_after
        .is_some_and(|bound| state.memory().failures >= bound)
    {
        return (StatusCode::FORBIDDEN, "Forbidden\n").into_response();
    }
    let account = match (login, credential_sent) {
        (None, false) => None,
        (None, true) => return access_denied(),
        (Some((login, secret)), _) => {
            let matching = |account: &&Account| account.is_meant_by(login, secret);
            match settings.accounts.iter().find(matching) {
                Some(account) => Some(account),
                None => return access_denied(),
            }
        }
    };
    if account.is_some_and(|account| !account.registry_scope) {
        return forbidden();
    }
    if service == DEPENDENCY_PROXY {
        return for_dependency_proxy(state, account);
    }
    if !settings.registry_enabled {
        return unavailable();
    }
    let public = |name: &RepositoryName| {
        (settings.anything_public && settings.public.matches(name))
            || is_below(name.as_str(), &settings.public_below)
    };
    let access: Vec<Access> = scopes
        .iter()
        .filter_map(|scope| Access::from_scope(scope)?.granted(account, public))
        .collect();
    if account.is_none() && access.is_empty() {
        return forbidden();
    }
    let auth_type = account.map_or("none", |account| account.auth_type);
    let subject = account
        .filter(|account| account.auth_type != "deploy_token")
        .map(|account| account.login.clone());
    hand_out(state, settings.answer, claims(state, subject, auth_type, access))
}

/// A token that no registry accepts, for whoever took the web address for one. GitLab signs it otherwise, which no client can tell.
fn for_dependency_proxy(state: &State, account: Option<&Account>) -> Response {
    let Some(account) = account else {
        return forbidden();
    };
    let mut claims = claims(state, Some(account.login.clone()), account.auth_type, Vec::new());
    DEPENDENCY_PROXY.clone_into(&mut claims.aud);
    hand_out(state, TokenAnswer::GitLab, claims)
}

pub(super) fn claims(state: &State, subject: Option<String>, auth_type: &str, access: Vec<Access>) -> Claims {
    let settings = state.settings();
    let seconds = |span: std::time::Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    let issued = state.clock.now().as_second() - seconds(settings.backdated);
    let expires = issued.saturating_add(seconds(settings.lifetime));
    drop(settings);
    let mut memory = state.memory();
    memory.issued += 1;
    Claims {
        jti: memory.issued.to_string(),
        iss: state.issuer.clone(),
        aud: state.service.clone(),
        sub: subject,
        iat: issued,
        nbf: issued - 5,
        exp: expires,
        auth_type: auth_type.to_owned(),
        access,
    }
}

fn hand_out(state: &State, answer: TokenAnswer, claims: Claims) -> Response {
    let Some(token) = state.signer.sign(&claims) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let lifetime = claims.exp - claims.iat;
    let body = match answer {
        TokenAnswer::GitLab => json!({"token": token}),
        TokenAnswer::Full => {
            let issued = jiff::Timestamp::from_second(claims.iat)
                .unwrap_or_default()
                .to_string();
            json!({"token": token, "access_token": token, "expires_in": lifetime, "issued_at": issued})
        }
        TokenAnswer::AccessToken => {
            json!({"access_token": token, "expires_in": lifetime, "token_type": "Bearer"})
        }
        TokenAnswer::Opaque => {
            let mut random = [0; 16];
            SystemRng.fill(&mut random);
            let number = claims.jti.parse().unwrap_or_default();
            let token = format!("opaque-{number}-{}", HEXLOWER.encode(&random));
            state.remember_opaque(number, &token, claims);
            json!({"token": token})
        }
    };
    json_response(StatusCode::OK, &body)
}

fn access_denied() -> Response {
    let message = "HTTP Basic: Access denied. If a password was provided for Git authentication, the password was \
        incorrect or you're required to use a token instead of a password.";
    let body = json!({"errors": [{"code": "UNAUTHORIZED", "message": message}]});
    json_response(StatusCode::UNAUTHORIZED, &body)
}

fn forbidden() -> Response {
    let body =
        json!({"errors": [{"code": "DENIED", "message": "access forbidden"}], "http_status": "forbidden"});
    json_response(StatusCode::FORBIDDEN, &body)
}

fn unavailable() -> Response {
    let body = json!({"errors": [{"code": "UNAVAILABLE", "message": "registry not enabled"}], "http_status": "not_found"});
    json_response(StatusCode::NOT_FOUND, &body)
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (status, headers, Body::from(body.to_string())).into_response()
}
