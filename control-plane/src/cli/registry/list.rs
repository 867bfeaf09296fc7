//! `portolan registry list`

use crate::cli::Exit;
use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::cli::output::{ListArgs, Table, age, moment, print_items};
use crate::web::api::registries::Registry;

pub(super) async fn list(desk: Desk<'_>, args: &ListArgs) -> Result<Exit, CliError> {
    let listing = desk.client.list(&["registries"], &[], args.limit()).await?;
    print_items(desk.terminal, args.show.output, listing, |items| {
        let mut table = Table::new(&[
            "NAME",
            "URL",
            "FLAVOUR",
            "SENSORS",
            "STATE",
            "AGE",
            "SCHEDULE",
            "NEXT START",
            "LAST ATTEMPT",
            "LAST SUCCESS",
            "LAST EVENT",
        ]);
        for item in items {
            let registry: Registry = desk.client.view(item)?;
            let time = |time: Option<_>| time.map_or_else(|| "never".to_owned(), moment);
            let (attempt, success) = (time(registry.last_attempt_at), time(registry.last_success_at));
            let event = time(registry.last_event_at);
            table.row([
                registry.name.clone(),
                registry.url.clone(),
                registry
                    .facts
                    .flavour
                    .as_ref()
                    .map_or_else(String::new, |fact| fact.flavour.clone()),
                sensors(&registry),
                registry.freshness.state.clone(),
                age(registry.freshness.age_seconds),
                registry.schedule.expression.clone(),
                next(&registry),
                attempt,
                success,
                event,
            ]);
        }
        Ok(table)
    })?;
    Ok(Exit::Done)
}

/// When it starts next, in UTC like all times of the list.
fn next(registry: &Registry) -> String {
    match registry.schedule.next.first() {
        Some(next) => moment(*next),
        None if registry.schedule.paused => "paused".to_owned(),
        None => "by hand".to_owned(),
    }
}

fn sensors(registry: &Registry) -> String {
    let names: Vec<_> = registry
        .sensors
        .iter()
        .map(|sensor| sensor.name.as_str())
        .collect();
    names.join(", ")
}
