//! The commands that read the audit log of this machine. None of them asks anybody, or needs the agent to run.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use data_encoding::HEXLOWER;
use jiff::{SignedDuration, Timestamp};
use portolan_shared::model::printable;
use portolan_shared::process::{Clock as _, SystemClock};
use serde_json::json;

use super::accept::{AcceptArguments, accept};
use super::arguments::Output;
use super::exit::{DONE, FAILED, Failed, REFUSED, USAGE, say};
use crate::audit::{AuditFile, FOLDER, Read, VerifyError, files_in, verify_files};
use crate::keyring::{Enrolment, Keyring, StateDir};
use crate::settings::Settings;

/// Longest text of one field on a terminal, in bytes; it is cut above.
const FIELD: usize = 4_096;

const VERIFY_HELP: &str = "Examples:\n  \
    portolan-agent audit verify\n  \
    portolan-agent audit verify copy/audit.1.jsonl copy/audit.jsonl\n\n\
    Exit codes: 0 every record is what it was, 1 a file cannot be read, 2 a record is not what it\n\
    was, 64 wrong usage or no log.\n\n\
    A last line without an end is no fault: it is being written while the agent runs, or a crash\n\
    has torn it and the next start removes it.";

/// What can be done with the log.
#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Recompute the log, and name the first record that is not what it was; exits 2 if there is one
    #[command(after_help = VERIFY_HELP)]
    Verify {
        /// Files of the log, oldest first [default: those in the data directory]
        files: Vec<PathBuf>,
    },
    /// Show what this sensor did, oldest first
    Show(ShowArguments),
    /// Take a refused checkpoint of the control plane's audit log for the true one, as after a restore of the control plane
    AcceptCheckpoint(AcceptArguments),
}

#[derive(Args)]
pub(super) struct ShowArguments {
    /// Only from this time on: a time such as 2027-01-15T08:00:00Z, or how long ago, such as 90m, 24h or 7d
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(super) since: Option<Since>,
    /// How to show it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(super) output: Output,
}

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    Time(Timestamp),
    Ago(SignedDuration),
}

impl Since {
    pub(super) fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Time(time) => time,
            Self::Ago(ago) => now.saturating_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(time) = text.parse() {
        return Ok(Since::Time(time));
    }
    let split = text.len() - text.chars().next_back().map_or(0, char::len_utf8);
    let (count, unit) = text.split_at(split);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 0,
    };
    count
        .parse::<u32>()
        .ok()
        .filter(|_| seconds > 0)
        .map(|count| Since::Ago(SignedDuration::from_secs(i64::from(count) * seconds)))
        .ok_or_else(|| "expected a time such as 2027-01-15T08:00:00Z, or 90m, 24h, 7d".to_owned())
}

pub(super) fn audit(command: AuditCommand, settings: &Settings) -> Result<u8, Failed> {
    match command {
        AuditCommand::Verify { files } => verify(files, settings),
        AuditCommand::Show(arguments) => show(&arguments, settings),
        AuditCommand::AcceptCheckpoint(arguments) => accept(&arguments, settings),
    }
}

fn verify(files: Vec<PathBuf>, settings: &Settings) -> Result<u8, Failed> {
    let own = files.is_empty();
    let files: Vec<AuditFile> = if own {
        log_files(settings)?
    } else {
        files.into_iter().map(AuditFile).collect()
    };
    // Files that were brought from elsewhere are verified by what they say of themselves; those that lie here by who this sensor is.
    let enrolled = if own {
        let enrolment = Keyring::enrolment_in(&StateDir::for_looking(&settings.data_dir));
        match enrolment.map_err(|error| Failed::because(FAILED, &error))? {
            Some(Enrolment::Enrolled(enrolled)) => Some(enrolled),
            Some(Enrolment::Revoked(revoked)) => Some(revoked.was),
            Some(Enrolment::PendingEnrol(_)) | None => None,
        }
    } else {
        None
    };
    let key = enrolled
        .as_ref()
        .and_then(|enrolled| HEXLOWER.decode(enrolled.identity.as_bytes()).ok());
    let who = enrolled
        .as_ref()
        .zip(key.as_deref())
        .map(|(enrolled, key)| (enrolled.sensor, key));
    match verify_files(&files, who) {
        Ok(verified) => {
            say(&format!(
                "The audit log is what it was: records {} to {}, {} signed checkpoints, the last record with hash {}. \
                 Signed up to record {}: what stands behind it can be verified once it is signed too.",
                verified.first, verified.head.seq, verified.checkpoints, verified.head.hash, verified.signed
            ))?;
            if verified.unended > 0 {
                say(&format!(
                    "Behind it {} bytes of a line without an end: it is still being written; or, if no agent runs here, a crash has torn it, and \
                     the next start removes it and records that.",
                    verified.unended
                ))?;
            }
            if who.is_none() {
                say(
                    "Whose log it is was not verified: checkpoints were taken as signed by the keys that they name.",
                )?;
            }
            Ok(DONE)
        }
        Err(error @ (VerifyError::Io { .. } | VerifyError::Empty)) => Err(Failed::because(FAILED, &error)),
        Err(error) => {
            say(&format!("The audit log is not what it was. {error}."))?;
            Ok(REFUSED)
        }
    }
}

fn show(arguments: &ShowArguments, settings: &Settings) -> Result<u8, Failed> {
    let from = arguments
        .since
        .map(|since| since.at(SystemClock.now()).as_millisecond());
    let mut out = io::stdout().lock();
    for file in log_files(settings)? {
        let lines = file.lines().map_err(|error| unreadable(&file.0, &error))?;
        for line in lines {
            let line = line.map_err(|error| unreadable(&file.0, &error))?;
            let text = match (&line, arguments.output) {
                (Read::Record(linked), _) if from.is_some_and(|from| linked.record.at_ms < from) => continue,
                (Read::Record(linked), Output::Json) => {
                    serde_json::to_string(linked).map_err(|error| Failed::because(FAILED, &error))?
                }
                (Read::Record(linked), Output::Text) => {
                    let record = &linked.record;
                    let at = Timestamp::from_millisecond(record.at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
                    let texts = [
                        &record.outcome,
                        &record.actor,
                        &record.action,
                        &record.object,
                        &record.details,
                    ];
                    let texts = texts.map(|text| printable(text, FIELD)).join(" ");
                    format!("{} {} {texts}", record.seq, at.strftime("%Y-%m-%d %H:%M:%SZ"))
                }
                // Still being written, or torn by a crash.
                (Read::Rubbish { whole: false, .. }, _) => continue,
                (Read::Rubbish { bytes, .. }, Output::Json) => {
                    json!({"unreadable_bytes": bytes.len()}).to_string()
                }
                (Read::Rubbish { bytes, .. }, Output::Text) => {
                    format!(
                        "? {} bytes that are no record: see `portolan-agent audit verify`",
                        bytes.len()
                    )
                }
            };
            if writeln!(out, "{text}").is_err() {
                // Whoever reads has seen enough.
                return Ok(DONE);
            }
        }
    }
    Ok(DONE)
}

fn log_files(settings: &Settings) -> Result<Vec<AuditFile>, Failed> {
    let files = files_in(&settings.data_dir.join(FOLDER));
    if files.is_empty() {
        let folder = settings.data_dir.join(FOLDER);
        return Err(Failed(
            USAGE,
            format!("there is no audit log in {}", folder.display()),
        ));
    }
    Ok(files)
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Failed {
    Failed(FAILED, format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_points_or_spans() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let at = |text: &str| since(text).map(|since| since.at(now).as_second());
        assert_eq!(at("90m"), Ok(1_800_000_000 - 5_400));
        assert_eq!(at("7d"), Ok(1_800_000_000 - 604_800));
        assert_eq!(at("2027-01-15T07:00:00Z"), Ok(1_800_000_000 - 3_600));
        for wrong in ["", "d", "-1h", "1y", "yesterday", "1\u{fc}"] {
            assert!(since(wrong).is_err(), "{wrong:?}");
        }
    }
}
