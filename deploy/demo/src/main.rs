//! `cargo demo`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use portolan_demo::screen::Screen;
use portolan_demo::story::{self, GivenRegistry, Options, Stage};
use portolan_shared::model::RegistryUrl;
use tokio::signal::unix::{SignalKind, signal};

/// The main job, from enrolment to inventory, on this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo demo", bin_name = "cargo demo --")]
struct Arguments {
    /// Exit when the story is told, with 0 only if the registry was seen completely
    #[arg(long)]
    once: bool,
    /// Read this registry instead of the one that the demo brings along
    #[arg(long, value_name = "URL")]
    registry: Option<RegistryUrl>,
    /// CA of that registry, PEM
    #[arg(long, value_name = "FILE", requires = "registry")]
    ca_file: Option<PathBuf>,
    /// Credential for that registry: `file:PATH`, `env:PREFIX`, or `docker-config[:PATH]`
    #[arg(long, value_name = "REF", requires = "registry")]
    credential_ref: Option<String>,
    /// Only repositories of that registry that match; may be given several times
    #[arg(long, value_name = "GLOB", requires = "registry")]
    repository: Vec<String>,
    /// Token service of that registry, if it is on another host: it may get the credential
    #[arg(long, value_name = "HOST[:PORT]", requires = "registry")]
    realm: Vec<String>,
    /// Host that the registry redirects downloads to, if it does
    #[arg(long, value_name = "HOST[:PORT]", requires = "registry")]
    storage: Vec<String>,
    /// The cargo that builds the programs; cargo itself sets this
    #[arg(long, env = "CARGO", default_value = "cargo", hide = true)]
    cargo: PathBuf,
    /// No colours, if it has any value
    #[arg(long, env = "NO_COLOR", hide = true)]
    no_color: Option<String>,
}

// One thread, because the kernel's promise to kill a child with its parent is bound to the thread that started it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse_from(given());
    let screen = Screen::new(arguments.no_color.is_some_and(|value| !value.is_empty()));
    let options = Options {
        cargo: arguments.cargo,
        registry: arguments.registry.map(|url| GivenRegistry {
            url,
            ca_file: arguments.ca_file,
            credential_reference: arguments.credential_ref,
            repositories: arguments.repository,
            realms: arguments.realm,
            storage: arguments.storage,
        }),
        screen,
    };
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut stage = Stage::new()?;
    let told = tokio::select! {
        told = play(&options, arguments.once, &mut stage) => told,
        _ = interrupt.recv() => Ok(true),
        _ = terminate.recv() => Ok(true),
    };
    stage.stop().await;
    Ok(if told? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Tells the story; unless it is told once, everything then stays up until this is dropped.
async fn play(options: &Options, once: bool, stage: &mut Stage) -> anyhow::Result<bool> {
    let well = story::tell(options, stage).await?;
    if once {
        return Ok(well);
    }
    options.screen.line("");
    options.screen.line("Everything stays up until Ctrl-C.");
    stage.child_ended().await?;
    Ok(false)
}

/// The arguments of this process. The alias ends in `--` already, so that a second one, as people are used to type it, is no argument.
fn given() -> impl Iterator<Item = OsString> {
    let all = std::env::args_os().enumerate();
    all.filter(|(at, argument)| *at != 1 || argument != "--")
        .map(|(_, argument)| argument)
}
