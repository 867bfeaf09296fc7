//! What can go wrong, what to do about it, and the exit codes.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use portolan_shared::model::printable;
use portolan_shared::process::FileError;
use portolan_shared::tls::{ChainRefused, TrustError};

use crate::web::api::ErrorBody;

/// Longest line of an error that is printed, in bytes; it is cut above.
const LINE: usize = 4_096;

/// Names of values in the API, and what the command line has for them.
const FLAGS: [(&str, &str); 24] = [
    ("at", "--at"),
    ("ca_bundle_pem", "--ca-file"),
    ("concurrency", "--concurrency"),
    ("contains", "--contains"),
    ("credential_reference", "--credential-ref"),
    ("cursor", "--cursor"),
    ("digest", "DIGEST"),
    ("expires_at", "--days"),
    ("history_days", "--history-days"),
    ("limit", "--limit"),
    ("max_tag_age_days", "--max-tag-age"),
    ("newest_tags", "--newest-tags"),
    ("only_ca_bundle", "--only-ca-file"),
    ("platform", "--platform"),
    ("repositories", "--repository"),
    ("requests_per_day", "--requests-per-day"),
    ("requests_per_second", "--requests-per-second"),
    ("role", "--role"),
    ("runs_days", "--runs-days"),
    ("sensors", "--sensor"),
    ("since", "--since"),
    ("state", "--state"),
    ("tags", "--tag"),
    ("ttl_seconds", "--ttl"),
];

/// Exit codes. They are part of the interface: a code never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; for a run that was waited for: complete.
    Done,
    /// Something failed on this machine.
    Failed,
    /// The command line, or a value in it, is not acceptable.
    Usage,
    /// Not logged in, the token is not valid, or its role is too small.
    Denied,
    /// What was named does not exist.
    NotFound,
    /// The control plane cannot be reached, or failed.
    Unavailable,
    /// It conflicts with what is there: a name is taken, a reference is ambiguous, a run has ended.
    Conflict,
    /// The run ended, but could not see everything.
    RunPartial,
    /// The run failed.
    RunFailed,
    /// The run was cancelled.
    RunCancelled,
    /// A stage of the registry's test failed.
    Unsound,
    /// No sensor carried the test out in time.
    Unanswered,
    /// The audit log is not what it was.
    Tampered,
    /// A sensor is not the one that it was known as.
    Untrusted,
    /// Something needs attention.
    Attention,
    /// A webhook's endpoint did not take the test.
    Undelivered,
    /// Interrupted while waiting; the run goes on.
    Detached,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Denied => 3,
            Self::NotFound => 4,
            Self::Unavailable => 5,
            Self::Conflict => 6,
            Self::RunPartial => 10,
            Self::RunFailed => 11,
            Self::RunCancelled => 12,
            Self::Unsound => 13,
            Self::Unanswered => 14,
            Self::Tampered => 15,
            Self::Untrusted => 16,
            Self::Attention => 17,
            Self::Undelivered => 18,
            Self::Detached => 130,
        }
    }

    /// What it says, in the words of the help.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "something failed on this machine",
            Self::Usage => "the command line, or a value in it, is not acceptable",
            Self::Denied => "not logged in, token not valid, or its role too small",
            Self::NotFound => "what was named does not exist",
            Self::Unavailable => "the control plane cannot be reached, or failed",
            Self::Conflict => {
                "conflict with what is there: a name is taken, a reference is ambiguous, a run has ended"
            }
            Self::RunPartial => "the run ended, but could not see everything",
            Self::RunFailed => "the run failed",
            Self::RunCancelled => "the run was cancelled",
            Self::Unsound => "a stage of the registry's test failed",
            Self::Unanswered => "no sensor carried the test out in time",
            Self::Tampered => "the audit log is not what it was",
            Self::Untrusted => "a sensor is not the one that it was known as: nothing was sealed for it",
            Self::Attention => "something needs attention",
            Self::Undelivered => "a webhook's endpoint did not take the test",
            Self::Detached => "interrupted while waiting; the run goes on",
        }
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// No control plane to ask.
    #[error("{0}")]
    NotLoggedIn(&'static str),
    /// A value that the command line cannot know to be wrong.
    #[error("{0}")]
    Usage(String),
    /// The control plane refused, in the form that it has for that.
    #[error("{}", in_flags(.0))]
    Refused(ErrorBody),
    /// The control plane has no place at present.
    #[error("{told}")]
    Crowded {
        /// What it said.
        told: String,
        /// After which time it wants to be asked again, if it said so.
        after: Option<Duration>,
    },
    /// No answer.
    #[error("cannot reach the control plane at {url}")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// Why not.
        #[source]
        source: reqwest::Error,
    },
    /// An answer that is not the API's.
    #[error("{url} does not answer like a control plane: {what}")]
    Protocol {
        /// Where.
        url: String,
        /// What is odd.
        what: String,
    },
    /// Trust in the control plane cannot be set up.
    #[error("the CA file cannot be used")]
    Trust(#[source] TrustError),
    /// A sensor cannot be sealed to, for now.
    #[error("{0}")]
    NotReady(String),
    /// A sensor must not be sealed to, because it cannot be told from somebody else.
    #[error("{0}")]
    Untrusted(String),
    /// The file of fingerprints is not as this program writes it.
    #[error(
        "{} is damaged ({why}): restore it, or remove it and compare every fingerprint anew", path.display()
    )]
    Pins {
        /// Where it is.
        path: PathBuf,
        /// What is wrong, without its content.
        why: &'static str,
    },
    /// The person did not say yes.
    #[error("not confirmed: nothing was changed")]
    NotConfirmed,
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The input cannot be read.
    #[error("cannot read standard input")]
    Input(#[source] io::Error),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
}

impl CliError {
    /// A value on the command line that cannot be.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over whatever a parser gave"
    )]
    pub(super) fn usage(error: impl ToString) -> Self {
        Self::Usage(error.to_string())
    }

    /// That there is no place, in the control plane's own words or in those of something in front of it.
    pub(super) fn crowded(body: Option<&ErrorBody>, after: Option<Duration>) -> Self {
        let told = body.map_or_else(
            || "too many ask the control plane at present".to_owned(),
            in_flags,
        );
        Self::Crowded { told, after }
    }

    /// The exit code for it.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::NotLoggedIn(_) => Exit::Denied,
            Self::Usage(_) => Exit::Usage,
            Self::Unreachable { .. } | Self::Protocol { .. } | Self::Crowded { .. } => Exit::Unavailable,
            Self::NotConfirmed | Self::Trust(_) | Self::File(_) | Self::Pins { .. } | Self::Input(_) => {
                Exit::Failed
            }
            Self::NotReady(_) => Exit::Conflict,
            Self::Untrusted(_) => Exit::Untrusted,
            // Whoever reads has seen enough (`| head`).
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(_) => Exit::Failed,
            Self::Refused(body) => match body.code.as_str() {
                "unauthenticated" | "forbidden" => Exit::Denied,
                "not_found"
                | "content_unavailable"
                | "history_forgotten"
                | "history_unknown"
                | "cursor_expired" => Exit::NotFound,
                "taken"
                | "no_sensor"
                | "ambiguous_reference"
                | "run_ended"
                | "out_of_date"
                | "awaiting_sealing"
                | "credential_version"
                | "no_former_credential"
                | "sensor_state"
                | "webhook_forgotten" => Exit::Conflict,
                "invalid" | "outside_patterns" | "unknown_reference" | "malformed_request"
                | "body_too_large" => Exit::Usage,
                _ => Exit::Unavailable,
            },
        }
    }

    /// The error with its reasons and what to do, each on its own line.
    pub(super) fn tell(&self) -> String {
        let mut lines = vec![format!("error: {self}")];
        let refused_chain = self.source().and_then(ChainRefused::find_in);
        if let Some(refused) = refused_chain {
            lines.push(format!("  because: {refused}"));
        } else {
            let mut source = self.source();
            while let Some(error) = source {
                lines.push(format!("  because: {error}"));
                source = error.source();
            }
        }
        lines.extend(self.advice(refused_chain.is_some()));
        let lines: Vec<_> = lines
            .iter()
            .flat_map(|text| text.lines())
            .map(|line| printable(line, LINE))
            .collect();
        lines.join("\n")
    }

    fn advice(&self, untrusted: bool) -> Vec<String> {
        match self {
            Self::Refused(body) => match body.code.as_str() {
                "unauthenticated" => vec![
                    "  the token is unknown, revoked or expired: make one with `portolan token create`, then `portolan login`"
                        .to_owned(),
                ],
                "ambiguous_reference" => candidates(body),
                "taken" => taken(body),
                "outside_patterns" => vec![format!(
                    "  `portolan registry set {} --repository PATTERN …` replaces the patterns by those that it names",
                    detail(body, "registry")
                )],
                "no_sensor" => vec![format!(
                    "  give it one that is not: `portolan registry set {} --sensor SENSOR`",
                    detail(body, "registry")
                )],
                "webhook_forgotten" => vec![format!(
                    "  `portolan webhook resume {} --skip` goes on from now",
                    detail(body, "webhook")
                )],
                "internal" | "unavailable" | "timeout" => vec![format!("  request id: {}", body.request_id)],
                _ => Vec::new(),
            },
            Self::Unreachable { .. } if untrusted => {
                vec!["  give the authority of its certificate: `portolan login URL --ca-file FILE`, or PORTOLAN_CA_FILE".to_owned()]
            }
            Self::Unreachable { .. } => {
                vec!["  check the address, and that `portolan server` runs there".to_owned()]
            }
            Self::NotLoggedIn(_)
            | Self::Usage(_)
            | Self::Protocol { .. }
            | Self::Crowded { .. }
            | Self::NotConfirmed
            | Self::NotReady(_)
            | Self::Untrusted(_)
            | Self::Pins { .. }
            | Self::Input(_)
            | Self::Trust(_)
            | Self::File(_)
            | Self::Output(_) => Vec::new(),
        }
    }
}

/// The message, with the flag in place of the API's name for the value.
fn in_flags(body: &ErrorBody) -> String {
    let field = detail(body, "field");
    let flag = FLAGS.iter().find(|(name, _)| *name == field);
    match (flag, body.message.strip_prefix(field)) {
        (Some((_, flag)), Some(rest)) => format!("{flag}{rest}"),
        _ => body.message.clone(),
    }
}

/// A detail that is a text; empty if there is none.
fn detail<'b>(body: &'b ErrorBody, name: &str) -> &'b str {
    let details = body.details.as_ref();
    details
        .and_then(|details| details[name].as_str())
        .unwrap_or_default()
}

fn taken(body: &ErrorBody) -> Vec<String> {
    match detail(body, "invitation") {
        "" => Vec::new(),
        id => vec![format!("  withdraw it: `portolan sensor invitation revoke {id}`")],
    }
}

fn candidates(body: &ErrorBody) -> Vec<String> {
    let candidates = body
        .details
        .as_ref()
        .and_then(|details| details["candidates"].as_array());
    candidates
        .into_iter()
        .flatten()
        .filter_map(|candidate| candidate.as_str())
        .map(|candidate| format!("  could be: {candidate}"))
        .collect()
}
