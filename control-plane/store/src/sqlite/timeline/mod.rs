//! Backups, and what becomes of them when they are restored: `mark` says where the database is in time, `backup` takes a copy, which is a `partial`
//! file until it is whole, `replay` brings an old audit log up to what was exported of it, `end` passes over every number that may have been given
//! out, and `whose` says of a database that is not opened whose it is.

mod backup;
mod end;
mod mark;
mod partial;
mod replay;
mod traits;
mod whose;

pub use backup::back_up;
pub use whose::tenants_in;
