//! What is told of this machine: for people to recognise it by.

use std::path::Path;

use portolan_shared::model::{HostFacts, printable};
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
