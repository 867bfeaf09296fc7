//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::audit::AuditCommand;
use super::egress::EgressArguments;
use super::outbound::OutboundArguments;
use crate::doctor::DoctorArguments;
use crate::policy::{Allowance, CredentialPattern, HostPort};
use crate::trial::TrialArguments;

/// Reads container registries inside a private network and reports what they hold to a Portolan control plane.
///
/// The agent dials out; it listens only if its administrator opens the listener for push events. What it may read is decided by policy.toml on this machine and by nobody else.
#[derive(Parser)]
#[command(name = "portolan-agent", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) common: Common,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 server not trusted or token not accepted (doctor: a stage failed; policy test: refused; audit verify: not what it was; audit accept-checkpoint: nothing to accept), 64 wrong usage, settings or policy, \
                          78 this sensor is revoked (do not start it again).";

const ENROLL_HELP: &str = "Examples:\n  \
    portolan-agent enroll ptl1_... --allow gitlab.example.com:5050\n  \
    portolan-agent enroll ptl1_... --allow registry.example.com --realm gitlab.example.com --storage s3.example.com:9000\n  \
    portolan-agent enroll ptl1_... --allow artifacts.example.com/artifactory/api/docker/cloud\n  \
    portolan-agent enroll - --data-dir /srv/portolan < token    # keeps the token out of the process list\n  \
    PORTOLAN_ENROLMENT_TOKEN=ptl1_... portolan-agent enroll --policy /etc/portolan-agent/policy.toml\n\n\
    Token services and storage on a registry's own host are allowed on any port; those on other hosts must be named: --realm for the\n\
    host that issues tokens (a GitLab whose registry has a host of its own), --storage for object storage that the registry redirects to.\n\
    Without a port, every port of the host is meant. With a path, --allow means registries whose URL has this path alone; without one, those\n\
    without a path and those at the usual paths of Artifactory and Nexus. All of it is written into the first policy.toml, which is yours to change.\n\n\
    Running it again after a failure continues where it was and never makes a second sensor.";

#[derive(Args)]
pub(super) struct Common {
    /// Directory for keys and state [default: /var/lib/portolan-agent]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<String>,
    /// Local policy [default: policy.toml in the data directory]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) policy: Option<String>,
    /// Settings file, TOML
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help = "Proxy to the control plane, http://[USER:PASSWORD@]HOST[:PORT], or none [default: $HTTPS_PROXY]"
    )]
    pub(super) proxy: Option<String>,
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help = "Proxy to registries and the hosts that they send to, or none [default: $HTTPS_PROXY]"
    )]
    pub(super) registry_proxy: Option<String>,
    /// What to log: a level, or target=level pairs [default: info]
    #[arg(long, global = true, value_name = "FILTER")]
    pub(super) log_filter: Option<String>,
    /// How to log: human or json [default: human]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(super) log_format: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make this machine a sensor, with a token from `portolan sensor invite`
    #[command(after_help = ENROLL_HELP)]
    Enroll {
        #[arg(help = "The token, or - for standard input; else from $PORTOLAN_ENROLMENT_TOKEN")]
        token: Option<String>,
        /// Registry that the first policy allows, private addresses included; may be repeated
        #[arg(long, value_name = "HOST[:PORT][/PATH]")]
        allow: Vec<Allowance>,
        /// Token service on another host, which gets the credential of every --allow; may be repeated
        #[arg(long, value_name = "HOST[:PORT]", requires = "allow")]
        realm: Vec<HostPort>,
        /// Other host that downloads of every --allow may come from; may be repeated
        #[arg(long, value_name = "HOST[:PORT]", requires = "allow")]
        storage: Vec<HostPort>,
        /// Credential of this machine that the control plane may name for every --allow, such as `file:/opt/gitlab-login`; may be repeated
        #[arg(long, value_name = "REF", requires = "allow")]
        credential: Vec<CredentialPattern>,
    },
    /// Connect to the control plane and do what it asks, within the local policy
    #[command(
        after_help = "SIGTERM stops jobs and then the agent, a second one stops at once. SIGHUP reads the policy again."
    )]
    Run {
        /// Loopback address for /livez, /readyz and /metrics, such as 127.0.0.1:9180
        #[arg(long, value_name = "ADDRESS")]
        health_listen: Option<String>,
    },
    /// Show identity, connection, certificate, what is allowed, and the last work; exits 0 only while connected
    Status {
        /// How to show it
        #[arg(short, long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// Look at a registry from this machine, stage by stage, and say what is wrong
    Doctor(DoctorArguments),
    /// The local policy
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// The listener for push events of registries in this network
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// What this sensor did, by its own log on this machine
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Show every host that was contacted and every kind of data that left this machine, by its own log
    ShowOutbound(OutboundArguments),
    /// Print a completion script, such as: portolan-agent completion bash > /etc/bash_completion.d/portolan-agent
    Completion {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Read a policy and say in plain words what it allows, or name every fault in it
    Check {
        /// Which file [default: the one that `run` would use]
        file: Option<PathBuf>,
    },
    /// Say whether one request would be allowed, and by which rule
    Test(TrialArguments),
    /// Print the policy as firewall rules: what the agent may reach, and nothing else
    Egress(EgressArguments),
}

#[derive(Subcommand)]
pub(super) enum NotifyCommand {
    /// Try what [notify] of the settings says (files, secrets, port), and say what each registry is to be given
    Check,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Output {
    Text,
    Json,
}
