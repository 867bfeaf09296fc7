//! `portolan registry list`

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

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
            "NEXT STARTS",
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

/// When it starts next, and the times after that, in UTC like all times of the list.
fn next(registry: &Registry) -> String {
    match registry.schedule.next.as_slice() {
        [first, further @ ..] => starts(*first, further),
        [] if registry.schedule.paused => "paused".to_owned(),
        [] => "by hand".to_owned(),
    }
}

/// The first in full, of each further one what of year, day and minute is another than of the one before: so that they stand in one column.
fn starts(first: Timestamp, further: &[Timestamp]) -> String {
    let mut text = moment(first);
    let mut before = first.to_zoned(TimeZone::UTC);
    for start in further {
        let start = start.to_zoned(TimeZone::UTC);
        let minute = |time: &Zoned| (time.hour(), time.minute());
        let format = match (start.year() == before.year(), minute(&start) == minute(&before)) {
            _ if start.date() == before.date() => ", %H:%M",
            (true, true) => ", %m-%d",
            (true, false) => ", %m-%d %H:%M",
            (false, true) => ", %Y-%m-%d",
            (false, false) => ", %Y-%m-%d %H:%M",
        };
        text.push_str(&start.strftime(format).to_string());
        before = start;
    }
    text
}

fn sensors(registry: &Registry) -> String {
    let names: Vec<_> = registry
        .sensors
        .iter()
        .map(|sensor| sensor.name.as_str())
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_start_says_what_differs_from_the_one_before() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let further = [
            "2026-12-31T22:30:59Z",
            "2026-12-31T23:30:00Z",
            "2027-01-01T00:30:00Z",
            "2027-02-01T00:30:00Z",
            "2028-02-01T00:30:00Z",
        ];
        assert_eq!(
            starts(at("2026-12-30T23:30:15Z"), &further.map(at)),
            "2026-12-30 23:30:15Z, 12-31 22:30, 23:30, 2027-01-01 00:30, 02-01, 2028-02-01"
        );
        assert_eq!(starts(at(further[0]), &[]), "2026-12-31 22:30:59Z");
    }
}
