//! What the checks need from the machine, and how it gets there.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::check::{Check, Need};
use crate::runner::Runner;

/// The version of cargo-deny that `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// How long the fetch of the advisory database may take, in seconds.
const FETCH_SECONDS: &str = "120";

/// Sees to what `checks` need. What only one check can do without (the advisory database) becomes that check's reason to be
/// skipped; everything else is an error that says what to do.
pub(crate) fn meet(checks: &[&Check], runner: &mut Runner) -> anyhow::Result<()> {
    let needs: Vec<Need> = checks.iter().flat_map(|check| check.needs).copied().collect();
    let mut packages: Vec<&str> = needs
        .iter()
        .filter_map(|need| match need {
            Need::Program { program, package } if !is_installed(program) => Some(*package),
            Need::Program { .. } | Need::CargoDeny | Need::Advisories => None,
        })
        .collect();
    packages.dedup();
    if !packages.is_empty() {
        install_packages(&packages)?;
    }
    if needs.contains(&Need::CargoDeny) {
        install_cargo_deny(runner)?;
    }
    if needs.contains(&Need::Advisories)
        && let Some(reason) = advisories_are_missing(runner)
    {
        runner.skip("advisories", reason);
    }
    Ok(())
}

fn is_installed(program: &str) -> bool {
    succeeds(Command::new(program).arg("--version"))
}

fn install_packages(packages: &[&str]) -> anyhow::Result<()> {
    let names = packages.join(" ");
    let by_hand = format!("run: apt-get update && apt-get install --no-install-recommends {names}");
    if !is_installed("apt-get") {
        bail!("missing: {names}. On Debian and its relatives these are packages of that name.");
    }
    if output_of(Command::new("id").arg("-u")).is_none_or(|id| id.trim() != "0") {
        bail!("missing: {names}. As root, {by_hand}");
    }
    println!("installing {names}");
    for arguments in [
        &["update", "--quiet"][..],
        &["install", "--yes", "--quiet", "--no-install-recommends"],
    ] {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        if arguments.contains(&"install") {
            command.args(packages);
        }
        let output = command.stdin(Stdio::null()).output().context("start apt-get")?;
        if !output.status.success() {
            bail!(
                "could not install {names}: {}\nBy hand, {by_hand}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
    }
    Ok(())
}

/// Puts cargo-deny into `target/tools`, unless it is there, or on the path, in the right version.
fn install_cargo_deny(runner: &mut Runner) -> anyhow::Result<()> {
    let right = |program: &Path| {
        output_of(Command::new(program).arg("--version"))
            .is_some_and(|version| version.split_whitespace().nth(1) == Some(CARGO_DENY))
    };
    let tools = runner.root().join("target/tools");
    if right(&tools.join("bin/cargo-deny")) {
        runner.prefer_programs_in(&tools.join("bin"));
        return Ok(());
    }
    if right(Path::new("cargo-deny")) {
        return Ok(());
    }
    println!("installing cargo-deny {CARGO_DENY} into target/tools (takes minutes, once)");
    let output = Command::new(runner.cargo())
        .args([
            "install",
            "--quiet",
            "--locked",
            "cargo-deny",
            "--version",
            CARGO_DENY,
            "--root",
        ])
        .arg(&tools)
        .stdin(Stdio::null())
        .output()
        .context("start cargo install")?;
    if !output.status.success() {
        bail!(
            "could not install cargo-deny: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    runner.prefer_programs_in(&tools.join("bin"));
    Ok(())
}

/// Fetches the advisory database. Gives the reason to go without, if it can be neither fetched nor found from an earlier time.
fn advisories_are_missing(runner: &Runner) -> Option<String> {
    let mut fetch = runner.command_under("timeout", &[FETCH_SECONDS], &["deny", "fetch", "db"]);
    if succeeds(&mut fetch) {
        return None;
    }
    // A finding is printed as `error[...]`; `[ERROR]` is cargo-deny saying that it could not even begin.
    let from_before = runner
        .command(&["deny", "--offline", "check", "advisories"])
        .output();
    let can_begin =
        from_before.is_ok_and(|output| !String::from_utf8_lossy(&output.stderr).contains("[ERROR]"));
    (!can_begin).then(|| "the advisory database is not on this machine and cannot be fetched".to_owned())
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()
}
