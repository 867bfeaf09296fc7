//! Backups, and what becomes of them when they are restored: `mark` says where the database is in time, `backup` takes a copy, `replay` brings
//! an old audit log up to what was exported of it, `end` passes over every number that may have been given out.

mod backup;
mod end;
mod mark;
mod replay;
mod traits;

pub use backup::back_up;
