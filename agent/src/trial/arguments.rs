//! What is asked.

use clap::{Args, ValueEnum};
use portolan_shared::model::{RegistryUrl, RepositoryName};

use super::request::AskedCredential;

/// Shown below the options.
const HELP: &str = "\
Examples:
  portolan-agent policy test https://gitlab.example.com:5050 --repository acme/shop --credential env:GITLAB
  portolan-agent policy test https://artifacts.example.com/artifactory/api/docker/cloud
  portolan-agent policy test https://login.example.com/token --realm-of https://gitlab.example.com:5050
  portolan-agent policy test https://s3.example.com:9000 --storage-of https://gitlab.example.com:5050 -o json

Judges the request as it would be judged within a job that begins now: the window and the credential, host, port, scheme and path, then every address
that the name resolves to. Nothing is connected to. What has been read already of bytes_per_day is not asked.

Exit codes: 0 allowed, 1 the name does not resolve, 2 refused, 64 wrong usage, settings or policy.";

/// The arguments of `portolan-agent policy test`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct TrialArguments {
    // Read by hand: an error of the parser would repeat it, and somebody may write a password into it.
    /// What would be contacted: a registry, by the URL of its definition, unless one of the following says otherwise
    #[arg(value_name = "URL")]
    pub(super) url: String,
    /// It is asked as the token service of this registry
    #[arg(long, value_name = "REGISTRY", conflicts_with = "storage_of")]
    pub(super) realm_of: Option<RegistryUrl>,
    /// It is asked as the storage that this registry redirects to
    #[arg(long, value_name = "REGISTRY")]
    pub(super) storage_of: Option<RegistryUrl>,
    /// This repository is read
    #[arg(long, value_name = "PATH")]
    pub(super) repository: Option<RepositoryName>,
    /// The control plane names this credential of the machine, or sends one that is sealed for this sensor ("sealed")
    #[arg(long, value_name = "REF|sealed")]
    pub(super) credential: Option<AskedCredential>,
    /// How to show the answer
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    pub(super) output: Form,
}

impl TrialArguments {
    /// Whether the answer is for programs.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.output == Form::Json
    }
}

/// In which form the answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}
