//! The command line: what it takes, and what its help says.

use clap::{CommandFactory as _, Parser as _};

use super::{Cli, Exit, command_line};

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn a_shell_completes_schedules() {
    let mut script = Vec::new();
    clap_complete::generate(
        clap_complete::Shell::Bash,
        &mut command_line(),
        "portolan",
        &mut script,
    );
    let script = String::from_utf8(script).unwrap();
    for line in ["manual hourly daily weekly on-push", "run-once skip"] {
        assert!(script.contains(line), "{line}");
    }
}

#[test]
fn takes_what_the_design_names() {
    for line in [
        "server --data-dir /var/lib/portolan",
        "sensor invite berlin-1",
        "sensor list -o json",
        "sensor show berlin-1",
        "sensor revoke berlin-1 --yes",
        "sensor invitation list",
        "sensor invitation revoke berlin-1",
        "registry add gl https://h --sensor s --credential-ref file:/x --ca-file ca.pem --only-ca-file --repository a/* --repository b",
        "registry list -o yaml",
        "registry show gl",
        "registry set gl --anonymous --only-ca-file=false",
        "registry set gl --ca-file ca.pem --only-ca-file --all-repositories",
        "registry add gl https://h --sensor s --username u --password-stdin --accept-realm a:1 --accept-realm b",
        "registry set gl --credential-file f --accept-storage s3:9000 --expires 2027-03-31 --yes --no-test --test --name x",
        "registry set gl --credential-file f --accept-fingerprint AB3DE-FGHIJ-KLMNO-PQRST",
        "registry add gl https://h --sensor s --schedule on-push --zone Europe/Berlin --jitter 5m --blackout 22:00-02:00 --max-run 2h --missed skip",
        "registry set gl --schedule hourly --no-blackouts --jitter default --max-run default --missed run-once",
        "registry pause gl",
        "registry resume gl -o json",
        "schedule preview daily --zone Europe/Berlin --blackout 08:00-18:00 --count 10",
        "schedule preview hourly --registry gl --jitter 0s --missed skip",
        "registry remove gl -y",
        "credential list -o json",
        "credential show gl",
        "credential revert gl",
        "credential remove gl --yes",
        "sync gl --repository a --repository b --wait",
        "run list --registry gl --state partial",
        "run show 01890a5d-ac96-774b-bcce-b302099a8057",
        "run watch 01890a5d-ac96-774b-bcce-b302099a8057",
        "run cancel 01890a5d-ac96-774b-bcce-b302099a8057",
        "repository list --contains shop --vanished",
        "tag list gl/acme/shop --no-trunc",
        "image show gl/acme/shop:1.0",
        "image show gl/acme/shop:1.0 --raw",
        "history gl/acme/shop:1.0",
        "tag list gl/acme/shop --at 2026-03-31T08:00:00Z",
        "tag list gl/acme/shop --at 2d",
        "diff gl --since 6h -o json",
        "changes --registry gl --from now --follow -o json",
        "changes --cursor MSBjaGFuZ2VzIDQy",
        "settings retention --history-days 400 --runs-days forever",
        "where sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "token create ci --role operator --days 90",
        "token list",
        "token revoke 01890a5d-ac96-774b-bcce-b302099a8057",
        "audit list --limit 5",
        "audit verify --checkpoint head.json --save new.json",
        "audit verify --file audit.jsonl",
        "audit export audit.jsonl",
        "whoami",
        "status --watch",
        "webhook add deployer https://h/x --registry gl",
        "webhook list -o json",
        "webhook show deployer --secret",
        "webhook set deployer --name x --url https://h/y --all-registries",
        "webhook pause deployer",
        "webhook resume deployer --skip",
        "webhook rotate deployer",
        "webhook test deployer",
        "webhook deliveries deployer --limit 5",
        "webhook remove deployer --yes",
        "status -o yaml",
        "login https://portolan.example.com --ca-file ca.pem",
        "completion bash",
    ] {
        let words = std::iter::once("portolan").chain(line.split(' '));
        assert!(Cli::try_parse_from(words).is_ok(), "{line}");
    }
}

#[test]
fn refuses_what_makes_no_sense_and_has_no_flag_for_a_secret() {
    for line in [
        "registry add gl https://h",
        "registry add gl https://h --sensor s --only-ca-file",
        "registry add gl https://h --sensor s --username u",
        "registry add gl https://h --sensor s --password p",
        "registry add gl https://h --sensor s --password-stdin",
        "registry add gl https://h --sensor s --username u --password-stdin=p",
        "registry add gl https://h --sensor s --username u --password-stdin --credential-file f",
        "registry add gl https://h --sensor s --credential-file f --credential-ref env:X",
        "registry add gl https://h --sensor s --accept-realm a",
        "registry set gl --credential-file f --accept-realm https://a/",
        "registry set gl --credential-file f --accept-fingerprint AB3DE",
        "registry set gl --credential-file f --url https://other",
        "registry set gl --credential-file f --sensor t",
        "registry set gl --credential-file f --preview",
        "registry set gl --yes",
        "registry set gl --anonymous --credential-ref env:X",
        "registry set gl --repository a --all-repositories",
        "image show gl/a:1 --raw -o json",
        "sensor list --limit 0",
        "sensor list -o xml",
        "sensor invite x --ttl 1441",
        "--token x whoami",
        "login https://h --token x",
    ] {
        let words = std::iter::once("portolan").chain(line.split(' '));
        assert!(Cli::try_parse_from(words).is_err(), "{line}");
    }
}

/// Every command's help, in one text that a person reviews.
#[test]
fn help() {
    fn collect(command: &mut clap::Command, name: &str, text: &mut String) {
        let help = command.clone().term_width(120).render_long_help();
        text.push_str(&format!("=== {name}\n\n{help}\n"));
        let names: Vec<String> = command
            .get_subcommands()
            .map(|inner| inner.get_name().to_owned())
            // What a variable of the environment is set to stands in the server's.
            .filter(|inner| !matches!(inner.as_str(), "help" | "server"))
            .collect();
        for inner in names {
            if let Some(found) = command.find_subcommand_mut(&inner) {
                collect(found, &format!("{name} {inner}"), text);
            }
        }
    }
    let mut text = String::new();
    let mut command = command_line();
    command.build();
    collect(&mut command, "portolan", &mut text);
    let width = text.lines().map(|line| line.chars().count()).max();
    assert!(width <= Some(125), "a line of help has {width:?} columns");
    insta::assert_snapshot!(text);
}

#[test]
fn every_commands_help_has_an_example_and_its_exit_codes() {
    fn check(command: &mut clap::Command, name: &str) {
        let names: Vec<String> = command
            .get_subcommands()
            .map(|inner| inner.get_name().to_owned())
            .filter(|inner| inner != "help")
            .collect();
        if names.is_empty() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{name} has no example");
            assert!(
                help.contains("Exit codes:"),
                "{name} does not tell its exit codes"
            );
        }
        for inner in names {
            if let Some(found) = command.find_subcommand_mut(&inner) {
                check(found, &format!("{name} {inner}"));
            }
        }
    }
    let mut command = command_line();
    command.build();
    check(&mut command, "portolan");
}

#[test]
fn exit_codes_are_distinct_and_those_of_the_help() {
    let all = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::Denied,
        Exit::NotFound,
        Exit::Unavailable,
        Exit::Conflict,
        Exit::RunPartial,
        Exit::RunFailed,
        Exit::RunCancelled,
        Exit::Unsound,
        Exit::Unanswered,
        Exit::Untrusted,
        Exit::Attention,
        Exit::Detached,
    ];
    let codes: Vec<u8> = all.iter().map(|exit| exit.code()).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    let help = Cli::command().render_long_help().to_string();
    for code in codes {
        assert!(
            help.contains(&format!("{code:>4}  ")),
            "{code} is not in the help"
        );
    }
    for exit in all {
        let line = format!("{:>4}  {}", exit.code(), exit.meaning());
        assert!(help.contains(&line), "the help says something else than {line:?}");
    }
}
