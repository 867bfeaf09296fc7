//! Rendering: tables for people, JSON and YAML for programs, coverage in words.
//!
//! Names, labels and the like come from registries: everything that goes to a terminal goes through
//! [`printable`](portolan_shared::model::printable), so that none of it can move a cursor.

mod coverage;
mod format;
mod moment;
mod table;
mod yaml;

pub(super) use coverage::{Lines, account};
pub(super) use format::{DigestArgs, Format, ListArgs, ShowArgs};
pub(super) use format::{print_items, print_one, print_text};
pub(super) use moment::{age, ago, bytes, moment, span};
pub(super) use table::{Sheet, Table, short};
pub(super) use yaml::to_yaml;
