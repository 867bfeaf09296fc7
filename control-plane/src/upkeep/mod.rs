//! `portolan backup` and `portolan restore`: what is done to a data folder on its own machine, not over the API.
//!
//! `args` are the flags; `backup` takes a copy of the database while the server runs; `restore` puts one in its place while it does not. For that,
//! `exported` reads what `portolan audit export` wrote, `replay` brings the database's own log up to it, `redo` knows which records shut somebody
//! out and which are for people to do again, `place` handles the files, and `report` tells what was done. What an old state of a database is a danger to, and what is done about it, says `portolan-store` in
//! `timeline`; that the server does not start on one, `wiring/data_dir`.

mod args;
mod backup;
mod error;
mod exported;
mod place;
mod redo;
mod replay;
mod report;
mod restore;

pub use args::{BackupArgs, RestoreArgs};
pub use backup::{Backup, back_up};
pub use error::UpkeepError;
pub use report::{LISTED, RecordList, RestoredLog};
pub use restore::{Restored, restore};
