//! `portolan registry test`, and the test before a registry is saved.

use std::io::Write as _;

use super::look::look;
use super::render::{render, render_warned};
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, Sheet, ShowArgs, print_one};
use crate::web::api::probes::{CreateProbe, CreateRegistryProbe};
use crate::web::api::registries::CreateRegistry;

/// Flags of `portolan registry test`.
#[derive(Debug, clap::Args)]
pub struct TestArgs {
    /// Name or id
    registry: String,
    /// Repository whose tags, manifest and config are tried; the first one that is found without
    #[arg(long, value_name = "REPOSITORY")]
    repository: Option<String>,
    /// Sensor that is to look; whichever of the registry's is there without
    #[arg(long, value_name = "SENSOR")]
    sensor: Option<String>,
    #[command(flatten)]
    show: ShowArgs,
}

/// `portolan registry test`
pub(in crate::cli) async fn test(mut desk: Desk<'_>, args: TestArgs) -> Result<Exit, CliError> {
    let repository = args.repository.map(|name| name.parse()).transpose();
    let body = CreateRegistryProbe {
        repository: repository
            .map_err(|error: portolan_shared::model::NameError| CliError::Usage(error.to_string()))?,
        sensor: args.sensor,
        credential: None,
    };
    let path = ["registries", &args.registry, "probes"];
    let looked = look(&mut desk, &path, &body).await?;
    if args.show.output == Format::Table {
        let coloured = desk.terminal.marks;
        let text = render(&looked.probe, coloured);
        desk.terminal.out.write_all(text.as_bytes())?;
    } else {
        print_one(
            desk.terminal,
            args.show.output,
            &looked.value,
            || Ok(Sheet::new()),
        )?;
    }
    Ok(looked.exit())
}

/// A look at a registry that is about to be saved.
pub(in crate::cli) fn unsaved(registry: &CreateRegistry) -> CreateProbe {
    CreateProbe {
        url: registry.url.clone(),
        sensors: registry.sensors.clone(),
        ca_bundle_pem: registry.ca_bundle_pem.clone(),
        only_ca_bundle: registry.only_ca_bundle,
        repositories: registry.repositories.clone(),
        credential_reference: registry.credential_reference.clone(),
        repository: None,
        registry_id: None,
        credential: None,
    }
}

/// Tests a registry that is about to be saved. Gives how that went if it must not be saved; what is wrong has been shown then.
pub(in crate::cli) async fn before_saving(
    desk: &mut Desk<'_>,
    registry: &CreateRegistry,
) -> Result<Option<Exit>, CliError> {
    let looked = look(desk, &["probes"], &unsaved(registry)).await?;
    let coloured = desk.terminal.marks && desk.terminal.progress;
    if looked.exit() == Exit::Done {
        writeln!(desk.terminal.err, "tested by {}: it works", looked.by())?;
        let warned = render_warned(&looked.probe);
        desk.terminal.err.write_all(warned.as_bytes())?;
        return Ok(None);
    }
    let text = render(&looked.probe, coloured);
    desk.terminal.err.write_all(text.as_bytes())?;
    writeln!(desk.terminal.err, "not saved; --no-test saves it untested")?;
    Ok(Some(looked.exit()))
}
