//! Generates the Rust code of the schema with protox, so that building needs no protoc.

use std::error::Error;
use std::path::Path;

const FILES: [&str; 13] = [
    "attempt",
    "audit",
    "credential",
    "enrolment",
    "event",
    "finding",
    "job",
    "peer",
    "probe",
    "refusal",
    "registry",
    "session",
    "upload",
];

#[expect(
    clippy::disallowed_methods,
    reason = "cargo talks to build scripts by the environment"
)]
fn main() -> Result<(), Box<dyn Error>> {
    // At run time: a build script that was compiled elsewhere must not look there.
    let root = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?;
    let root = Path::new(&root);
    let files = FILES.map(|name| root.join(format!("portolan/sensor/v1/{name}.proto")));
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    let descriptors = protox::compile(&files, [root])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}
