//! One cheap question that only one product answers, where the API's root left it open.

use std::time::Duration;

use ::http::StatusCode;
use portolan_shared::model::{Confidence, Flavour};
use serde::Deserialize;

use super::signs::Sign;
use crate::api::Greeting;
use crate::client::{ApiCall, ApiLogin, RegistryClient};
use crate::http::Reply;

/// How long the answer is waited for: the registry can be read without it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of the answer.
const ANSWER_BYTES: usize = 64 * 1024;

/// Asks what only `flavour` answers, on the registry's own host and as a stranger. The sign if it answered so; `None` if it did not, or if there is no
/// such question.
pub(super) async fn ask(client: &RegistryClient, greeting: &Greeting, flavour: Flavour) -> Option<Sign> {
    let path = question(greeting, flavour)?;
    let call = ApiCall {
        bound: ANSWER_BYTES,
        retries: Some(0),
        ..ApiCall::get(&path, ApiLogin::Stranger)
    };
    let reply = match tokio::time::timeout(PATIENCE, client.call(call)).await {
        Ok(Ok(reply)) if !reply.elsewhere => reply,
        Ok(Ok(_)) | Err(_) => return None,
        Ok(Err(fault)) => {
            tracing::debug!(%fault, %flavour, "the product was not recognised by its own API");
            return None;
        }
    };
    let version = answer(&reply, flavour)?;
    // What stands in front of Gitea's own path is taken from its challenge, and not repeated.
    let before = match flavour {
        Flavour::Gitea => gitea_root(greeting),
        _ => String::new(),
    };
    let sign = Sign::new(
        flavour,
        Confidence::High,
        format!(
            "{} answers as this product's",
            path.strip_prefix(&before).unwrap_or(&path)
        ),
    );
    Some(sign.of_version(version.unwrap_or_default()))
}

fn question(greeting: &Greeting, flavour: Flavour) -> Option<String> {
    Some(match flavour {
        Flavour::GitLab => "/gitlab/v1/".into(),
        Flavour::Harbor => "/api/v2.0/ping".into(),
        Flavour::Zot | Flavour::Distribution | Flavour::Generic => "/v2/_zot/ext/mgmt".into(),
        Flavour::Quay => "/api/v1/discovery".into(),
        Flavour::Gitea => format!("{}/api/v1/version", gitea_root(greeting)),
        Flavour::Nexus => "/service/rest/v1/status".into(),
        Flavour::Artifactory => "/artifactory/api/system/ping".into(),
        Flavour::Pulp | Flavour::OpenShift => "/pulp/api/v3/status/".into(),
        Flavour::DockerHub
        | Flavour::Ghcr
        | Flavour::Ecr
        | Flavour::Acr
        | Flavour::Google
        | Flavour::DigitalOcean => return None,
    })
}

/// Where Gitea's own pages begin: in front of `v2/token`, if that is on the same host.
fn gitea_root(greeting: &Greeting) -> String {
    greeting
        .bearer()
        .filter(|asked| asked.realm.origin() == greeting.url().origin())
        .and_then(|asked| {
            let path = asked.realm.path().trim_end_matches('/');
            path.strip_suffix("/v2/token").map(str::to_owned)
        })
        .unwrap_or_default()
}

/// Whether this is how `flavour` answers, and its version if it says so.
fn answer(reply: &Reply, flavour: Flavour) -> Option<Option<String>> {
    #[derive(Deserialize)]
    struct Version {
        version: String,
    }
    #[derive(Deserialize)]
    struct Zot {
        #[serde(rename = "distSpecVersion")]
        _specification: String,
        #[serde(rename = "releaseTag")]
        release: Option<String>,
    }
    #[derive(Deserialize)]
    struct Quay {
        #[serde(rename = "swaggerVersion")]
        swagger: Option<serde::de::IgnoredAny>,
        #[serde(rename = "apis")]
        apis: Option<serde::de::IgnoredAny>,
        paths: Option<serde::de::IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct Pulp {
        versions: Vec<PulpComponent>,
    }
    #[derive(Deserialize)]
    struct PulpComponent {
        component: String,
        version: String,
    }
    let body = reply.body.as_ref();
    let success = reply.status.is_success();
    let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    match flavour {
        Flavour::GitLab => {
            let version = reply.headers.get("gitlab-container-registry-version");
            let version = version
                .and_then(|value| value.to_str().ok())
                .map(|value| portolan_shared::model::printable(value, 64));
            // Authorisation comes before everything else there, so a stranger is asked who he is.
            (version.is_some() || reply.status == StatusCode::UNAUTHORIZED).then_some(version)
        }
        Flavour::Harbor => {
            let word = body.trim_ascii();
            (success && matches!(word, b"Pong" | b"\"Pong\"")).then_some(None)
        }
        Flavour::Zot | Flavour::Distribution | Flavour::Generic => {
            let zot: Zot = success.then(|| serde_json::from_slice(body).ok())??;
            Some(zot.release)
        }
        Flavour::Quay => {
            let quay: Quay = success.then(|| serde_json::from_slice(body).ok())??;
            (quay.swagger.is_some() || quay.apis.is_some() || quay.paths.is_some()).then_some(None)
        }
        Flavour::Gitea => {
            let gitea: Version = success.then(|| serde_json::from_slice(body).ok())??;
            Some(Some(gitea.version))
        }
        // Its body is empty.
        Flavour::Nexus => (success && (body.is_empty() || is_json())).then_some(None),
        Flavour::Artifactory => (success && body.trim_ascii() == b"OK").then_some(None),
        Flavour::Pulp | Flavour::OpenShift => {
            let pulp: Pulp = success.then(|| serde_json::from_slice(body).ok())??;
            let core = pulp.versions.into_iter().find(|part| part.component == "core");
            Some(core.map(|part| part.version))
        }
        Flavour::DockerHub
        | Flavour::Ghcr
        | Flavour::Ecr
        | Flavour::Acr
        | Flavour::Google
        | Flavour::DigitalOcean => None,
    }
}
