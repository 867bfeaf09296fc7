//! `portolan audit verify`

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::Path;

use data_encoding::BASE64;
use portolan_shared::audit::{
    AuditHead, ChainFault, ChainOwner, ChainVerifier, LinkedRecord, SignedCheckpoint,
};
use portolan_shared::model::TenantId;
use portolan_shared::process::{FileError, read_bounded, write_atomically};

use super::command::VerifyArgs;
use super::export_file::{self, ExportLine, FORM, Read};
use super::walk::{bar, head, walk};
use crate::cli::client::Client;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::{Exit, Terminal};
use crate::web::api::audit::{AuditCheckpoint, AuditLogHead};

/// Largest file with checkpoints, in bytes: refused above. As large as the one that a sensor keeps may become.
const CHECKPOINT_FILE: u64 = 2 * 1024 * 1024;
/// Checkpoints that are asked for at most: as many as a control plane keeps.
const CHECKPOINTS: usize = 10_000;

/// The log of the control plane.
pub(super) async fn control_plane(desk: Desk<'_>, args: &VerifyArgs) -> Result<Exit, CliError> {
    let client = &desk.client;
    let known = head(client).await?;
    let tenant = tenant(&known.tenant).ok_or_else(|| client.odd("a head of no tenant".to_owned()))?;
    let Saved { mut verifier, key } = start(tenant, args)?;
    verifier = verifier.through(known.head());
    let says = key_of(&known).map_err(|()| client.odd("a key that is none".to_owned()))?;
    if let (Some(key), Some(says)) = (&key, &says)
        && key != says
    {
        return tampered(
            desk.terminal,
            tenant,
            "its checkpoints are signed by another key than the one that was saved",
        );
    }
    let key = key.or(says);
    for checkpoint in checkpoints(client).await? {
        let seq = checkpoint.seq;
        let own = checkpoint.signed().filter(|signed| {
            signed.checkpoint.owner == ChainOwner::Tenant(tenant)
                && signed.verify().is_ok()
                && key.as_ref().is_none_or(|key| *key == signed.key)
        });
        let Some(signed) = own else {
            let why = format!("the checkpoint at record {seq} is not signed by this control plane's key");
            return tampered(desk.terminal, tenant, &why);
        };
        verifier = verifier.through(signed.checkpoint.head());
    }
    let bar = bar(desk.terminal, known.seq);
    walk(client, &bar, |link| {
        verifier.push(&LinkedRecord::from(link));
        Ok(())
    })
    .await?;
    bar.finish_and_clear();
    tell(desk.terminal, tenant, verifier, key.as_deref(), args)
}

/// An export, without asking anybody.
pub(super) fn export(terminal: &mut Terminal, path: &Path, args: &VerifyArgs) -> Result<Exit, CliError> {
    let file = File::open(path).map_err(|source| FileError::Io {
        action: "open",
        path: path.to_owned(),
        source,
    })?;
    let mut input = BufReader::new(file);
    let tenant = match export_file::next(&mut input)? {
        Read::Line(ExportLine::Start(start)) if start.portolan_audit == FORM => tenant(&start.tenant),
        _ => None,
    };
    let tenant = tenant.ok_or_else(|| {
        CliError::Usage(format!(
            "{} is not an audit log that this release exports",
            path.display()
        ))
    })?;
    let Saved { mut verifier, key } = start(tenant, args)?;
    let mut ended = false;
    let mut number = 2;
    // Its first line said that it is an export: a line that cannot be read is not one of somebody's mistakes on the command line.
    loop {
        let wrong = match export_file::next(&mut input)? {
            Read::End => break,
            Read::Line(ExportLine::Record(link)) if !ended => {
                verifier.push(&LinkedRecord::from(link));
                None
            }
            Read::Line(ExportLine::End(end)) if !ended => {
                verifier = verifier.through(AuditHead {
                    seq: end.seq,
                    hash: end.hash,
                });
                ended = true;
                None
            }
            Read::Line(_) => Some("does not belong there"),
            Read::Damaged => Some("is not a line of an exported audit log"),
        };
        if let Some(wrong) = wrong {
            if verifier.is_bad() {
                // What is wrong before it tells more.
                break;
            }
            return tampered(terminal, tenant, &format!("line {number} of the export {wrong}"));
        }
        number += 1;
    }
    if !ended && !verifier.is_bad() {
        let next = verifier.head().seq + 1;
        writeln!(
            terminal.out,
            "The export of tenant {tenant} is cut off: it has no last line, and its records end before record {next}."
        )?;
        return Ok(Exit::Tampered);
    }
    tell(terminal, tenant, verifier, key.as_deref(), args)
}

/// What is known from earlier.
struct Saved {
    verifier: ChainVerifier,
    /// The key that signs checkpoints.
    key: Option<Vec<u8>>,
}

/// A verifier that knows what was saved earlier.
fn start(tenant: TenantId, args: &VerifyArgs) -> Result<Saved, CliError> {
    let mut known = Saved {
        verifier: ChainVerifier::new(ChainOwner::Tenant(tenant)),
        key: None,
    };
    for path in &args.checkpoint {
        let wrong = |what: &str| CliError::Usage(format!("{}: {what}", path.display()));
        let bytes = read_bounded(path, CHECKPOINT_FILE)?.ok_or_else(|| wrong("there is no such file"))?;
        let text = str::from_utf8(&bytes).map_err(|_| wrong("not a checkpoint of an audit log"))?;
        let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
        if lines.peek().is_none() {
            return Err(wrong("there is no checkpoint in it"));
        }
        for line in lines {
            let (head, key) = saved(line, tenant).map_err(wrong)?;
            if let (Some(known), Some(key)) = (&known.key, &key)
                && known != key
            {
                return Err(wrong("its checkpoints are of several keys"));
            }
            known.verifier = known.verifier.through(head);
            known.key = known.key.or(key);
        }
    }
    Ok(known)
}

/// The members of what `--save` writes.
const HEAD: [&str; 4] = ["tenant", "seq", "hash", "key"];

/// One line: what `--save` wrote, or a checkpoint as the API gives it or as a sensor keeps it; of these two the signature must fit.
fn saved(line: &str, owner: TenantId) -> Result<(AuditHead, Option<Vec<u8>>), &'static str> {
    const UNSIGNED: &str = "the signature does not fit the checkpoint";
    const FOREIGN: &str = "the checkpoint is of another tenant's log";
    const NONE: &str = "not a checkpoint of an audit log";
    let value: serde_json::Value = serde_json::from_str(line).map_err(|_| NONE)?;
    let members = value.as_object().ok_or(NONE)?;
    // Only checkpoints have one of these. One that has lost others is not taken for a head, which nobody has signed.
    let is_signed = ["signature", "at_ms"]
        .iter()
        .any(|member| members.contains_key(*member));
    let signed: SignedCheckpoint = if members.contains_key("owner") {
        serde_json::from_value(value).map_err(|_| UNSIGNED)?
    } else if is_signed {
        let view: AuditCheckpoint = serde_json::from_value(value).map_err(|_| UNSIGNED)?;
        view.signed().ok_or(UNSIGNED)?
    } else {
        let is_head = members.keys().all(|member| HEAD.contains(&member.as_str()));
        let head: AuditLogHead = serde_json::from_value(value).map_err(|_| NONE)?;
        if !is_head {
            return Err(NONE);
        }
        if tenant(&head.tenant) != Some(owner) {
            return Err(FOREIGN);
        }
        return Ok((head.head(), key_of(&head).map_err(|()| NONE)?));
    };
    if signed.checkpoint.owner != ChainOwner::Tenant(owner) {
        return Err(FOREIGN);
    }
    signed.verify().map_err(|_| UNSIGNED)?;
    Ok((signed.checkpoint.head(), Some(signed.key)))
}

/// The key that comes with a head, if one does.
fn key_of(head: &AuditLogHead) -> Result<Option<Vec<u8>>, ()> {
    let key = head.key.as_ref().map(|key| BASE64.decode(key.as_bytes()));
    key.transpose().map_err(|_| ())
}

/// The checkpoints that the control plane keeps. They say nothing against the control plane, but against whoever changed its database alone: the
/// key is not in there.
async fn checkpoints(client: &Client) -> Result<Vec<AuditCheckpoint>, CliError> {
    let listing = client.list(&["audit", "checkpoints"], &[], CHECKPOINTS).await?;
    listing.items.iter().map(|item| client.view(item)).collect()
}

fn tampered(terminal: &mut Terminal, tenant: TenantId, why: &str) -> Result<Exit, CliError> {
    writeln!(
        terminal.out,
        "The audit log of tenant {tenant} is not what it was: {why}."
    )?;
    Ok(Exit::Tampered)
}

fn tell(
    terminal: &mut Terminal,
    tenant: TenantId,
    verifier: ChainVerifier,
    key: Option<&[u8]>,
    args: &VerifyArgs,
) -> Result<Exit, CliError> {
    let records = verifier.records();
    match verifier.finish() {
        Ok(head) => {
            writeln!(
                terminal.out,
                "The audit log of tenant {tenant} is what it was: {records} records, the last with hash {}.",
                head.hash
            )?;
            if let Some(path) = &args.save {
                let view = AuditLogHead::of(tenant, &head, key);
                let text = serde_json::to_string(&view).map_err(|error| CliError::Output(error.into()))?;
                write_atomically(path, format!("{text}\n").as_bytes())?;
            }
            Ok(Exit::Done)
        }
        Err(ChainFault { seq, kind }) => tampered(terminal, tenant, &format!("record {seq} {kind}")),
    }
}

fn tenant(text: &str) -> Option<TenantId> {
    text.parse().ok()
}
