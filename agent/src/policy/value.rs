//! Values of the policy file, each read with its faults noted.

use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::faults::Notes;

pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// A list, each of whose items is read by itself.
pub(super) fn many<T: FromStr<Err = String>>(
    value: &Value<'_>,
    expected: &str,
    notes: &mut Notes<'_>,
) -> Vec<T> {
    items(value, expected, notes)
        .iter()
        .filter_map(|item| one(item, notes))
        .collect()
}

/// A text that is read as something.
pub(super) fn one<T: FromStr<Err = String>>(value: &Value<'_>, notes: &mut Notes<'_>) -> Option<T> {
    match value.get_ref().as_str().map(str::parse) {
        Some(Ok(read)) => return Some(read),
        Some(Err(why)) => notes.add(value.span().start, why),
        None => notes.add(value.span().start, "expected a text in quotes"),
    }
    None
}

pub(super) fn items<'v, 'i>(value: &'v Value<'i>, expected: &str, notes: &mut Notes<'_>) -> &'v [Value<'i>] {
    match value.get_ref().as_array() {
        Some(items) => items,
        None => {
            notes.add(value.span().start, format!("expected {expected} in brackets"));
            &[]
        }
    }
}

pub(super) fn integer(value: &Value<'_>) -> Option<i64> {
    let integer = value.get_ref().as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A number from 1 to `most`.
pub(super) fn count(value: &Value<'_>, key: &str, most: u16, notes: &mut Notes<'_>) -> Option<u16> {
    let read = integer(value)
        .and_then(|number| u16::try_from(number).ok())
        .filter(|number| (1..=most).contains(number));
    if read.is_none() {
        notes.add(
            value.span().start,
            format!("{key} must be a number from 1 to {most}"),
        );
    }
    read
}

/// Bytes: a number, or a text such as `"2 GiB"`. At least one.
pub(super) fn bytes(value: &Value<'_>, key: &str, notes: &mut Notes<'_>) -> Option<u64> {
    const UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let read = match value.get_ref().as_str() {
        Some(text) => quantity(text, &UNITS),
        None => integer(value).and_then(|number| u64::try_from(number).ok()),
    };
    let read = read.filter(|bytes| *bytes > 0);
    if read.is_none() {
        let why = format!("{key} must be a number of bytes, or such as \"500 MiB\" or \"2 GiB\"");
        notes.add(value.span().start, why);
    }
    read
}

/// A time such as `"90 min"`: at least a minute, at most a week.
pub(super) fn duration(value: &Value<'_>, key: &str, notes: &mut Notes<'_>) -> Option<Duration> {
    const UNITS: [(&str, u64); 2] = [("min", 60), ("h", 3_600)];
    const WEEK: u64 = 7 * 24 * 3_600;
    let seconds = value.get_ref().as_str().and_then(|text| quantity(text, &UNITS));
    let read = seconds.filter(|seconds| (1..=WEEK).contains(seconds));
    if read.is_none() {
        let why = format!("{key} must be a time such as \"90 min\" or \"2 h\", at most a week");
        notes.add(value.span().start, why);
    }
    read.map(Duration::from_secs)
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, worth) = units.iter().find(|(word, _)| *word == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*worth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_their_unit_and_never_overflow() {
        let units = [("KiB", 1_024), ("GiB", 1 << 30)];
        assert_eq!(quantity("3 KiB", &units), Some(3_072));
        assert_eq!(quantity("3KiB", &units), Some(3_072));
        for bad in [
            "",
            "KiB",
            "3",
            "3 kb",
            "-3 KiB",
            "3 KiB ",
            "99999999999 GiB",
            "99999999999999999999 KiB",
        ] {
            assert_eq!(quantity(bad, &units), None, "{bad:?}");
        }
    }
}
