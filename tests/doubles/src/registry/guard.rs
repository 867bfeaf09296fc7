//! Who may come in.

use std::time::Duration;

use axum::response::Response;
use data_encoding::BASE64;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::errors::error;
use crate::token::{Access, Refusal, TokenVerifier};

/// The check that every request passes first.
#[derive(Debug)]
pub(super) enum Guard {
    /// Lets everyone in.
    Open,
    /// Wants exactly this `Authorization`.
    Basic(String),
    /// Wants a token that grants what the request needs.
    Tokens(TokenVerifier),
}

impl Guard {
    pub(super) fn basic(login: &str, secret: &str) -> Self {
        Self::Basic(format!(
            "Basic {}",
            BASE64.encode(format!("{login}:{secret}").as_bytes())
        ))
    }

    /// Checks a request. `needed` is all the access that it needs beyond a sound credential; `pretend_invalid` makes a token count
    /// as expired.
    pub(super) fn check(
        &self,
        authorization: Option<&HeaderValue>,
        needed: &[Access],
        leeway: Duration,
        pretend_invalid: bool,
    ) -> Result<(), Box<Response>> {
        let authorization = authorization.and_then(|value| value.to_str().ok());
        match self {
            Self::Open => Ok(()),
            Self::Basic(wanted) if authorization == Some(wanted) => Ok(()),
            Self::Basic(_) => Err(Box::new(challenge("Basic realm=\"registry\"", needed))),
            Self::Tokens(verifier) => {
                let token = authorization
                    .and_then(|value| value.split_once(' '))
                    .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                    .map(|(_, token)| token.trim());
                let fault = match token {
                    None => None,
                    Some(_) if pretend_invalid => Some("invalid_token"),
                    Some(token) => match verifier.check(token, needed, leeway) {
                        Ok(()) => return Ok(()),
                        Err(Refusal::Invalid) => Some("invalid_token"),
                        Err(Refusal::Insufficient) => Some("insufficient_scope"),
                    },
                };
                let (realm, service) = (verifier.realm(), verifier.service());
                let mut text = format!("Bearer realm=\"{realm}\",service=\"{service}\"");
                if !needed.is_empty() {
                    let scopes: Vec<String> = needed.iter().map(Access::to_scope).collect();
                    text.push_str(&format!(",scope=\"{}\"", scopes.join(" ")));
                }
                if let Some(fault) = fault {
                    text.push_str(&format!(",error=\"{fault}\""));
                }
                Err(Box::new(challenge(&text, needed)))
            }
        }
    }
}

fn challenge(text: &str, needed: &[Access]) -> Response {
    let entry = |access: &Access, action: &String| json!({"Type": access.kind, "Class": "", "Name": access.name, "ProjectPath": "", "Action": action});
    let entries = |access: &Access| {
        let entries: Vec<Value> = access
            .actions
            .iter()
            .map(|action| entry(access, action))
            .collect();
        entries
    };
    // Without any access asked for it is null, not an empty list.
    let detail = match needed {
        [] => Value::Null,
        needed => needed.iter().flat_map(entries).collect(),
    };
    let mut response = error(
        StatusCode::UNAUTHORIZED,
        "UNAUTHORIZED",
        "authentication required",
        &detail,
    );
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}
