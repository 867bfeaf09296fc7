#![doc = include_str!("../README.md")]

mod source;
mod tree;
mod workspace;

pub use source::Source;
pub use tree::{File, Tree};
pub use workspace::{Dependency, DependencyKind, Member, Workspace};
