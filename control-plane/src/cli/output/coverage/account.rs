//! The account of a run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use portolan_shared::model::limits::FILTERED_NAMED;
use portolan_shared::model::{FindingCode, printable};

use crate::cli::output::{bytes, moment};
use crate::web::api::FindingView;
use crate::web::api::runs::{Coverage, CoverageLine, ListingStepView, Run};

/// Repositories named for one reason; the rest is counted, and `-o json` has all.
const NAMED: usize = 20;

/// Repositories that have something in common.
#[derive(Default)]
pub(in crate::cli) struct Lines {
    pub(in crate::cli) items: Vec<CoverageLine>,
    /// There are others, beyond the limit that was asked for.
    pub(in crate::cli) more: bool,
}

/// The account of a run: with the repositories that were not seen completely, those that the patterns left out, and what it waits for, if
/// it does.
pub(in crate::cli) fn account(
    run: &Run,
    not_complete: &Lines,
    filtered: &Lines,
    awaited: Option<&str>,
) -> String {
    let mut text = String::new();
    let registry = &run.registry.name;
    let _ = writeln!(text, "Run {} of {registry}: {}", run.id, run.state);
    let _ = writeln!(text, "{}", verdict(run));
    if let Some(awaited) = awaited {
        let _ = writeln!(text, "{}", printable(awaited, 4_096));
    }
    if let Some(finding) = &run.finding {
        explain(&mut text, finding, "  ");
    }
    text.push('\n');
    times(&mut text, run);
    if run.started_at.is_some() {
        text.push('\n');
        discovery(&mut text, &run.coverage);
        listings(&mut text, &run.coverage.listings);
        if run.coverage.found > 0 || !run.repositories.is_empty() {
            sums(&mut text, run);
        }
    }
    missing(&mut text, not_complete);
    left_out(&mut text, &run.coverage, filtered);
    text
}

fn verdict(run: &Run) -> String {
    let short = short_of_complete(&run.coverage);
    match run.state.as_str() {
        "queued" if run.attempt > 0 => "It will be tried again.".to_owned(),
        "queued" => "Nothing was done yet.".to_owned(),
        "leased" => format!("Attempt {} is under way.", run.attempt),
        "complete" => "Everything in scope was seen.".to_owned(),
        "partial" if short > 0 => format!("{short} {} could not be seen completely.", repositories(short)),
        "partial" => "It is not known whether all repositories were found.".to_owned(),
        "failed" if has_finding(run, FindingCode::RunNotTaken) => "Nothing was done.".to_owned(),
        "failed" if has_finding(run, FindingCode::RunTooLong) => {
            "Its time was up; what was committed until then stays.".to_owned()
        }
        "failed" => "Nothing could be seen.".to_owned(),
        "cancelled" => "Stopped by a person; what was committed until then stays.".to_owned(),
        _ => String::new(),
    }
}

fn has_finding(run: &Run, code: FindingCode) -> bool {
    run.finding
        .as_ref()
        .is_some_and(|finding| finding.code == code.as_str())
}

fn times(text: &mut String, run: &Run) {
    let scope = match (run.repositories.len(), run.references.len()) {
        (0, 0) => "the whole registry, within its patterns".to_owned(),
        (count, 0) => format!("{count} {}", repositories(count as u64)),
        (0, tags) => single_tags(tags),
        (count, tags) => format!("{count} {}, {}", repositories(count as u64), single_tags(tags)),
    };
    let _ = writeln!(text, "Scope      {scope}");
    let _ = writeln!(
        text,
        "Queued     {} by {}",
        moment(run.queued_at),
        asked(&run.trigger, &run.requested_by)
    );
    // The first reason is the one that it was queued for.
    for reason in run.reasons.iter().skip(1) {
        let by = asked(&reason.trigger, &reason.requested_by);
        let _ = writeln!(text, "Joined     {} by {by}", moment(reason.at));
    }
    if run.more_reasons > 0 {
        let _ = writeln!(text, "           and {} times more", run.more_reasons);
    }
    if let Some(started) = run.started_at {
        let sensor = run.sensor.as_ref().map_or("?", |sensor| sensor.name.as_str());
        let _ = writeln!(
            text,
            "Started    {} on {sensor}, attempt {}",
            moment(started),
            run.attempt
        );
    }
    if let Some(ended) = run.ended_at {
        let _ = writeln!(text, "Ended      {}", moment(ended));
    }
    let progress = &run.progress;
    if progress.requests > 0 {
        let _ = writeln!(
            text,
            "Work       {} requests, {} manifests fetched, {} sent up",
            progress.requests,
            progress.manifests,
            bytes(progress.bytes_up)
        );
    }
}

/// Who asked for a run, and why if that does not go without saying.
fn asked(trigger: &str, by: &str) -> String {
    let by = printable(by, 256);
    match trigger {
        "reconcile" => format!("{by}, to reconcile"),
        _ => by,
    }
}

fn single_tags(count: usize) -> String {
    if count == 1 {
        "1 tag".to_owned()
    } else {
        format!("{count} tags")
    }
}

fn discovery(text: &mut String, coverage: &Coverage) {
    text.push_str("Discovery\n");
    for step in &coverage.discovery {
        let end = if step.complete {
            "to its end"
        } else {
            "not to its end"
        };
        let _ = writeln!(
            text,
            "  {}: {} {}, {end}",
            step.method,
            step.found,
            repositories(step.found)
        );
        if let Some(finding) = &step.finding {
            explain(text, finding, "    ");
        }
    }
    if coverage.discovery.is_empty() {
        text.push_str("  not finished\n");
    } else if coverage.discovery_complete {
        text.push_str("  All repositories that this credential can see are known.\n");
    } else {
        text.push_str("  There may be repositories that were not found; none is recorded as deleted.\n");
    }
}

/// By which methods tags were listed.
fn listings(text: &mut String, steps: &[ListingStepView]) {
    if steps.is_empty() {
        return;
    }
    text.push_str("Tag lists\n");
    for step in steps {
        let _ = write!(
            text,
            "  {}: {} {}",
            step.method,
            step.repositories,
            repositories(step.repositories)
        );
        let _ = match step.given_up {
            0 => writeln!(text),
            count => writeln!(text, ", given up for {count}"),
        };
        if let Some(finding) = &step.finding {
            explain(text, finding, "    ");
        }
    }
}

fn sums(text: &mut String, run: &Run) {
    let coverage = &run.coverage;
    let whole = coverage.listed + coverage.unchanged;
    let scope = whole + short_of_complete(coverage);
    text.push_str("Repositories\n");
    let _ = writeln!(
        text,
        "  {whole} of {scope} seen completely: {} with something new, {} unchanged",
        coverage.listed, coverage.unchanged
    );
    let short = [
        (coverage.incomplete, "with content that could not be read"),
        (coverage.truncated, "with more tags than are kept"),
        (coverage.denied, "denied to this credential"),
        (coverage.missing, "unknown to the registry, or hidden"),
        (coverage.failed, "that could not be listed"),
        (coverage.refused, "refused by the sensor's local policy"),
    ];
    for (count, what) in short.into_iter().filter(|(count, _)| *count > 0) {
        let _ = writeln!(text, "  {count} {what}");
    }
    if coverage.filtered > 0 {
        let _ = writeln!(
            text,
            "  {} of {} found were left out by the registry's patterns",
            coverage.filtered, coverage.found
        );
    }
    let changes = &run.changes;
    let _ = writeln!(
        text,
        "Tags\n  {} seen: {} appeared, {} moved, {} vanished",
        coverage.tags, changes.appeared, changes.moved, changes.vanished
    );
    if coverage.tags_filtered > 0 || changes.left_out > 0 {
        let _ = writeln!(
            text,
            "  {} left out by the registry's tag filter, {} of them newly",
            coverage.tags_filtered, changes.left_out
        );
    }
    let _ = writeln!(
        text,
        "Content\n  {} manifests and image facts were new",
        run.content_stored
    );
}

/// Grouped by reason: cause and cure are told once.
fn missing(text: &mut String, Lines { items: lines, more }: &Lines) {
    if lines.is_empty() {
        return;
    }
    text.push_str("\nNot seen completely\n");
    let mut groups: BTreeMap<(&str, &str), Vec<&CoverageLine>> = BTreeMap::new();
    for line in lines {
        let code = line.finding.as_ref().map_or("", |finding| finding.code.as_str());
        groups.entry((&line.outcome, code)).or_default().push(line);
    }
    for ((outcome, code), group) in groups {
        let _ = writeln!(
            text,
            "  {outcome}: {code} ({} {})",
            group.len(),
            repositories(group.len() as u64)
        );
        if let Some(finding) = group.iter().find_map(|line| line.finding.as_ref()) {
            let _ = writeln!(text, "    cause  {}\n    cure   {}", finding.cause, finding.cure);
        }
        for line in group.iter().take(NAMED) {
            let seen = line.finding.as_ref().map_or("", |finding| finding.seen.as_str());
            let entry = format!("{}  {seen}", line.repository);
            let _ = writeln!(text, "    - {}", printable(entry.trim_end(), 1_024));
        }
        if group.len() > NAMED {
            let _ = writeln!(text, "    - and {} more: see `-o json`", group.len() - NAMED);
        }
    }
    if *more {
        text.push_str("  There are others: raise --limit.\n");
    }
}

/// What the patterns left out: of very many a run names the first.
fn left_out(text: &mut String, coverage: &Coverage, filtered: &Lines) {
    if filtered.items.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\nLeft out by the registry's patterns ({} {})",
        coverage.filtered,
        repositories(coverage.filtered)
    );
    for line in filtered.items.iter().take(NAMED) {
        let _ = writeln!(text, "  - {}", printable(&line.repository, 1_024));
    }
    if filtered.items.len() > NAMED {
        let _ = writeln!(
            text,
            "  - and {} more: see `-o json`",
            filtered.items.len() - NAMED
        );
    }
    if filtered.more {
        text.push_str("  There are others: raise --limit.\n");
    }
    let not_named = coverage.filtered.saturating_sub(coverage.filtered_named);
    if not_named > 0 {
        let _ = writeln!(
            text,
            "  {not_named} more not named: a run names {FILTERED_NAMED} of them."
        );
    }
}

fn explain(text: &mut String, finding: &FindingView, margin: &str) {
    let seen = printable(&finding.seen, 1_024);
    let _ = writeln!(text, "{margin}{}: {}: {seen}", finding.severity, finding.code);
    for line in finding.detail.iter().flat_map(|detail| detail.lines()) {
        let _ = writeln!(text, "{margin}  {}", printable(line, 1_024));
    }
    let _ = writeln!(
        text,
        "{margin}cause  {}\n{margin}cure   {}",
        finding.cause, finding.cure
    );
}

fn short_of_complete(coverage: &Coverage) -> u64 {
    coverage.incomplete
        + coverage.truncated
        + coverage.denied
        + coverage.missing
        + coverage.failed
        + coverage.refused
}

fn repositories(count: u64) -> &'static str {
    if count == 1 { "repository" } else { "repositories" }
}
