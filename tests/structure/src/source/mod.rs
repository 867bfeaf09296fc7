//! A Rust file, taken apart as far as these tests need it: no grammar, only tokens, paths and items.

mod scan;
mod text;

#[cfg(test)]
mod tests;

pub use text::Source;
