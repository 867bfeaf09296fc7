//! The sessions of this process: `live` is one, with what can be told to it and what its sensor works on; `all` all of them, and when
//! they were last heard of.

mod all;
mod live;

#[cfg(test)]
mod tests;

pub use all::Sessions;
pub use live::{LiveSession, Presence, SessionCommand};
