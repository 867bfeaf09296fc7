#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its purpose is what it prints"
)]

mod bare_loop;
mod events;
mod million;
mod report;
mod sync;
mod table;
mod witness;

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};
use portolan_demo::installation::{Allowed, Figures, Profile, Programs};
use portolan_doubles::content::BenchShape;
use portolan_doubles::{Content, DockerRegistry, PrivateCa};
use portolan_shared::process::{Shutdown, SystemClock, Tasks};

use crate::bare_loop::Protocol;
use crate::events::Events;
use crate::million::Million;
use crate::report::Report;
use crate::sync::{Pass, Sync};
use crate::table::Line;

/// Measures the inventory of a large registry.
#[derive(Debug, Parser)]
#[command(name = "cargo bench-inventory", bin_name = "cargo bench-inventory --")]
struct Arguments {
    /// Repositories in the registry
    #[arg(long, default_value_t = 100)]
    repositories: usize,
    /// Tags in the registry
    #[arg(long, default_value_t = 10_000)]
    tags: usize,
    /// Measure this alone; may be given several times
    #[arg(long, value_name = "WHAT")]
    only: Vec<What>,
    /// Tags that skopeo reads
    #[arg(long, default_value_t = 50)]
    sample: usize,
    /// Where to write what was measured
    #[arg(long, default_value = "target/bench/inventory.json")]
    output: PathBuf,
    /// The cargo that builds the programs; cargo itself sets this
    #[arg(long, env = "CARGO", default_value = "cargo", hide = true)]
    cargo: PathBuf,
    #[command(subcommand)]
    inner: Option<Inner>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Bare,
    Sync,
    Skopeo,
}

#[derive(Debug, Subcommand)]
enum Inner {
    /// The bare loop alone, in this process
    #[command(hide = true)]
    BareLoop {
        url: url::Url,
        ca_file: PathBuf,
        protocol: Protocol,
    },
    /// A registry of a million tags, with and without a native way to list them: `cargo bench-million`
    Million(Million),
    /// From a push to the inventory, by the registry's own notification: `cargo bench-events`
    Events(Events),
}

// One thread, because the kernel's promise to kill a child with its parent is bound to the thread that started it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse_from(given());
    match &arguments.inner {
        Some(Inner::BareLoop {
            url,
            ca_file,
            protocol,
        }) => {
            let measured = bare_loop::run(url, ca_file, *protocol).await?;
            println!("{}", serde_json::to_string(&measured)?);
            Ok(())
        }
        Some(Inner::Million(million)) => million.run(&arguments.cargo).await,
        Some(Inner::Events(events)) => events.run(&arguments.cargo).await,
        None => inventory(&arguments).await,
    }
}

async fn inventory(arguments: &Arguments) -> anyhow::Result<()> {
    let wanted = |what| arguments.only.is_empty() || arguments.only.contains(&what);
    let shape = BenchShape {
        repositories: arguments.repositories,
        tags: arguments.tags,
        ..BenchShape::default()
    };
    let folder = tempfile::Builder::new()
        .prefix("portolan-bench-")
        .tempdir()
        .context("make a folder")?;
    let tasks = Tasks::new(Shutdown::new());

    eprintln!(
        "filling docker-registry: {} repositories, {} tags",
        shape.repositories, shape.tags
    );
    let content = Content::bench(shape);
    let ca = PrivateCa::new("Portolan bench", &SystemClock)?;
    let ca_file = ca.write_root(folder.path())?;
    let registry = DockerRegistry::builder()
        .tls(&ca.leaf(&[])?)
        .start(&content, &tasks)
        .await?;
    let registry_id = registry.process_id().context("docker-registry has ended")?;
    let mut report = Report::new(shape);

    if wanted(What::Bare) {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            eprintln!("bare loop over {protocol}");
            let before = Figures::of(registry_id)?;
            let measured = bare_loop::run_as_child(&registry.url(), &ca_file, protocol).await?;
            let registry_cpu = Figures::of(registry_id)?.cpu.saturating_sub(before.cpu);
            report.add(Line {
                registry_cpu: Some(registry_cpu),
                ..measured.line(protocol)
            });
        }
    }
    if wanted(What::Sync) {
        let programs = Programs::build(&arguments.cargo, Profile::Release).await?;
        report.set_agent_bytes(
            std::fs::metadata(&programs.agent)
                .context("measure the agent's program")?
                .len(),
        );
        let sync = Sync {
            programs: &programs,
            allowed: Allowed {
                registry: registry.address().to_string(),
                ..Allowed::default()
            },
            url: registry.url(),
            registry_id: Some(registry_id),
            ca_file: &ca_file,
            folder: folder.path(),
        };
        let passes = [
            Pass {
                name: "agent, first sync",
                must_fetch: true,
            },
            Pass {
                name: "agent, second sync",
                must_fetch: false,
            },
        ];
        for line in sync::measure(&sync, &passes).await? {
            report.add(line);
        }
    }
    if wanted(What::Skopeo) {
        eprintln!(
            "skopeo, {} tags of {}",
            arguments.sample.min(content.tag_count()),
            content.tag_count()
        );
        let line = witness::measure(&registry, &content, arguments.sample, folder.path()).await?;
        report.add(line);
    }
    println!("{report}");
    report.write(&arguments.output)?;
    println!("written to {}", arguments.output.display());
    drop(registry);
    tasks.shutdown().start_cut();
    tasks.ended().await;
    Ok(())
}

/// The arguments of this process. The aliases have a `--` already, so that a second one, as people are used to type it, is no argument.
fn given() -> impl Iterator<Item = OsString> {
    let mut seen = false;
    std::env::args_os().filter(move |argument| {
        let is_first = argument == "--" && !seen;
        seen |= is_first;
        !is_first
    })
}
