//! The page.

use portolan_shared::model::printable;

use crate::cli::output::{Sheet, span};
use crate::web::api::status::{AttentionItem, StatusTally, StatusView};

/// Longest line, in bytes; it is cut above.
const LINE: usize = 1_024;

/// What there is to be said: in one line, in figures, and then thing by thing.
pub(super) fn page(status: &StatusView) -> String {
    let mut text = format!("{}\n\n{}", headline(status), figures(status).render());
    for (index, item) in status.attention.iter().enumerate() {
        text.push_str(&told(index + 1, item));
    }
    if status.more > 0 {
        text.push_str(&format!("\nand {} more, of no greater importance\n", status.more));
    }
    text
}

fn headline(status: &StatusView) -> String {
    if status.well {
        return match (status.registries.total, status.attention.is_empty()) {
            (0, _) => "there is no registry yet: add one with `portolan registry add`".to_owned(),
            (_, true) => "all is well".to_owned(),
            (_, false) => "all is well; there is advice".to_owned(),
        };
    }
    let kinds = [
        ("sensor", "sensors", status.sensors.attention),
        ("registry", "registries", status.registries.attention),
        ("webhook", "webhooks", status.webhooks.attention),
    ];
    let all: u64 = kinds.iter().map(|(_, _, count)| count).sum();
    let kinds: Vec<_> = kinds
        .into_iter()
        .filter(|(_, _, count)| *count > 0)
        .map(|(one, several, count)| format!("{count} {}", if count == 1 { one } else { several }))
        .collect();
    let need = if all == 1 { "needs" } else { "need" };
    format!("{} {need} attention: begin at the top", kinds.join(", "))
}

fn figures(status: &StatusView) -> Sheet {
    let mut sheet = Sheet::new();
    sheet
        .add("registries", tally(status.registries))
        .add("sensors", tally(status.sensors));
    if status.webhooks.total > 0 {
        sheet.add("webhooks", tally(status.webhooks));
    }
    let whole = status.registries.total.saturating_sub(status.never_complete);
    let never = status.never_complete;
    let freshness = match (status.oldest_success_age_seconds.map(span), never) {
        (None, 0) => None,
        (None, never) => Some(format!("none of {never} was seen whole yet")),
        (Some(age), 0) => Some(format!("each was seen whole within the last {age}")),
        (Some(age), never) => Some(format!(
            "{whole} seen whole within the last {age}, {never} not yet"
        )),
    };
    sheet.add("freshness", freshness);
    sheet
}

fn tally(tally: StatusTally) -> String {
    match (tally.total, tally.attention) {
        (0, _) => "none".to_owned(),
        (total, 0) => format!("{total}, all well"),
        (total, attention) => format!("{total}, {} well, {attention} not", tally.well.min(total)),
    }
}

fn told(number: usize, item: &AttentionItem) -> String {
    let line = |text: &str| printable(text, LINE);
    format!(
        "\n{number:>2}. {}: {}\n    {} ({})\n    {}\n    $ {}\n",
        line(&item.severity),
        line(&item.about),
        line(&item.words),
        line(&item.code),
        line(&item.what_to_do),
        line(&item.command),
    )
}
