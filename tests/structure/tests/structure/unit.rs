//! The systemd unit of the agent: it is sound, and it is confined.

#![expect(clippy::print_stderr, reason = "what is not looked at has to be said")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Overall exposure, by systemd's own table, that is let pass: 0 is none, 10 is all.
const EXPOSURE: f64 = 1.5;

fn unit() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    root.join("deploy/agent/systemd/portolan-agent.service")
}

/// A unit file of this text, in a folder of its own.
fn write(folder: &str, name: &str, text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

/// Runs systemd-analyze. `None`, and a word about it, where it is missing and whoever runs this could not install it either.
fn analyze(arguments: &[&str], file: &Path) -> Option<Output> {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .arg(file)
        .env("SYSTEMD_COLORS", "0")
        .output();
    match output {
        Ok(output) => Some(output),
        Err(error) => {
            let id = Command::new("id").arg("-u").output().unwrap();
            let is_root = String::from_utf8_lossy(&id.stdout).trim() == "0";
            assert!(
                !is_root,
                "systemd-analyze: {error}: apt-get install --no-install-recommends systemd"
            );
            eprintln!("SKIPPED, the unit was not looked at: systemd-analyze is missing ({error})");
            None
        }
    }
}

/// The number in `→ Overall exposure level for portolan-agent.service: 1.1 OK`.
fn exposure(said: &str) -> Option<f64> {
    let line = said
        .lines()
        .find(|line| line.contains("Overall exposure level"))?;
    let (_, rest) = line.rsplit_once(": ")?;
    rest.split_whitespace().next()?.parse().ok()
}

#[test]
fn the_unit_is_confined() {
    let Some(output) = analyze(&["security", "--offline=true", "--no-pager"], &unit()) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let exposure = exposure(&said).unwrap_or_else(|| panic!("{output:?}"));
    assert!(exposure <= EXPOSURE, "exposure {exposure}:\n{said}");
    // The measure tells: the same program without the confinement fails it.
    let bare = write("bare", "bare.service", "[Service]\nExecStart=/bin/true\n");
    let output = analyze(&["security", "--offline=true", "--no-pager"], &bare).unwrap();
    let bare = self::exposure(&String::from_utf8_lossy(&output.stdout)).unwrap();
    assert!(bare > EXPOSURE, "{bare}");
}

/// What the unit says of a setting: the last line that does, as systemd reads most of them.
fn setting<'u>(unit: &'u str, name: &str) -> Option<&'u str> {
    let lines = unit.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
        .next_back()
}

#[test]
fn opened_credentials_are_not_written_to_swap_nor_into_cores() {
    let text = std::fs::read_to_string(unit()).unwrap();
    assert_eq!(setting(&text, "MemorySwapMax"), Some("0"));
    assert_eq!(setting(&text, "LimitCORE"), Some("0"));
}

/// 78 is the agent's exit code once its sensor is revoked: then, and whenever it fails again and again, systemd leaves it alone.
#[test]
fn a_revoked_sensor_is_not_started_again_and_a_failing_one_not_for_ever() {
    let text = std::fs::read_to_string(unit()).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let codes = std::fs::read_to_string(root.join("agent/src/cli/exit.rs")).unwrap();
    let revoked = codes
        .split("pub const REVOKED: u8 = ")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .unwrap();
    let spared = setting(&text, "RestartPreventExitStatus").unwrap();
    assert!(spared.split_whitespace().any(|code| code == revoked), "{spared}");
    assert_eq!(setting(&text, "Restart"), Some("on-failure"));
    let seconds = |name: &str| setting(&text, name).unwrap().trim_end_matches('s').parse::<u32>();
    let minutes = setting(&text, "StartLimitIntervalSec")
        .unwrap()
        .trim_end_matches("min");
    let (pause, burst) = (
        seconds("RestartSec").unwrap(),
        seconds("StartLimitBurst").unwrap(),
    );
    assert!(
        pause * burst < minutes.parse::<u32>().unwrap() * 60,
        "so many starts have to fit into the interval, or the limit is never met"
    );
}

#[test]
fn the_unit_does_not_hide_what_tells_when_the_machine_started() {
    let text = std::fs::read_to_string(unit()).unwrap();
    let hides = |text: &str| {
        let mut settings = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        settings.any(|line| {
            let setting: String = line.split_whitespace().collect();
            // Of /proc, processes are left: not /proc/sys/kernel/random/boot_id (systemd.exec(5)).
            setting == "ProcSubset=pid"
        })
    };
    assert!(!hides(&text));
    assert!(hides(&format!("{text}ProcSubset=pid\n")), "the measure tells");
}

#[test]
fn the_unit_is_read_without_a_complaint() {
    let text = std::fs::read_to_string(unit()).unwrap();
    // The program need not be installed where this runs.
    let text = text.replace("/usr/bin/portolan-agent run", "/bin/true run");
    let copy = write("sound", "portolan-agent.service", &text);
    let Some(output) = analyze(&["verify", "--man=no"], &copy) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("portolan-agent"))
        .collect();
    assert!(output.status.success() && complaints.is_empty(), "{said}");
    let broken = text.replace("Type=exec", "Type=nonsense");
    let broken = write("broken", "portolan-agent.service", &broken);
    let output = analyze(&["verify", "--man=no"], &broken).unwrap();
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("portolan-agent"),
        "faults show: {output:?}"
    );
}
