//! Which names are wanted: globs and regular expressions, to take in and to leave out.

use globset::{Glob, GlobSet, GlobSetBuilder};
use regex::bytes::{RegexBuilder, RegexSet, RegexSetBuilder};

use super::limits;
use super::names::RepositoryName;

/// A list of patterns that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// One of them is malformed.
    #[error("not a pattern: {0}")]
    Syntax(String),
    /// There are more than a registry may have.
    #[error("more than {} patterns", limits::NAME_PATTERNS)]
    TooMany,
    /// Compiled, they would need too much memory.
    #[error("the regular expressions are too large together")]
    TooLarge,
    /// Those of one registry have more bytes than it may have.
    #[error("the patterns have more than {} bytes together", limits::PATTERNS_BYTES)]
    TooManyBytes,
}

/// Patterns of names. Each is a glob, where `*` stays within a path component and `**` crosses them, or `re:` and a regular expression
/// that has to match the whole name. With `!` in front, names that match are left out, whatever else takes them in. If nothing takes in,
/// everything is wanted that is not left out.
#[derive(Debug, Clone)]
pub struct NamePatterns {
    texts: Vec<String>,
    wanted: Side,
    left_out: Side,
}

/// Bytes that the regular expressions of one side may need once they are compiled: refused beyond.
const COMPILED_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Clone)]
struct Side {
    globs: GlobSet,
    expressions: RegexSet,
}

impl Side {
    fn is_empty(&self) -> bool {
        self.globs.is_empty() && self.expressions.is_empty()
    }

    fn is_match(&self, name: &str) -> bool {
        self.globs.is_match(name) || self.expressions.is_match(name.as_bytes())
    }
}

#[derive(Default)]
struct SideBuilder {
    globs: Vec<Glob>,
    expressions: Vec<String>,
}

impl SideBuilder {
    fn add(&mut self, pattern: &str) -> Result<(), PatternError> {
        if let Some(expression) = pattern.strip_prefix("re:") {
            // Alone first: in a group, a broken one could close the group and go on. And the error then names this one.
            let alone = RegexBuilder::new(expression)
                .unicode(false)
                .size_limit(COMPILED_BYTES)
                .build();
            alone.map_err(|error| syntax(expression, &error))?;
            self.expressions.push(format!(r"\A(?:{expression})\z"));
            return Ok(());
        }
        let glob = globset::GlobBuilder::new(pattern).literal_separator(true).build();
        self.globs
            .push(glob.map_err(|error| PatternError::Syntax(error.to_string()))?);
        Ok(())
    }

    fn build(self) -> Result<Side, PatternError> {
        let mut globs = GlobSetBuilder::new();
        for glob in self.globs {
            globs.add(glob);
        }
        let expressions = RegexSetBuilder::new(self.expressions)
            .unicode(false)
            .size_limit(COMPILED_BYTES)
            .build();
        Ok(Side {
            globs: globs
                .build()
                .map_err(|error| PatternError::Syntax(error.to_string()))?,
            expressions: expressions.map_err(|_| PatternError::TooLarge)?,
        })
    }
}

fn syntax(expression: &str, error: &regex::Error) -> PatternError {
    match error {
        regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
        // The library draws the expression in several lines; the last one says what is wrong.
        _ => {
            let text = error.to_string();
            let why = text
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .trim()
                .to_owned();
            PatternError::Syntax(format!("re:{expression}: {why}"))
        }
    }
}

impl NamePatterns {
    /// Compiles the patterns.
    pub fn new(texts: Vec<String>) -> Result<Self, PatternError> {
        if texts.len() > limits::NAME_PATTERNS {
            return Err(PatternError::TooMany);
        }
        let (mut wanted, mut left_out) = (SideBuilder::default(), SideBuilder::default());
        for text in &texts {
            let (side, pattern) = match text.strip_prefix('!') {
                Some(pattern) => (&mut left_out, pattern),
                None => (&mut wanted, text.as_str()),
            };
            if pattern.is_empty() || pattern == "re:" || text.len() > limits::NAME_PATTERN_BYTES {
                let bound = limits::NAME_PATTERN_BYTES;
                return Err(PatternError::Syntax(format!(
                    "{text:?} must have 1 to {bound} bytes"
                )));
            }
            side.add(pattern)?;
        }
        Ok(Self {
            wanted: wanted.build()?,
            left_out: left_out.build()?,
            texts,
        })
    }

    /// Whether this name is wanted.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        (self.wanted.is_empty() || self.wanted.is_match(name)) && !self.left_out.is_match(name)
    }

    /// Whether every name is wanted.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.texts.is_empty()
    }

    /// The patterns as they were given.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.texts
    }

    /// Bytes of all patterns.
    fn bytes(&self) -> usize {
        self.texts.iter().map(String::len).sum()
    }

    /// Whether these fit into one registry together with `others`.
    pub fn check_beside(&self, others: &Self) -> Result<(), PatternError> {
        if self.bytes() + others.bytes() > limits::PATTERNS_BYTES {
            return Err(PatternError::TooManyBytes);
        }
        Ok(())
    }

    /// Those that take in, if each is a name without any wildcard.
    fn explicit(&self) -> Option<Vec<&str>> {
        let wild =
            |text: &str| text.contains(['*', '?', '[', ']', '{', '}', '\\']) || text.starts_with("re:");
        let taking_in: Vec<&str> = self
            .texts
            .iter()
            .map(String::as_str)
            .filter(|text| !text.starts_with('!'))
            .collect();
        (!taking_in.is_empty() && !taking_in.iter().any(|text| wild(text))).then_some(taking_in)
    }
}

impl Default for NamePatterns {
    /// Everything.
    fn default() -> Self {
        let nothing = || Side {
            globs: GlobSet::empty(),
            expressions: RegexSet::empty(),
        };
        Self {
            texts: Vec::new(),
            wanted: nothing(),
            left_out: nothing(),
        }
    }
}

impl PartialEq for NamePatterns {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl Eq for NamePatterns {}

/// Which repositories of a registry are wanted ([`NamePatterns`]).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RepositoryPatterns(NamePatterns);

impl RepositoryPatterns {
    /// Compiles the patterns.
    pub fn new(texts: Vec<String>) -> Result<Self, PatternError> {
        NamePatterns::new(texts).map(Self)
    }

    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether `repository` is wanted.
    #[must_use]
    pub fn matches(&self, repository: &RepositoryName) -> bool {
        self.0.matches(repository.as_str())
    }

    /// The repositories that are named without any wildcard and not left out, if every pattern that takes in is such a name: then nothing
    /// needs to be discovered.
    #[must_use]
    pub fn explicit(&self) -> Option<Vec<RepositoryName>> {
        let names: Option<Vec<RepositoryName>> = self
            .0
            .explicit()?
            .into_iter()
            .map(|name| name.parse().ok())
            .collect();
        names.map(|mut names| {
            names.retain(|name| self.matches(name));
            names
        })
    }

    /// The patterns as they were given.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        self.0.as_slice()
    }

    /// The patterns themselves.
    #[must_use]
    pub fn names(&self) -> &NamePatterns {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn patterns(texts: &[&str]) -> RepositoryPatterns {
        RepositoryPatterns::new(texts.iter().map(ToString::to_string).collect()).unwrap()
    }

    fn name(text: &str) -> RepositoryName {
        text.parse().unwrap()
    }

    #[test]
    fn globs_stay_within_components_and_know_when_they_are_explicit() {
        let globs = patterns(&["acme/*", "tools/**"]);
        assert!(globs.matches(&name("acme/shop")));
        assert!(!globs.matches(&name("acme/shop/api")));
        assert!(globs.matches(&name("tools/a/b/c")));
        assert_eq!(globs.explicit(), None);
        assert_eq!(
            patterns(&["acme/shop", "acme/api"]).explicit(),
            Some(vec![name("acme/shop"), name("acme/api")])
        );
        assert!(RepositoryPatterns::all().matches(&name("anything")));
        assert_eq!(RepositoryPatterns::all().explicit(), None);
    }

    #[test]
    fn what_leaves_out_beats_what_takes_in() {
        let mixed = patterns(&["acme/**", "!acme/tmp-*", "!re:.*/scratch"]);
        assert!(mixed.matches(&name("acme/shop")));
        assert!(!mixed.matches(&name("acme/tmp-1")));
        assert!(!mixed.matches(&name("acme/a/scratch")));
        assert!(
            mixed.matches(&name("acme/a/scratchpad")),
            "the whole name has to match"
        );
        assert!(!mixed.matches(&name("other")));
        let only_out = patterns(&["!acme/**"]);
        assert!(only_out.matches(&name("other")) && !only_out.matches(&name("acme/shop")));
        assert_eq!(only_out.explicit(), None);
        assert_eq!(
            patterns(&["acme/shop", "acme/api", "!*/api"]).explicit(),
            Some(vec![name("acme/shop")])
        );
    }

    #[test]
    fn expressions_match_the_whole_name_even_with_an_alternation() {
        let either = patterns(&["re:acme|tools/.+"]);
        assert!(either.matches(&name("acme")) && either.matches(&name("tools/x")));
        assert!(!either.matches(&name("acme/shop")) && !either.matches(&name("my/tools/x")));
        assert_eq!(either.explicit(), None);
    }

    #[test]
    fn bad_patterns_are_named_and_bounds_hold() {
        let of = |text: String| RepositoryPatterns::new(vec![text]);
        let broken = of("re:a)|(b".into()).unwrap_err().to_string();
        assert!(broken.contains("re:a)|(b") && !broken.contains('\n'), "{broken}");
        for bad in ["", "!", "re:", "!re:", "a[", "re:[", "re:(?=x)"] {
            assert!(of(bad.into()).is_err(), "{bad:?}");
        }
        assert!(of("a".repeat(limits::NAME_PATTERN_BYTES)).is_ok());
        assert!(of("a".repeat(limits::NAME_PATTERN_BYTES + 1)).is_err());
        assert!(RepositoryPatterns::new(vec!["a".into(); limits::NAME_PATTERNS]).is_ok());
        assert_eq!(
            RepositoryPatterns::new(vec!["a".into(); limits::NAME_PATTERNS + 1]),
            Err(PatternError::TooMany)
        );
        let heavy = vec![r"re:((\w{50}){50}){10}".to_owned(); 20];
        assert_eq!(RepositoryPatterns::new(heavy), Err(PatternError::TooLarge));
    }

    proptest! {
        #[test]
        fn no_input_panics(text in "\\PC{0,300}") {
            let _ = RepositoryPatterns::new(vec![text.clone()]);
            let _ = RepositoryPatterns::new(vec![format!("re:{text}")]);
        }
    }
}
