//! What the doctor is told.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use portolan_shared::model::{CredentialReference, RepositoryName, limits};

/// Shown below the options.
pub(super) const HELP: &str = "\
Examples:
  portolan-agent doctor https://gitlab.example.com:5050
  portolan-agent doctor gitlab.example.com:5050 --username reader --password-stdin < token
  portolan-agent doctor registry.example.com --credential-ref docker-config --ca-file ca.pem --repository acme/shop/api
  portolan-agent doctor registry.example.com --no-policy -o json | jq '.stages[] | select(.verdict == \"failed\")'

Looks at policy, name resolution, route, TCP, TLS, the API, the product, its challenge, the token and what it grants, repositories, tags, a
manifest and a config, in this order, and says of each what was seen, what is wrong, why, and what to do. It reads, nothing else. After
one refusal of the credential it is not tried again. The policy of this machine holds as for a sensor; without one, everything may be
contacted that a policy could allow.

Exit codes: 0 sound (warnings count as sound), 1 the examination could not be made, 2 a stage failed, 64 wrong usage, settings or policy.";

/// The arguments of `portolan-agent doctor`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct DoctorArguments {
    // Read by hand: an error of the parser would repeat it, and somebody may write a password into it.
    /// The registry, such as gitlab.example.com:5050
    #[arg(value_name = "URL")]
    pub(super) url: String,
    /// User name to log in with
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    pub(super) username: Option<String>,
    /// Read the password or token from standard input
    #[arg(long, requires = "username")]
    pub(super) password_stdin: bool,
    #[arg(
        long,
        value_name = "REF",
        conflicts_with = "username",
        help = "Credential of this machine: file:PATH, env:PREFIX, docker-config[:PATH], systemd:NAME, kubernetes:PATH or command:NAME"
    )]
    pub(super) credential_ref: Option<CredentialReference>,
    /// Certificate authorities to trust besides the system's, PEM
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// Trust those in --ca-file and no others
    #[arg(long, requires = "ca_file")]
    pub(super) only_ca_file: bool,
    /// Repository to look at, such as acme/shop/api [default: the first that is found and has tags]
    #[arg(long, value_name = "PATH")]
    pub(super) repository: Option<RepositoryName>,
    /// Look at what would be if the policy allowed it
    #[arg(long)]
    pub(super) no_policy: bool,
    /// Seconds for everything; what was not reached by then is skipped
    #[arg(long, value_name = "SECONDS", default_value_t = limits::PROBE_SECONDS, value_parser = clap::value_parser!(u64).range(1..=limits::PROBE_SECONDS))]
    pub(super) timeout: u64,
    /// How to show it
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    pub(super) output: Form,
}

/// In which form a diagnosis is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people, each stage as it ends.
    Text,
    /// For programs, at the end.
    Json,
}
