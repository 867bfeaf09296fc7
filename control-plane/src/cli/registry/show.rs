//! `portolan registry show`

use serde_json::Value;

use super::schedule::span;
use crate::cli::Exit;
use crate::cli::assigned::assigned;
use crate::cli::credential::{credential_of, in_registry};
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{Format, Sheet, age, moment, print_one};
use crate::cli::schedule::starts;
use crate::web::api::FindingView;
use crate::web::api::registries::{CredentialFact, FlavourFact, Registry, RegistryFactsView, ScheduleView};

pub(super) async fn show_registry(
    desk: &mut Desk<'_>,
    format: Format,
    value: &Value,
) -> Result<Exit, CliError> {
    let registry: Registry = desk.client.view(value)?;
    let (sensors, credential) = match format {
        Format::Table => (
            assigned(&desk.client, &registry).await?,
            credential_of(&desk.client, &registry.id).await?,
        ),
        Format::Json | Format::Yaml => (Vec::new(), None),
    };
    let now = desk.clock.now();
    print_one(desk.terminal, format, value, || {
        let trust = match (registry.ca_certificates, registry.only_ca_bundle) {
            (0, _) => "the sensor's system store".to_owned(),
            (count, true) => format!("{count} given, nothing else"),
            (count, false) => format!("{count} given, besides the sensor's system store"),
        };
        let mut sheet = Sheet::new();
        sheet
            .add("name", registry.name.clone())
            .add("id", registry.id.clone())
            .add("url", registry.url.clone())
            .add("authorities", trust)
            .add(
                "credential",
                credential
                    .as_ref()
                    .map_or_else(|| "none: anonymous".to_owned(), in_registry),
            )
            .add("", registry.facts.credential.as_ref().map(login));
        sheet.add_all("sensors", sensors.iter().map(|sensor| sensor.tell(now)));
        wanted(&mut sheet, &registry);
        sheet.add("requests", budget(&registry));
        scheduled(&mut sheet, &registry.schedule);
        sheet
            .add("added", moment(registry.created_at))
            .add(
                "changed",
                format!("{}, version {}", moment(registry.changed_at), registry.version),
            )
            .add(
                "state",
                format!("{}: {}", registry.freshness.state, registry.freshness.words),
            )
            .add("age", age(registry.freshness.age_seconds))
            .add(
                "last attempt",
                registry
                    .last_attempt_at
                    .map_or_else(|| "never".to_owned(), moment),
            )
            .add(
                "last success",
                registry
                    .last_success_at
                    .map_or_else(|| "never".to_owned(), moment),
            )
            .add(
                "last event",
                registry.last_event_at.map_or_else(|| "never".to_owned(), moment),
            );
        known(&mut sheet, &registry.facts);
        sheet.add_all("attention", registry.findings.iter().flat_map(attention));
        Ok(sheet)
    })?;
    Ok(Exit::Done)
}

/// Which repositories and tags are wanted.
fn wanted(sheet: &mut Sheet, registry: &Registry) {
    for (label, patterns) in [("repositories", &registry.repositories), ("tags", &registry.tags)] {
        if patterns.is_empty() {
            sheet.add(label, "all".to_owned());
        } else {
            sheet.add_all(label, patterns.clone());
        }
    }
    let newest = registry
        .newest_tags
        .map(|newest| format!("the newest {newest} of each repository"));
    let age = registry
        .max_tag_age_days
        .map(|days| format!("pushed within {days} days"));
    sheet.add_all("", newest.into_iter().chain(age));
}

fn budget(registry: &Registry) -> String {
    let mut budget = format!("at most {} at once", registry.concurrency);
    if let Some(bound) = registry.requests_per_second {
        budget.push_str(&format!(", {bound} a second"));
    }
    if let Some(bound) = registry.requests_per_day {
        budget.push_str(&format!(", {bound} a day"));
    }
    budget
}

/// When it is read.
fn scheduled(sheet: &mut Sheet, schedule: &ScheduleView) {
    let held = if schedule.paused { ", paused" } else { "" };
    sheet.add(
        "schedule",
        format!("{}, {}{held}", schedule.expression, schedule.zone),
    );
    let mut also = Vec::new();
    also.extend(schedule.blackouts.iter().map(|window| format!("not {window}")));
    also.extend(schedule.jitter_seconds.map(|most| match most {
        0 => "at the second, without jitter".to_owned(),
        most => format!("put off by up to {}", span(most)),
    }));
    also.extend(
        schedule
            .max_run_seconds
            .map(|most| format!("a run takes at most {}", span(most))),
    );
    if schedule.missed == "skip" {
        also.push("missed starts are skipped".to_owned());
    }
    sheet.add_all("", also);
    if schedule.paused {
        sheet.add("next starts", "none until it is resumed".to_owned());
    } else if schedule.next.is_empty() {
        sheet.add("next starts", "none by itself".to_owned());
    } else {
        sheet.add_all("next starts", starts(&schedule.next, &schedule.zone));
    }
}

/// What sensors found out.
fn known(sheet: &mut Sheet, facts: &RegistryFactsView) {
    if let Some(flavour) = &facts.flavour {
        sheet.add("flavour", product(flavour));
        sheet.add_all("", flavour.evidence.iter().map(|sign| format!("- {sign}")));
    }
    let certificates = facts.certificates.iter().map(|certificate| {
        let end = ends(certificate.expires_at, certificate.days_left);
        format!("{} ({}) {end}", certificate.host, certificate.subject)
    });
    sheet.add_all("certificates", certificates);
}

fn product(fact: &FlavourFact) -> String {
    let version = fact.version.as_ref().map(|version| format!(" {version}"));
    format!(
        "{}{}, {} confidence, as of {}",
        fact.flavour,
        version.unwrap_or_default(),
        fact.confidence,
        moment(fact.observed_at)
    )
}

fn login(fact: &CredentialFact) -> String {
    let mut text = fact.kind.replace('_', " ");
    if let Some(owner) = &fact.owner {
        text.push_str(&format!(" of {owner}"));
    }
    if !fact.scopes.is_empty() {
        text.push_str(&format!(", for {}", fact.scopes.join(" ")));
    }
    if let (Some(end), Some(days)) = (fact.expires_at, fact.days_left) {
        text.push_str(&format!(", {}", ends(end, days)));
    }
    text
}

fn ends(end: jiff::Timestamp, days: i64) -> String {
    match days {
        1 => format!("ends {}, 1 day left", moment(end)),
        days if days < 0 => format!("ended {}", moment(end)),
        days => format!("ends {}, {days} days left", moment(end)),
    }
}

fn attention(finding: &FindingView) -> [String; 2] {
    [
        format!("{}: {}: {}", finding.severity, finding.code, finding.seen),
        format!("  cure  {}", finding.cure),
    ]
}
