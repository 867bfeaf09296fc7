//! `portolan registry set` with a login: a new version of the registry's credential, sealed for all of its sensors.

use portolan_shared::model::{CredentialId, RegistryUrl};
use reqwest::Method;

use super::show::show_registry;
use crate::cli::Exit;
use crate::cli::credential::credential_of;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::Format;
use crate::cli::sealing::{SealArgs, Sealing, Target, seal_login};
use crate::web::api::probes::CreateProbe;
use crate::web::api::registries::{ChangeRegistry, Registry};

/// Seals a login, and stores it with whatever else changes. The registry stays as it is if that does not come to its end.
pub(super) async fn set_login(
    desk: &mut Desk<'_>,
    format: Format,
    registry: &str,
    body: &ChangeRegistry,
    seal: &SealArgs,
    tested: bool,
) -> Result<Exit, CliError> {
    let saved = desk.client.get(&["registries", registry], &[]).await?;
    let saved: Registry = desk.client.view(&saved)?;
    let target = target(desk, &saved).await?;
    let sealed = match seal_login(desk, seal, &target, tested).await? {
        Sealing::Stopped(exit) => return Ok(exit),
        Sealing::Sealed(sealed) => sealed,
    };
    let path = ["registries", &saved.id];
    if serde_json::to_value(body).is_ok_and(|body| body != serde_json::json!({})) {
        desk.client.put(Method::PATCH, &path, body).await?;
    }
    let credential = ["registries", &saved.id, "credential"];
    desk.client.put(Method::PUT, &credential, &sealed).await?;
    let value = desk.client.get(&path, &[]).await?;
    show_registry(desk, format, &value).await
}

async fn target(desk: &Desk<'_>, saved: &Registry) -> Result<Target, CliError> {
    let url: RegistryUrl = desk.id(&saved.url)?;
    let former = match credential_of(&desk.client, &saved.id).await? {
        Some(shown) => match (shown.id, shown.next_version) {
            (Some(id), Some(next)) => Some((desk.id::<CredentialId>(&id)?, next)),
            _ => None,
        },
        None => None,
    };
    Ok(Target {
        registry: desk.id(&saved.id)?,
        saved: true,
        anonymous: CreateProbe {
            url,
            sensors: saved.sensors.iter().map(|sensor| sensor.id.clone()).collect(),
            ca_bundle_pem: saved.ca_bundle_pem.clone(),
            only_ca_bundle: saved.only_ca_bundle,
            repositories: saved.repositories.clone(),
            credential_reference: None,
            registry_id: None,
            credential: None,
            repository: None,
        },
        former,
    })
}
