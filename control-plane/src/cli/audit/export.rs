//! `portolan audit export`

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;

use portolan_shared::audit::AuditHead;
use portolan_shared::process::FileError;

use super::command::ExportArgs;
use super::export_file::{End, ExportLine, FORM, Start};
use super::walk::{bar, head, walk};
use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;

pub(super) async fn export(desk: Desk<'_>, args: ExportArgs) -> Result<Exit, CliError> {
    let known = head(&desk.client).await?;
    let bar = bar(desk.terminal, known.seq);
    let mut file = match &args.file {
        Some(path) => {
            let opened = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(path);
            let opened = opened.map_err(|source| FileError::Io {
                action: "create",
                path: path.clone(),
                source,
            })?;
            Some(BufWriter::new(opened))
        }
        None => None,
    };
    let out: &mut dyn Write = match &mut file {
        Some(file) => file,
        None => &mut desk.terminal.out,
    };
    let start = Start {
        portolan_audit: FORM,
        tenant: known.tenant.clone(),
    };
    ExportLine::Start(start).write(out)?;
    let mut end: AuditHead = known.head();
    let mut records = 0_u64;
    walk(&desk.client, &bar, |link| {
        // The log may have grown since its head was asked for.
        if link.seq > end.seq {
            end = AuditHead {
                seq: link.seq,
                hash: link.hash,
            };
        }
        records += 1;
        ExportLine::Record(link).write(out)
    })
    .await?;
    let last = End {
        seq: end.seq,
        hash: end.hash,
    };
    ExportLine::End(last).write(out)?;
    out.flush()?;
    bar.finish_and_clear();
    writeln!(desk.terminal.err, "{records} records were exported")?;
    Ok(Exit::Done)
}
