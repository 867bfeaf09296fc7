//! What a token may read about itself, whatever its scopes.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use http::{HeaderMap, Uri};
use serde_json::{Value, json};

use super::answers::{self, Refused};
use super::credential::{Credential, Kind, Standing};
use super::host::{Ask, State};
use super::instance::Instance;

/// The token that asks, if it is of a kind that these paths are for.
fn access_token<'a>(ask: &Ask<'a>) -> Result<&'a Credential, Refused> {
    let credential = ask.caller.credential()?;
    match credential.kind {
        Kind::Personal | Kind::Project | Kind::Group => Ok(credential),
        Kind::OAuth => Err(answers::bad_request(
            "This endpoint requires token type to be a personal access token",
        )),
        Kind::Deploy | Kind::Job | Kind::Password { .. } => Err(answers::unauthorized()),
    }
}

pub(super) async fn show(Shared(state): Shared<Arc<State>>, headers: HeaderMap, uri: Uri) -> Response {
    state.answer(&headers, &uri, |ask| {
        if !ask.switches.token_self {
            return Err(answers::no_route());
        }
        let token = access_token(ask)?;
        Ok(answers::ok(&json!({
            "id": token.id,
            "name": token.name,
            "revoked": token.standing == Standing::Revoked,
            "created_at": "2026-01-02T03:04:05.000Z",
            "description": "",
            "scopes": token.scopes,
            "user_id": token.user_id,
            "last_used_at": "2026-01-02T09:00:00.000Z",
            "active": token.standing == Standing::Active,
            "expires_at": token.expires_at,
        })))
    })
}

/// Who asks; only administrators are told whether they are some.
pub(super) async fn user(Shared(state): Shared<Arc<State>>, headers: HeaderMap, uri: Uri) -> Response {
    state.answer(&headers, &uri, |ask| {
        let credential = ask.caller.credential()?;
        ask.caller.with_one_of(&["api", "read_api", "read_user"])?;
        let mut user = json!({"id": credential.user_id, "username": credential.login, "state": "active"});
        if credential.administrator {
            user["is_admin"] = json!(true);
        }
        Ok(answers::ok(&user))
    })
}

/// The groups and projects that the token's owner is a member of; one number and size of page for both lists.
pub(super) async fn associations(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    state.answer(&headers, &uri, |ask| {
        if !ask.switches.associations {
            return Err(answers::no_route());
        }
        let token = access_token(ask)?;
        let projects: Vec<_> = ask
            .instance
            .projects
            .iter()
            .filter(|project| token.is_member(project.id))
            .collect();
        let in_group = |group: &_| projects.iter().any(|project| Instance::contains(group, project));
        let by_group = token.kind != Kind::Project;
        let groups: Vec<_> = ask
            .instance
            .groups
            .iter()
            .filter(|group| by_group && in_group(group))
            .collect();
        let rows = |total| ask.query.rows(total, false);
        let groups = groups[rows(groups.len())?].iter().map(|group| {
            json!({
                "id": group.id,
                "web_url": format!("{}/groups/{}", ask.url, group.path),
                "name": group.path,
                "parent_id": null,
                "access_levels": token.role,
                "visibility": "private",
            })
        });
        let projects = projects[rows(projects.len())?].iter().map(|project| {
            let through_group = by_group.then_some(token.role);
            json!({
                "id": project.id,
                "description": null,
                "name": project.name(),
                "name_with_namespace": project.path.replace('/', " / "),
                "path": project.name(),
                "path_with_namespace": project.path,
                "created_at": "2026-01-02T03:04:05.000Z",
                "access_levels": {
                    "project_access_level": (!by_group).then_some(token.role),
                    "group_access_level": through_group,
                },
                "visibility": project.visibility.as_str(),
                "web_url": format!("{}/{}", ask.url, project.path),
            })
        });
        let (groups, projects): (Vec<Value>, Vec<Value>) = (groups.collect(), projects.collect());
        Ok(answers::ok(&json!({"groups": groups, "projects": projects})))
    })
}
