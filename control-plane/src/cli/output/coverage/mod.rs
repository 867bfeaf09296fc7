//! What a run saw and could not see, in words.

mod account;
#[cfg(test)]
mod tests;

pub(in crate::cli) use account::{Lines, account};
