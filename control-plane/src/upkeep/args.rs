//! Flags.

use std::path::PathBuf;

/// Flags of `portolan backup`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
The server may run meanwhile, and nobody waits. The copy is of one moment. It holds no key: `ca/`, `pepper` and `audit.key` of the data folder are
made once and never change; keep them somewhere else, as safe as a password. Without them a backup cannot be used.

After each backup, or more often, keep what `portolan audit export` writes, on another machine: with it a restore shuts out again whoever was shut
out since the backup.

Example:
  portolan backup --data-dir /var/lib/portolan /var/backups/portolan-monday.db

Exit codes:
   0  the copy is whole and on the disk
   1  there is none; why is told
   2  the command line is not acceptable")]
pub struct BackupArgs {
    /// Folder of the control plane
    #[arg(long, env = "PORTOLAN_DATA_DIR", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Where the copy goes; there must be no such file
    pub file: PathBuf,
}

/// Flags of `portolan restore`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
The server must not run. It does not start on a backup, or on a database that is older than what it wrote before, until this was done. What it does:
session numbers, attempts and positions in the change feed that were given out since the backup are passed over; whoever the exported audit log says
was shut out since is shut out again; and for a while each sensor may come once with a state that is younger than the backup, if it proves its
identity key. It can be interrupted and done again.

Examples:
  portolan restore --data-dir /var/lib/portolan --from /var/backups/portolan-monday.db --audit default.jsonl
  portolan restore --data-dir /var/lib/portolan --no-audit     # the whole machine was set back, and nothing was exported

Exit codes:
   0  restored; the server can be started
   1  not restored; why is told
   2  the command line is not acceptable")]
pub struct RestoreArgs {
    /// Folder of the control plane
    #[arg(long, env = "PORTOLAN_DATA_DIR", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// The backup; the database that is there is set aside. Without this the database that is there is taken for an old state
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,

    /// What `portolan audit export` wrote of a tenant's audit log after the backup was taken. Once for each tenant
    #[arg(long, value_name = "FILE")]
    pub audit: Vec<PathBuf>,

    /// Go on without the audit log of a tenant: who was shut out since the backup is let in again
    #[arg(long)]
    pub no_audit: bool,

    /// Hours for which each sensor may come once with a state that is not known here, 1 to 720
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=720))]
    pub amnesty: u16,
}
