//! Credential references, resolved: from a name to the login that is valid now. One kind a file; `source` chooses among them, keeps
//! what was found, and notices when it changes. Nothing here repeats what it reads, in no error and no log line.

mod command;
mod docker_config;
mod environment;
mod file;
mod helper;
mod kubernetes;
mod program;
mod source;

pub use environment::Environment;
pub use source::CredentialSource;

#[cfg(test)]
mod kinds_tests;
