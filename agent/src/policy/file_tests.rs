use portolan_shared::model::manifest::FactsField;
use proptest::prelude::*;

use super::super::entry::RULES;
use super::super::limits::{BYTES_PER_DAY, BYTES_PER_JOB, CONCURRENCY, JOB_DURATION};
use super::super::path::DEFAULT_PATHS;
use super::*;

#[test]
fn every_fault_is_reported_with_its_line() {
    let text = "version = 2\nspeed = 1\n[[allow]]\nhost = \"a b\"\nports = [0, 443]\n[[allow]]\nports = 443\n\
                addresses = [\"10.0.0.0/99\"]\nplaintext = \"no\"\n";
    let faults = parse(text).unwrap_err();
    let lines: Vec<usize> = faults.0.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [1, 2, 4, 5, 6, 7, 8, 9], "{faults}");
}

#[test]
fn faults_of_limits_and_the_rest_are_reported_with_their_lines() {
    let text = "version = 1\ntrusted_peers = []\n[limits]\nconcurrency = 0\nbytes_per_day = \"2 gb\"\njob_duration = \"2 d\"\n\
                burst = 3\nspeed = 1\n[upload]\nwithhold = [\"secrets\"]\nkeep = 1\n[[allow]]\nhost = \"h\"\nconcurrency = 65\n\
                requests_per_second = 0\nbytes_per_job = -1\nrepositories = [\n\"re:[\",\n3]\ncredential_modes = [\"magic\"]\n";
    let faults = parse(text).unwrap_err();
    let lines: Vec<usize> = faults.0.iter().map(|fault| fault.line).collect();
    assert_eq!(
        lines,
        [2, 3, 4, 5, 6, 8, 10, 11, 14, 15, 16, 17, 18, 19, 20],
        "{faults}"
    );
    let nothing = parse("version = 1\n[[allow]]\nhost = \"h\"\nrepositories = []\n").unwrap_err();
    assert_eq!(nothing.0[0].line, 4, "an empty list is no way to say everything");
    let paths = parse("version = 1\n[[allow]]\nhost = \"h\"\npaths = [\n\"a\",\n\"/b/../c\"]\n[[allow]]\nhost = \"h\"\npaths = []\n").unwrap_err();
    let lines: Vec<usize> = paths.0.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [5, 6, 9], "{paths}");
    assert!(
        parse("version = 1\nlimits = 3\nupload = 4\nwindow = 5\n")
            .unwrap_err()
            .0
            .len()
            == 3
    );
}

#[test]
fn what_is_not_written_has_its_default() {
    let policy = parse("version = 1\n[[allow]]\nhost = \"h\"\n").unwrap();
    let limits = policy.limits();
    assert_eq!(
        (
            limits.concurrency,
            limits.bytes_per_job,
            limits.bytes_per_day,
            limits.job_duration
        ),
        (CONCURRENCY, BYTES_PER_JOB, BYTES_PER_DAY, JOB_DURATION)
    );
    let url = "https://h".parse().unwrap();
    let own = policy.registry_limits(&url).unwrap();
    assert_eq!(
        (own.concurrency, own.rate),
        (64, None),
        "no rate unless one is written"
    );
    assert!(policy.withheld().is_empty());
    assert_eq!(policy.allows_now(jiff::Timestamp::UNIX_EPOCH), Ok(None));
    assert!(policy.allows_sealed_credential(&url).is_ok());
    assert!(
        policy
            .allows_repository(&url, &"any/thing".parse().unwrap())
            .is_ok()
    );
}

#[test]
fn an_entry_never_has_more_than_all_have_together() {
    let text = "version = 1\n[limits]\nconcurrency = 8\nrequests_per_second = 10\nbytes_per_job = \"1 MiB\"\n\
                [[allow]]\nhost = \"a\"\nconcurrency = 16\nbytes_per_job = \"2 MiB\"\n\
                [[allow]]\nhost = \"b\"\nconcurrency = 4\nrequests_per_second = 3\nburst = 5\nbytes_per_job = 100\n";
    let policy = parse(text).unwrap();
    let of = |url: &str| policy.registry_limits(&url.parse().unwrap()).unwrap();
    let rate = |limits: super::super::RegistryLimits| {
        let rate = limits.rate.unwrap();
        (rate.per_second.get(), rate.burst.get())
    };
    let (a, b) = (of("https://a"), of("https://b"));
    assert_eq!((a.concurrency, a.bytes_per_job, rate(a)), (8, 1 << 20, (10, 20)));
    assert_eq!((b.concurrency, b.bytes_per_job, rate(b)), (4, 100, (3, 5)));
}

#[test]
fn withheld_fields_are_kept_once_each() {
    let text = "version = 1\n[upload]\nwithhold = [\"labels\", \"history\", \"labels\"]\n";
    let policy = parse(text).unwrap();
    assert_eq!(policy.withheld(), [FactsField::History, FactsField::Labels]);
}

#[test]
fn a_version_is_asked_for_unless_there_is_nothing_at_all() {
    assert!(parse("").unwrap().is_empty());
    assert!(parse("# nothing yet\n").unwrap().is_empty());
    assert_eq!(parse("[[allow]]\nhost = \"h\"\n").unwrap_err().0[0].line, 1);
    assert_eq!(parse("version = 1\nallow = 3\n").unwrap_err().0.len(), 1);
    assert_eq!(parse("version = 1\n\n= 3\n").unwrap_err().0[0].line, 3);
}

#[test]
fn a_missing_file_allows_nothing_and_a_large_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    assert!(Policy::load(&path).unwrap().is_empty());
    let bound = usize::try_from(POLICY_BYTES).unwrap();
    std::fs::write(&path, "#".repeat(bound)).unwrap();
    assert!(Policy::load(&path).unwrap().is_empty());
    std::fs::write(&path, "#".repeat(bound + 1)).unwrap();
    assert!(matches!(Policy::load(&path), Err(PolicyError::File(_))));
}

#[test]
fn a_file_that_everybody_can_write_is_not_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, "version = 1\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o646)).unwrap();
    assert!(matches!(Policy::load(&path), Err(PolicyError::Exposed { .. })));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    Policy::load(&path).unwrap();
}

#[test]
fn too_many_entries_are_refused() {
    let text = |n| format!("version = 1\n{}", "[[allow]]\nhost = \"h\"\n".repeat(n));
    assert!(parse(&text(RULES)).is_ok());
    assert!(parse(&text(RULES + 1)).is_err());
}

/// The example of the page for operators is what this build reads, and says what the page says.
#[test]
fn the_page_for_operators_shows_a_policy_that_is_read() {
    let page = include_str!("../../../deploy/agent/policy.md");
    let example = page
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let policy = parse(example).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(
        policy.summary().split(':').next(),
        Some(
            "allows 2 (within windows, some paths only, some repositories only, rate limited, withholds image facts)"
        )
    );
    for path in DEFAULT_PATHS {
        assert!(page.contains(&format!("`\"{path}\"`")), "{path}");
    }
    // Every key of the tables is one that the reader knows, and the other way round: an unknown one is answered with all that are known.
    for (text, section) in [
        ("unknown = 1\n", "The file"),
        ("[limits]\nunknown = 1\n", "`[limits]`"),
        ("[[allow]]\nunknown = 1\n", "`[[allow]]`"),
        ("[upload]\nunknown = 1\n", "`[upload]`"),
        (
            "[[window]]\nhours = \"01:00-02:00\"\nunknown = 1\n",
            "`[[window]]`",
        ),
        ("[[command]]\nunknown = 1\n", "`[[command]]`"),
    ] {
        let faults = parse(&format!("version = 1\n{text}")).unwrap_err();
        let known = faults
            .0
            .iter()
            .find_map(|fault| fault.what.split_once("expected "))
            .unwrap()
            .1;
        let table = page.split(&format!("## {section}")).nth(1).unwrap();
        let table = table.split("\n## ").next().unwrap();
        for key in known
            .split([',', ' '])
            .filter(|word| !word.is_empty() && *word != "or")
        {
            assert!(table.contains(&format!("| `{key}`")), "{section}: {key}");
        }
    }
}

proptest! {
    #[test]
    fn no_input_panics(text in "(version = 1\n)?(\\[\\[allow\\]\\]\n)?\\PC{0,60}\n\\PC{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_value_of_a_known_key_panics(
        section in prop::sample::select(vec!["[limits]", "[[allow]]", "[[window]]", "[upload]"]),
        key in prop::sample::select(vec!["concurrency", "bytes_per_job", "job_duration", "hours", "zone", "days", "withhold", "repositories", "burst", "paths"]),
        value in "[-0-9a-zA-Z\":,\\[\\] ]{0,20}",
    ) {
        let _ = parse(&format!("version = 1\n{section}\n{key} = {value}\n"));
    }
}
