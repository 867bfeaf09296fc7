//! What is told of this machine: for people to recognise it by.

use std::fs;
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use portolan_shared::model::{HostFacts, SensorId, printable};
use portolan_shared::process::read_bounded;

/// Host name, operating system, architecture, version of the agent.
#[must_use]
pub fn host_facts() -> HostFacts {
    let names = rustix::system::uname();
    let text = |name: &std::ffi::CStr| printable(&name.to_string_lossy(), 128);
    HostFacts {
        hostname: text(names.nodename()),
        os: format!("{} {}", text(names.sysname()), text(names.release())),
        architecture: text(names.machine()),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Changes each time the machine starts; empty where the kernel does not say.
#[must_use]
pub fn boot_id() -> String {
    read_bounded(Path::new("/proc/sys/kernel/random/boot_id"), 64)
        .ok()
        .flatten()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(|text| printable(text.trim(), 64))
        .unwrap_or_default()
}

/// Files that tell one installation from another; the first that is there counts.
const MACHINE_IDS: [&str; 2] = ["etc/machine-id", "var/lib/dbus/machine-id"];
/// The mainboard's, which root alone may read.
const PRODUCT: &str = "sys/class/dmi/id/product_uuid";
const INTERFACES: &str = "sys/class/net";
/// No such file is longer.
const FILE_BYTES: u64 = 256;
/// Interfaces that are looked at: more than any machine has.
const MOST_INTERFACES: usize = 256;

/// What this machine knows itself by: salted with the sensor's id, so that nobody recognises the machine elsewhere. It decides nothing; two
/// copies of a sensor can be told apart by it. None where nothing of it can be read, as in many containers.
///
/// The first 16 bytes of SHA-256 over the sensor's id, the machine id, the DMI product UUID and the addresses of the physical network
/// interfaces, sorted; each with its name and length in front, and left out if it cannot be read.
#[must_use]
pub(super) fn machine_fingerprint(sensor: SensorId) -> Option<[u8; 16]> {
    fingerprint(Path::new("/"), sensor)
}

fn fingerprint(root: &Path, sensor: SensorId) -> Option<[u8; 16]> {
    let line = |path: &Path| -> Option<String> {
        let content = String::from_utf8(read_bounded(path, FILE_BYTES).ok()??).ok()?;
        let line = content.trim().to_ascii_lowercase();
        (!line.is_empty()).then_some(line)
    };
    let mut parts: Vec<(&str, String)> = Vec::new();
    parts.extend(
        MACHINE_IDS
            .iter()
            .find_map(|path| line(&root.join(path)))
            .map(|id| ("machine", id)),
    );
    parts.extend(line(&root.join(PRODUCT)).map(|id| ("product", id)));
    let mut addresses: Vec<String> = fs::read_dir(root.join(INTERFACES))
        .into_iter()
        .flatten()
        .take(MOST_INTERFACES)
        .filter_map(Result::ok)
        // Bridges, tunnels and what containers make belong to no device.
        .filter(|interface| interface.path().join("device").exists())
        .filter_map(|interface| line(&interface.path().join("address")))
        .filter(|address| address.bytes().any(|byte| !matches!(byte, b'0' | b':')))
        .collect();
    addresses.sort();
    addresses.dedup();
    parts.extend(addresses.into_iter().map(|address| ("address", address)));
    if parts.is_empty() {
        return None;
    }
    let mut hash = Context::new(&SHA256);
    hash.update(b"portolan machine v1\0");
    hash.update(sensor.as_bytes());
    for (name, value) in &parts {
        hash.update(format!("{name} {} {value}\n", value.len()).as_bytes());
    }
    hash.finish().as_ref().first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;

    fn write(root: &Path, path: &str, content: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn a_machine_is_told_from_its_copy_and_by_one_sensor_only() {
        let (one, other) = (
            SensorId::random(&SeededRng::new(1)),
            SensorId::random(&SeededRng::new(2)),
        );
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(fingerprint(root, one), None, "a machine that says nothing");
        write(root, "var/lib/dbus/machine-id", "Abc\n");
        let first = fingerprint(root, one);
        write(root, "etc/machine-id", "abc\n");
        assert!(first.is_some() && fingerprint(root, one) == first);
        assert_ne!(fingerprint(root, other), first);
        write(root, "sys/class/net/lo/address", "00:00:00:00:00:00\n");
        write(root, "sys/class/net/veth0/address", "02:42:ac:11:00:02\n");
        assert_eq!(fingerprint(root, one), first, "neither is of the machine");
        write(root, "sys/class/net/eth1/address", "52:54:00:00:00:02\n");
        write(root, "sys/class/net/eth1/device/vendor", "");
        let with_address = fingerprint(root, one);
        assert_ne!(with_address, first);
        write(root, "sys/class/dmi/id/product_uuid", "4C4C\n");
        assert_ne!(fingerprint(root, one), with_address);
    }
}
