//! The administrator takes another line of the control plane's log for the true one.
//!
//! After a control plane was restored from a backup its log is shorter than it was, and goes on differently; after it lost its key, another one
//! signs. A sensor cannot tell that from a rewritten log, so that it refuses for ever: a person has to say which it was. What was kept until
//! then, and what was refused, is set aside and not lost.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use portolan_shared::audit::{AuditHead, ChainOwner, SignedCheckpoint};
use portolan_shared::model::TenantId;
use portolan_shared::process::FileError;
use serde_json::json;

use super::entry::Entry;
use super::folder::{FOLDER, failed};
use super::log::AuditLog;
use super::witness::{KEPT, REFUSED, read, write};

/// Digits of a hash that have to be given: fewer are not compared by anybody.
const DIGITS: usize = 12;

/// A checkpoint that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Where the log stands by it.
    pub head: AuditHead,
    /// Where the log stood by the one that was kept.
    pub instead_of: Option<AuditHead>,
    /// Where what was kept and refused until now lies.
    pub aside: Vec<PathBuf>,
}

/// Nothing was accepted, and nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// No checkpoint was refused.
    #[error("there is nothing to accept: no checkpoint of the control plane's audit log was refused")]
    Nothing,
    /// None of those that were refused has this hash.
    #[error("no refused checkpoint has that hash (give {DIGITS} digits or more); refused were: {}", list(.refused))]
    NoSuch {
        /// Those that were refused, oldest first.
        refused: Vec<AuditHead>,
    },
    /// It is no checkpoint of this tenant's log at all, whoever says so.
    #[error(
        "the checkpoint at record {seq} is not signed by the key that it names, or is of another log: it cannot be accepted"
    )]
    Forged {
        /// Its record.
        seq: u64,
    },
    /// Nothing can be recorded, and what cannot be recorded is not done.
    #[error("{0}")]
    Unrecorded(String),
    /// A file.
    #[error("the checkpoints could not be changed")]
    File(#[from] FileError),
}

fn list(heads: &[AuditHead]) -> String {
    let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
    heads.join("; ")
}

/// Takes the refused checkpoint whose hash begins with these digits for the one that the next ones must extend, and records it. No agent may
/// run on this directory meanwhile.
///
/// # Errors
/// If there is no such checkpoint, or it cannot be recorded, or a file cannot be written. It may be done again then.
pub fn accept_checkpoint(
    data_dir: &Path,
    tenant: TenantId,
    log: &AuditLog,
    hash: &str,
) -> Result<Accepted, NotAccepted> {
    let folder = data_dir.join(FOLDER);
    let (kept_file, refused_file) = (folder.join(KEPT), folder.join(REFUSED));
    let (kept, refused) = (read(&kept_file)?, read(&refused_file)?);
    let chosen = choose(&refused, tenant, &hash.to_ascii_lowercase())?.clone();
    let instead_of = kept.back().map(|kept| kept.checkpoint.head());
    let number = log.head().seq + 1;
    let aside = [KEPT, REFUSED]
        .map(|name| folder.join(name.replace(".jsonl", &format!(".until-record-{number}.jsonl"))));
    record(log, &chosen, instead_of, &aside)?;
    // In this order: whatever breaks off in between, nothing is lost, and doing it again ends it.
    let [kept_aside, refused_aside] = &aside;
    write(kept_aside, &kept)?;
    write(refused_aside, &refused)?;
    write(&kept_file, &VecDeque::from([chosen.clone()]))?;
    fs::remove_file(&refused_file).map_err(failed("remove", &refused_file))?;
    Ok(Accepted {
        head: chosen.checkpoint.head(),
        instead_of,
        aside: aside.to_vec(),
    })
}

fn choose<'r>(
    refused: &'r VecDeque<SignedCheckpoint>,
    tenant: TenantId,
    hash: &str,
) -> Result<&'r SignedCheckpoint, NotAccepted> {
    if refused.is_empty() {
        return Err(NotAccepted::Nothing);
    }
    let named = |signed: &&SignedCheckpoint| {
        hash.len() >= DIGITS && signed.checkpoint.hash.to_string().starts_with(hash)
    };
    let sound = |signed: &&SignedCheckpoint| {
        signed.checkpoint.owner == ChainOwner::Tenant(tenant) && signed.verify().is_ok()
    };
    let mut chosen = refused.iter().filter(named).peekable();
    let Some(first) = chosen.peek().map(|signed| signed.checkpoint.seq) else {
        let refused = refused.iter().map(|signed| signed.checkpoint.head());
        return Err(NotAccepted::NoSuch {
            refused: refused.collect(),
        });
    };
    chosen.rfind(sound).ok_or(NotAccepted::Forged { seq: first })
}

fn record(
    log: &AuditLog,
    chosen: &SignedCheckpoint,
    instead_of: Option<AuditHead>,
    aside: &[PathBuf],
) -> Result<(), NotAccepted> {
    let details = json!({
        "accepted": chosen,
        "instead_of": instead_of,
        "aside": aside.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
    });
    let object = format!("checkpoint:{}", chosen.checkpoint.seq);
    log.append(Entry {
        actor: "administrator",
        ..Entry::by_agent("checkpoint.accepted", object, details)
    });
    log.sync_now();
    log.fault()
        .map_or(Ok(()), |fault| Err(NotAccepted::Unrecorded(fault)))
}
