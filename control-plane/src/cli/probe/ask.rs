//! Has a sensor look at a registry, and waits for its report.

use std::io::Write as _;
use std::time::Duration;

use portolan_shared::process::Uptime;
use reqwest::Method;
use serde_json::Value;

use super::render::{render, render_warned};
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, Sheet, ShowArgs, print_one};
use crate::web::api::probes::{CreateProbe, CreateRegistryProbe, Probe};
use crate::web::api::registries::CreateRegistry;

/// Between two questions.
const POLL: Duration = Duration::from_millis(300);
/// Time after which a person is told what is waited for.
const QUIET: Duration = Duration::from_secs(3);

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
    };
    let path = ["registries", &args.registry, "probes"];
    let value = desk.client.put(Method::POST, &path, &body).await?;
    let (value, probe) = wait(&mut desk, &value).await?;
    if args.show.output == Format::Table {
        let coloured = desk.terminal.marks;
        desk.terminal.out.write_all(render(&probe, coloured).as_bytes())?;
    } else {
        print_one(desk.terminal, args.show.output, &value, || Ok(Sheet::new()))?;
    }
    Ok(exit(&probe))
}

/// Tests a registry that is about to be saved. Gives how that went if it must not be saved; what is wrong has been shown then.
pub(in crate::cli) async fn before_saving(
    desk: &mut Desk<'_>,
    registry: &CreateRegistry,
) -> Result<Option<Exit>, CliError> {
    let body = CreateProbe {
        url: registry.url.clone(),
        sensors: registry.sensors.clone(),
        ca_bundle_pem: registry.ca_bundle_pem.clone(),
        only_ca_bundle: registry.only_ca_bundle,
        repositories: registry.repositories.clone(),
        credential_reference: registry.credential_reference.clone(),
        repository: None,
    };
    let value = desk.client.put(Method::POST, &["probes"], &body).await?;
    let (_, probe) = wait(desk, &value).await?;
    let coloured = desk.terminal.marks && desk.terminal.progress;
    let exit = exit(&probe);
    if exit == Exit::Done {
        let by = probe.sensor.as_ref().map_or("", |sensor| sensor.name.as_str());
        writeln!(desk.terminal.err, "tested by {by}: it works")?;
        desk.terminal.err.write_all(render_warned(&probe).as_bytes())?;
        return Ok(None);
    }
    desk.terminal.err.write_all(render(&probe, coloured).as_bytes())?;
    writeln!(desk.terminal.err, "not saved; --no-test saves it untested")?;
    Ok(Some(exit))
}

fn exit(probe: &Probe) -> Exit {
    match probe.sound {
        Some(true) => Exit::Done,
        Some(false) => Exit::Unsound,
        None => Exit::Unanswered,
    }
}

/// Polls the probe until it has ended.
async fn wait(desk: &mut Desk<'_>, asked: &Value) -> Result<(Value, Probe), CliError> {
    let asked: Probe = desk.client.view(asked)?;
    let begun = desk.clock.uptime();
    let mut told = false;
    let mut tag = None;
    loop {
        if let Some((value, new_tag)) = desk
            .client
            .get_changed(&["probes", &asked.id], tag.as_deref())
            .await?
        {
            let probe: Probe = desk.client.view(&value)?;
            if probe.state != "waiting" {
                return Ok((value, probe));
            }
            tag = new_tag;
        }
        if !told && waited_long(begun, desk.clock.uptime()) {
            told = true;
            let names: Vec<_> = asked.sensors.iter().map(|sensor| sensor.name.as_str()).collect();
            let names = names.join(" or ");
            writeln!(desk.terminal.err, "waiting for {names} to look at {}", asked.url)?;
        }
        tokio::time::sleep(POLL).await;
    }
}

fn waited_long(begun: Uptime, now: Uptime) -> bool {
    now.since(begun) >= QUIET
}
