//! What GitLab means by its refusals. Several causes share an answer; the kind of the secret, and what the API says of it, tell them apart.

use portolan_shared::model::{CredentialKind, Finding, FindingCode, RepositoryName};

use super::introspection::Introspection;
use super::product::GitLab;
use super::project::can_hold_images;
use crate::auth::TokenHint;
use crate::client::RegistryClient;
use crate::error::{Fault, RegistryError, Subject};

pub(super) async fn explain(
    gitlab: &GitLab,
    client: &RegistryClient,
    error: &RegistryError,
) -> Option<Finding> {
    let registry = error.registry();
    let found = |code, what: &str| Some(Finding::new(code, &format!("{registry}: {what}")));
    match error.fault() {
        Fault::LoginRefused { status, json, .. } => {
            let is_forbidden = status.as_u16() == 403;
            if is_forbidden && !json {
                return found(
                    FindingCode::AddressBanned,
                    "the token service answers 403, and not as GitLab's own",
                );
            }
            let hint = client.token_hint().await.ok().flatten()?;
            let (code, what) = if is_forbidden {
                forbidden(gitlab, client, &hint).await
            } else {
                unauthorised(gitlab, client, &hint).await?
            };
            found(code, what)
        }
        Fault::Rejected { code: Some(code), .. } if code.as_str() == "UNAVAILABLE" => found(
            FindingCode::GitLabRegistryDisabled,
            "the token service answers 404 UNAVAILABLE",
        ),
        Fault::Denied { status, .. } if is_stranger(client).await => found(
            FindingCode::CredentialNeeded,
            &format!(
                "{} reading {}, and no credential is given",
                status.as_u16(),
                error.subject()
            ),
        ),
        Fault::Denied { status, code } => match error.subject() {
            Subject::Api if status.as_u16() == 401 => found(
                FindingCode::TokenRefused,
                "the registry refuses a token that its token service has just issued",
            ),
            Subject::Tags(repository)
            | Subject::Manifest(repository, _)
            | Subject::Blob(repository, _)
            | Subject::Referrers(repository, _)
            | Subject::Listing(_, repository) => {
                if status.as_u16() == 403 && code.is_none() {
                    return found(
                        FindingCode::AddressBanned,
                        &format!("403, and not as GitLab's own, reading {repository}"),
                    );
                }
                let (code, what) = match obstacle(gitlab, client, repository).await {
                    Some(obstacle) => obstacle,
                    None => (
                        FindingCode::GitLabProjectNotVisible,
                        format!("a token is issued, but it does not open {repository}"),
                    ),
                };
                found(code, &what)
            }
            Subject::Api | Subject::Catalog | Subject::Discovery(_) | Subject::Credential => None,
        },
        Fault::Missing { .. } => {
            let Subject::Tags(repository) = error.subject() else {
                return None;
            };
            let (code, what) = obstacle(gitlab, client, repository).await?;
            found(code, &what)
        }
        _ => None,
    }
}

/// What stands in the way of this repository, beside the credential's rights, as far as its name or the API tells.
async fn obstacle(
    gitlab: &GitLab,
    client: &RegistryClient,
    repository: &RepositoryName,
) -> Option<(FindingCode, String)> {
    if !can_hold_images(repository.as_str()) {
        let what = format!("no image can have the path {repository}");
        return Some((FindingCode::GitLabPathUnsupported, what));
    }
    gitlab.obstacle(client, repository).await
}

/// Whether there is no login at all: then nothing was refused but somebody unknown, whatever the answer looks like.
async fn is_stranger(client: &RegistryClient) -> bool {
    matches!(client.token_hint().await, Ok(None))
}

/// 401 from the token service: the secret is wrong, or has ended, or does not fit the name beside it.
async fn unauthorised(
    gitlab: &GitLab,
    client: &RegistryClient,
    hint: &TokenHint,
) -> Option<(FindingCode, &'static str)> {
    match hint.kind {
        CredentialKind::CiJobToken => {
            return Some((FindingCode::CredentialOfJob, "the token of a CI job is refused"));
        }
        CredentialKind::RunnerToken | CredentialKind::OtherToken => {
            return Some((
                FindingCode::CredentialUnfit,
                "a token of a kind that reads no registry is refused",
            ));
        }
        CredentialKind::DeployToken => {
            return Some((
                FindingCode::GitLabDeployTokenName,
                "a deploy token is refused with this user name: wrong name, or a token that is wrong or revoked",
            ));
        }
        _ => {}
    }
    match gitlab.introspect(client, hint).await {
        Introspection::Expired => Some((FindingCode::CredentialExpired, "the token has expired")),
        Introspection::Revoked => Some((FindingCode::CredentialRevoked, "the token was revoked")),
        // The API knows it as an access token.
        Introspection::Told(_) => None,
        Introspection::Refused | Introspection::Nothing if hint.prefixed => None,
        Introspection::Refused | Introspection::Nothing => Some((
            FindingCode::GitLabTwoFactor,
            "a secret that is no token of GitLab is refused: a wrong password, or one that may not be used here",
        )),
    }
}

/// 403 `DENIED` from the token service: the token has no scope for the registry, or the service has not seen it at all.
async fn forbidden(
    gitlab: &GitLab,
    client: &RegistryClient,
    hint: &TokenHint,
) -> (FindingCode, &'static str) {
    let told = gitlab.introspect(client, hint).await;
    match (told.may_pull(), told) {
        (Some(false), _) => (
            FindingCode::GitLabScopeMissing,
            "the token service forbids access, and the token's scopes name no registry",
        ),
        (Some(true), _) => (
            FindingCode::GitLabAuthorizationStripped,
            "the token service forbids access, although the token has a scope for the registry",
        ),
        // A wrong secret would have been refused with 401 by the token service, had it come there.
        (None, Introspection::Refused) => (
            FindingCode::GitLabAuthorizationStripped,
            "the token service forbids access and the API asks who is there, as if no login had been sent",
        ),
        (None, Introspection::Expired) => (FindingCode::CredentialExpired, "the token has expired"),
        (None, Introspection::Revoked) => (FindingCode::CredentialRevoked, "the token was revoked"),
        (None, Introspection::Told(_) | Introspection::Nothing) => (
            FindingCode::GitLabAccessForbidden,
            "the token service forbids access; whether for lack of a scope or of the login cannot be told",
        ),
    }
}
