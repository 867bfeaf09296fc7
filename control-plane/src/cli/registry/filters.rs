//! Which repositories and tags are wanted, as flags.

use std::num::NonZeroU32;

/// What patterns are, for the help of commands that take some.
macro_rules! patterns_help {
    () => {
        "\
Patterns of repositories and tags:
  acme/*        a glob: '*' stays within a path component
  acme/**       '**' crosses components
  re:v[0-9.]+   a regular expression; it has to match the whole name
  !acme/tmp-*   with '!' in front: left out, whatever else takes it in
Without any pattern that takes in, everything is wanted that is not left out. A tag has to pass its patterns,
--newest-tags and --max-tag-age; one of which the registry does not say when it was pushed is kept."
    };
}
pub(super) use patterns_help;

/// Which repositories and tags are wanted.
#[derive(Debug, clap::Args)]
pub(super) struct FilterArgs {
    /// Only repositories that match; give several, see below
    #[arg(long, value_name = "PATTERN")]
    pub(super) repository: Vec<String>,
    /// Only tags that match; give several, see below
    #[arg(long, value_name = "PATTERN")]
    pub(super) tag: Vec<String>,
    /// Only so many tags of each repository, those that were pushed last
    #[arg(long, value_name = "N")]
    pub(super) newest_tags: Option<NonZeroU32>,
    /// Only tags that were pushed within so many days, such as 90d
    #[arg(long, value_name = "DAYS", value_parser = days)]
    pub(super) max_tag_age: Option<NonZeroU32>,
}

/// Days: a number, or one with `d` behind.
fn days(text: &str) -> Result<NonZeroU32, String> {
    let number = text.strip_suffix('d').unwrap_or(text);
    number
        .parse()
        .map_err(|_| "expected a number of days, such as 90d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_come_with_their_unit_or_without() {
        assert_eq!(days("30d"), Ok(NonZeroU32::new(30).unwrap()));
        assert_eq!(days("7"), Ok(NonZeroU32::new(7).unwrap()));
        for bad in ["", "d", "0", "0d", "-1", "3w", "1.5d", "30dd"] {
            assert!(days(bad).is_err(), "{bad}");
        }
    }
}
