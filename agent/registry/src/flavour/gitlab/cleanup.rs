//! Cleanup policies that do not do what their author meant.

use portolan_shared::model::{Finding, FindingCode, RepositoryName, printable};
use regex::bytes::RegexBuilder;
use serde::Deserialize;

use super::project::project_of;
use super::rest::{Rest, closed_to};

/// Bytes of a pattern, bytes of what it compiles to, and how deep its parts may lie in each other: no judgement is passed on what has more.
const PATTERN_BYTES: usize = 1024;
const COMPILED_BYTES: usize = 1 << 20;
const NESTED: u32 = 50;

#[derive(Deserialize)]
struct Project {
    container_expiration_policy: Option<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    #[serde(default)]
    enabled: bool,
    name_regex: Option<String>,
    name_regex_delete: Option<String>,
    name_regex_keep: Option<String>,
}

/// What is wrong with the cleanup policy of the project that the repository belongs to; nothing if it is in order, off, or cannot be read.
pub(super) async fn advisories(rest: &Rest, repository: &RepositoryName) -> Vec<Finding> {
    let hint = rest.client.token_hint().await;
    if !hint.is_ok_and(|hint| closed_to(hint.as_ref()).is_none()) {
        return Vec::new();
    }
    let Some((project, policy)) = policy_of(rest, repository).await else {
        return Vec::new();
    };
    let registry = rest.client.url().reference_host();
    let found = |code, what: &str| Finding::new(code, &format!("{registry}: {project}: {what}"));
    let removes = [&policy.name_regex, &policy.name_regex_delete];
    let removes = removes.into_iter().flatten().find(|pattern| !pattern.is_empty());
    let mut findings = Vec::new();
    if removes.is_none() {
        let what = "the cleanup policy is on, and its pattern of tags to remove is empty";
        findings.push(found(FindingCode::GitLabCleanupMatchesNothing, what));
    }
    for pattern in removes.into_iter().chain(&policy.name_regex_keep) {
        if let Some(why) = fault_in(pattern) {
            let what = format!("the cleanup policy's pattern {}: {why}", printable(pattern, 80));
            findings.push(found(FindingCode::GitLabCleanupInvalid, &what));
        }
    }
    findings
}

/// The cleanup policy of the project that the repository belongs to, if that is on, and the project's path.
async fn policy_of(rest: &Rest, repository: &RepositoryName) -> Option<(String, Policy)> {
    match project_of::<Project>(rest, repository).await {
        Ok((path, project)) => {
            let policy = project.container_expiration_policy?;
            policy.enabled.then_some((path, policy))
        }
        Err(fault) => {
            tracing::debug!(%fault, %repository, "the project could not be read");
            None
        }
    }
}

/// Why GitLab cannot use this pattern; `None` if it can, as far as can be told. GitLab checks it by itself, with RE2, whose language is
/// almost ours; where they differ nothing is said.
fn fault_in(pattern: &str) -> Option<String> {
    if pattern.len() > PATTERN_BYTES {
        return None;
    }
    let compiled = RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(COMPILED_BYTES)
        .nest_limit(NESTED)
        .build();
    let Err(regex::Error::Syntax(text)) = compiled else {
        return None;
    };
    let only_ours = [
        "repetition quantifier",
        "counted repetition",
        "Unicode",
        "nested parentheses",
    ];
    let only_theirs = pattern.contains(r"\Q") || pattern.contains(r"\C") || pattern.contains(r"\p");
    if only_theirs || only_ours.iter().any(|ours| text.contains(ours)) {
        return None;
    }
    let why = text.lines().last().unwrap_or_default();
    Some(why.trim_start_matches("error: ").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_re2_would_not_take_are_named() {
        for bad in [
            "(?=x)",
            "(?!release).*",
            "(a",
            "a)",
            "[a",
            r"(a)\1",
            "*",
            "(?<=v)1",
        ] {
            assert!(fault_in(bad).is_some_and(|why| !why.is_empty()), "{bad}");
        }
        for good in [
            ".*",
            "",
            "v.+|main|release.*",
            r"\d+\.\d+",
            "(?i)DEV-.*",
            "(?P<n>x)",
            r"\Qa+b\E",
            "a{,5}",
            "a{2,1000}",
            r"\pL+",
            "[[:alpha:]]+",
        ] {
            assert_eq!(fault_in(good), None, "{good}");
        }
    }

    #[test]
    fn patterns_beyond_the_bounds_are_not_judged() {
        let unclosed = |bytes: usize| format!("({}", "a".repeat(bytes - 1));
        assert!(fault_in(&unclosed(PATTERN_BYTES)).is_some());
        assert_eq!(fault_in(&unclosed(PATTERN_BYTES + 1)), None);
        for large in [
            format!("{}a{}", "(".repeat(51), ")".repeat(51)),
            "((a{1000}){1000}){1000}".to_owned(),
        ] {
            assert_eq!(fault_in(&large), None, "{large}");
        }
    }
}
