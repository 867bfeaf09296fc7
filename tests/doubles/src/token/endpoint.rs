//! The HTTP side.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State as Shared};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, middleware};
use data_encoding::{BASE64, HEXLOWER};
use http::{HeaderMap, StatusCode, header};
use portolan_shared::process::{Rng as _, SystemRng};
use serde_json::{Value, json};

use super::account::Account;
use super::claims::{Access, Claims};
use super::state::{State, TokenAnswer, TokenRequest};
use crate::faults::{Faults, inject};
use crate::network::{RequestLog, record};

/// Most scopes in one request that are looked at; the rest is dropped.
const SCOPES: usize = 1_000;

pub(super) fn router(state: Arc<State>, log: RequestLog, faults: Faults) -> Router {
    // GitLab answers 404, not 405, to other methods on this path.
    let token = axum::routing::get(token).fallback(async || StatusCode::NOT_FOUND);
    Router::new()
        .route("/jwt/auth", token)
        .route("/v2/", axum::routing::get(dependency_proxy))
        .fallback(async || StatusCode::NOT_FOUND)
        .with_state(state)
        .layer(middleware::from_fn_with_state(faults, inject))
        .layer(middleware::from_fn_with_state(log, record))
}

/// What GitLab's web address says to someone who takes it for the registry.
async fn dependency_proxy(headers: HeaderMap) -> Response {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    let challenge = format!("Bearer realm=\"https://{host}/jwt/auth\",service=\"dependency_proxy\"");
    let headers = [
        (header::WWW_AUTHENTICATE, challenge),
        (header::CONTENT_TYPE, "text/plain".to_owned()),
    ];
    (StatusCode::UNAUTHORIZED, headers).into_response()
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
    let response = if service == state.service {
        decide(
            &state,
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
            let matching =
                |account: &&Account| account.login == *login && account.secret.expose() == secret.as_str();
            match settings.accounts.iter().find(matching) {
                Some(account) => Some(account),
                None => return access_denied(),
            }
        }
    };
    if account.is_some_and(|account| !account.registry_scope) {
        return forbidden();
    }
    let public = |name: &_| settings.anything_public && settings.public.matches(name);
    let access: Vec<Access> = scopes
        .iter()
        .filter_map(|scope| Access::from_scope(scope)?.granted(account, public))
        .collect();
    if account.is_none() && access.is_empty() {
        return forbidden();
    }
    let subject = account
        .filter(|account| !account.deploy_token)
        .map(|account| account.login.clone());
    let auth_type = match account {
        None => "none",
        Some(account) if account.deploy_token => "deploy_token",
        Some(_) => "personal_access_token",
    };
    hand_out(state, settings.answer, claims(state, subject, auth_type, access))
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

fn json_response(status: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (status, headers, Body::from(body.to_string())).into_response()
}
