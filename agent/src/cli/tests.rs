use clap::CommandFactory as _;

use super::arguments::Cli;
use super::policy::check_policy;
use super::{DONE, USAGE, run};
use crate::settings::Environment;

fn exit(arguments: &[&str]) -> u8 {
    let arguments = std::iter::once("portolan-agent").chain(arguments.iter().copied());
    run(arguments.map(Into::into), &Environment::default())
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn usage_and_settings_are_told_apart_from_failures() {
    assert_eq!(exit(&["--version"]), DONE);
    assert_eq!(exit(&["frobnicate"]), USAGE);
    assert_eq!(exit(&["enroll", "t", "--allow", "a b"]), USAGE);
    assert_eq!(exit(&["enroll", "t", "--allow", "h", "--realm", "h:0"]), USAGE);
    assert_eq!(
        exit(&["enroll", "t", "--storage", "h"]),
        USAGE,
        "storage of nothing"
    );
    assert_eq!(exit(&["doctor"]), USAGE);
    assert_eq!(
        exit(&["doctor", "h", "--password-stdin"]),
        USAGE,
        "a password of nobody"
    );
    assert_eq!(exit(&["run", "--health-listen", "0.0.0.0:1"]), USAGE);
    assert_eq!(exit(&["notify", "check"]), USAGE, "nothing to check");
}

#[test]
fn a_policy_is_checked_with_the_exit_codes_that_scripts_rely_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    let check =
        || check_policy(&file, &portolan_shared::process::ProxyRules::default()).map_err(|failed| failed.0);
    std::fs::write(&file, "version = 1\n[[allow]]\nhost = \"127.0.0.1\"\n").unwrap();
    assert_eq!(check(), Ok(DONE));
    std::fs::write(&file, "version = 1\n[limits]\nspeed = 1\n").unwrap();
    assert_eq!(check(), Err(USAGE));
}
