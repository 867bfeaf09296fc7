//! Many rows as one bound value: a JSON array that a statement reads with `json_each`.

use serde::Serialize;

use crate::StoreError;

/// A JSON array of what `items` gives; mostly tuples, which become arrays.
pub(super) fn array<T: Serialize>(items: impl IntoIterator<Item = T>) -> Result<String, StoreError> {
    let items: Vec<T> = items.into_iter().collect();
    json("rows", &items)
}

/// A value as JSON.
pub(super) fn json<T: Serialize + ?Sized>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused {
        what,
        why: error.to_string(),
    })
}

/// Bytes in the hexadecimal digits that `unhex` reads: JSON has no bytes.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
