//! The command line. Exit codes: 0 done, 1 failed, 2 refused (a server that is not trusted, a token that is not accepted), 64 wrong usage,
//! settings or policy, 78 this sensor is revoked.

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use portolan_shared::process::{Clock as _, Shutdown, SystemClock, SystemRng, Tasks, start_logging};
use portolan_shared::secret::Secret;

use crate::keyring::KeyringError;
use crate::policy::{Allowance, Allowed, CredentialPattern, HostPort, Policy};
use crate::settings::{DEFAULT_DATA_DIR, Environment, Flags, Settings};
use crate::uplink::EnrolError;
use crate::wiring::{
    Agent, AgentEnd, AgentError, AgentParts, EnrolCommand, EnrolmentError, enrol, follow_signals, status,
};

/// Done.
pub const DONE: u8 = 0;
/// Failed; trying again may help.
pub const FAILED: u8 = 1;
/// The other side is not trusted, or does not accept the token.
pub const REFUSED: u8 = 2;
/// Wrong usage, settings or policy.
pub const USAGE: u8 = 64;
/// This sensor is revoked. A service unit must not start it again.
pub const REVOKED: u8 = 78;

/// A token on standard input is cut off here.
const TOKEN_BYTES: u64 = 4 * 1024;

/// Reads container registries inside a private network and reports what they hold to a Portolan control plane.
///
/// The agent only dials out. What it may read is decided by policy.toml on this machine and by nobody else.
#[derive(Parser)]
#[command(name = "portolan-agent", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 server not trusted or token not accepted, 64 wrong usage, settings or policy, \
                          78 this sensor is revoked (do not start it again).";

const ENROLL_HELP: &str = "Examples:\n  \
    portolan-agent enroll ptl1_... --allow gitlab.example.com:5050\n  \
    portolan-agent enroll ptl1_... --allow registry.example.com --realm gitlab.example.com --storage s3.example.com:9000\n  \
    portolan-agent enroll - --data-dir /srv/portolan < token    # keeps the token out of the process list\n  \
    PORTOLAN_ENROLMENT_TOKEN=ptl1_... portolan-agent enroll --policy /etc/portolan-agent/policy.toml\n\n\
    Token services and storage on a registry's own host are allowed on any port; those on other hosts must be named: --realm for the\n\
    host that issues tokens (a GitLab whose registry has a host of its own), --storage for object storage that the registry redirects to.\n\
    Without a port, every port of the host is meant. All of it is written into the first policy.toml, which is yours to change.\n\n\
    Running it again after a failure continues where it was and never makes a second sensor.";

#[derive(Args)]
struct Common {
    /// Directory for keys and state [default: /var/lib/portolan-agent]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Local policy [default: policy.toml in the data directory]
    #[arg(long, global = true, value_name = "FILE")]
    policy: Option<String>,
    /// Settings file, TOML
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help = "Proxy to the control plane, http://[USER:PASSWORD@]HOST[:PORT], or none [default: $HTTPS_PROXY]"
    )]
    proxy: Option<String>,
    /// What to log: a level, or target=level pairs [default: info]
    #[arg(long, global = true, value_name = "FILTER")]
    log_filter: Option<String>,
    /// How to log: human or json [default: human]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Make this machine a sensor, with a token from `portolan sensor invite`
    #[command(after_help = ENROLL_HELP)]
    Enroll {
        #[arg(help = "The token, or - for standard input; else from $PORTOLAN_ENROLMENT_TOKEN")]
        token: Option<String>,
        /// Registry that the first policy allows, private addresses included; may be repeated
        #[arg(long, value_name = "HOST[:PORT]")]
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
    /// The local policy
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Print a completion script, such as: portolan-agent completion bash > /etc/bash_completion.d/portolan-agent
    Completion {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Subcommand)]
enum PolicyCommand {
    /// Read a policy, print what it allows, or every fault in it
    Check {
        /// Which file [default: the one that `run` would use]
        file: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// A command that did not succeed: what to say, and the exit code.
struct Failed(u8, String);

impl Failed {
    fn because(code: u8, error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        Self(code, text)
    }
}

/// Runs the command in `arguments`, of which the first is the program's name, and gives the exit code.
pub fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>, environment: &Environment) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors. A closed terminal is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { USAGE } else { DONE };
        }
    };
    match dispatch(cli, environment) {
        Ok(code) => code,
        Err(Failed(code, text)) => {
            let _ = writeln!(io::stderr(), "error: {text}");
            code
        }
    }
}

fn dispatch(cli: Cli, environment: &Environment) -> Result<u8, Failed> {
    let mut flags = Flags {
        config: cli.common.config,
        data_dir: cli.common.data_dir,
        policy: cli.common.policy,
        proxy: cli.common.proxy,
        health_listen: None,
        log_filter: cli.common.log_filter,
        log_format: cli.common.log_format,
    };
    if let Command::Completion { shell } = cli.command {
        clap_complete::generate(shell, &mut Cli::command(), "portolan-agent", &mut io::stdout());
        return Ok(DONE);
    }
    if let Command::Run { health_listen } = &cli.command {
        flags.health_listen.clone_from(health_listen);
    }
    let settings = Settings::read(&flags, environment).map_err(|error| Failed::because(USAGE, &error))?;
    start_logging(settings.log.format, &settings.log.filter)
        .map_err(|error| Failed::because(USAGE, &error))?;
    match cli.command {
        Command::Enroll {
            token,
            allow,
            realm,
            storage,
            credential,
        } => {
            let token = read_token(token.as_deref(), environment)?;
            let allow = Allowed {
                registries: allow,
                realms: realm,
                storage,
                credentials: credential,
            };
            block_on(enroll(settings, token, allow))?
        }
        Command::Run { .. } => block_on(run_agent(settings, environment.clone()))?,
        Command::Status { output } => block_on(show_status(&settings, output))?,
        Command::Policy(PolicyCommand::Check { file }) => check_policy(&file.unwrap_or(settings.policy)),
        // Answered above, before settings were read.
        Command::Completion { .. } => Ok(DONE),
    }
}

/// One thread is enough: the agent waits for networks, and a small idle process is a promise.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failed::because(FAILED, &error))?;
    Ok(runtime.block_on(work))
}

fn say(text: &str) -> Result<(), Failed> {
    writeln!(io::stdout(), "{text}").map_err(|error| Failed::because(FAILED, &error))
}

fn read_token(given: Option<&str>, environment: &Environment) -> Result<Secret, Failed> {
    match given {
        Some("-") => {
            let mut text = String::new();
            io::stdin()
                .take(TOKEN_BYTES)
                .read_to_string(&mut text)
                .map_err(|error| Failed::because(FAILED, &error))?;
            Ok(Secret::new(text))
        }
        Some(text) => Ok(Secret::new(text.to_owned())),
        None => environment
            .get("PORTOLAN_ENROLMENT_TOKEN")
            .map(|text| Secret::new(text.to_owned()))
            .ok_or_else(|| {
                Failed(
                    USAGE,
                    "no token: give it as an argument, as - on standard input, or in PORTOLAN_ENROLMENT_TOKEN".to_owned(),
                )
            }),
    }
}

async fn enroll(settings: Settings, token: Secret, allow: Allowed) -> Result<u8, Failed> {
    let tasks = Tasks::new(Shutdown::new());
    let nothing_allowed = allow.registries.is_empty() && !settings.policy.exists();
    let done = enrol(EnrolCommand {
        token,
        data_dir: settings.data_dir.clone(),
        policy: settings.policy.clone(),
        allow,
        proxy: settings.proxy,
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
        tasks: tasks.clone(),
    })
    .await
    .map_err(|error| Failed::because(enrolment_code(&error), &error))?;
    let enrolled = done.enrolled;
    let how = if done.before {
        "was already enrolled with this token"
    } else {
        "is enrolled"
    };
    say(&format!(
        "This machine {how} as sensor {} ({}).",
        enrolled.name, enrolled.sensor
    ))?;
    if nothing_allowed {
        say(&format!(
            "It may not read anything yet: allow registries in {}.",
            settings.policy.display()
        ))?;
    }
    let data_dir = settings.data_dir.display().to_string();
    let flag = if data_dir == DEFAULT_DATA_DIR {
        String::new()
    } else {
        format!(" --data-dir {data_dir}")
    };
    say(&format!("Start it with: portolan-agent run{flag}"))?;
    Ok(DONE)
}

fn enrolment_code(error: &EnrolmentError) -> u8 {
    match error {
        EnrolmentError::Token(_) | EnrolmentError::Policy(_) => USAGE,
        EnrolmentError::Keyring(error) | EnrolmentError::Enrol(EnrolError::Keyring(error)) => {
            keyring_code(error)
        }
        EnrolmentError::Enrol(EnrolError::Failed(_)) => FAILED,
        EnrolmentError::Enrol(
            EnrolError::Untrusted(_) | EnrolError::TokenInvalid | EnrolError::TokenAlreadyBound,
        ) => REFUSED,
    }
}

fn keyring_code(error: &KeyringError) -> u8 {
    match error {
        KeyringError::Revoked { .. } => REVOKED,
        KeyringError::NotEnrolled { .. } | KeyringError::AlreadyEnrolled { .. } => USAGE,
        KeyringError::InUse { .. }
        | KeyringError::File(_)
        | KeyringError::Damaged { .. }
        | KeyringError::IdentityLost { .. }
        | KeyringError::TrustUnrelated { .. }
        | KeyringError::Key(_) => FAILED,
    }
}

async fn run_agent(settings: Settings, environment: Environment) -> Result<u8, Failed> {
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    let built = Agent::build(AgentParts {
        settings,
        environment,
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
        tasks: tasks.clone(),
    });
    let (handle, agent) = built.await.map_err(|error| {
        let code = match &error {
            AgentError::Keyring(error) => keyring_code(error),
            AgentError::Policy(_) => USAGE,
            AgentError::Uplink(_) | AgentError::Listen { .. } => FAILED,
        };
        Failed::because(code, &error)
    })?;
    let signals = follow_signals(handle, shutdown).map_err(|error| Failed::because(FAILED, &error))?;
    tasks.spawn("signals", signals);
    let end = agent.run().await;
    tasks.ended().await;
    match end {
        AgentEnd::Revoked => Err(Failed(
            REVOKED,
            "this sensor was revoked by its control plane".to_owned(),
        )),
        AgentEnd::Stopped if tasks.any_failed() => Err(Failed(
            FAILED,
            "a part of the agent failed; see the log".to_owned(),
        )),
        AgentEnd::Stopped => Ok(DONE),
    }
}

async fn show_status(settings: &Settings, output: Output) -> Result<u8, Failed> {
    let report = status(&settings.data_dir, &settings.policy, SystemClock.now())
        .await
        .map_err(|error| Failed::because(keyring_code(&error), &error))?;
    let text = match output {
        Output::Text => report.to_string().trim_end().to_owned(),
        Output::Json => {
            serde_json::to_string_pretty(&report).map_err(|error| Failed::because(FAILED, &error))?
        }
    };
    say(&text)?;
    Ok(if report.ready { DONE } else { FAILED })
}

fn check_policy(file: &std::path::Path) -> Result<u8, Failed> {
    let policy = Policy::load(file).map_err(|error| Failed::because(USAGE, &error))?;
    if policy.is_empty() {
        say(&format!("{} allows nothing.", file.display()))?;
    }
    for line in policy.describe() {
        say(&line)?;
    }
    Ok(DONE)
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
