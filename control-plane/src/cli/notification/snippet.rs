//! Something to be written somewhere.

/// A piece of settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snippet {
    /// Where it belongs, and what to do with it.
    pub(super) place: String,
    /// What to write there.
    pub(super) text: String,
}

/// Where notifications go, and what has to be shown there.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    /// The address, without the secret.
    pub(super) url: &'a str,
    /// The secret.
    pub(super) secret: &'a str,
}
