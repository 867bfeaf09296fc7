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
