//! What is withheld from the control plane although it was read.

use portolan_shared::model::manifest::FactsField;
use toml::de::DeTable;

use super::faults::Notes;
use super::value::many;

/// Reads `[upload]`.
pub(super) fn read_upload(table: &DeTable<'_>, notes: &mut Notes<'_>) -> Vec<FactsField> {
    let mut withhold = Vec::new();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "withhold" => withhold = many(value, "a list of image facts", notes),
            other => notes.add(
                key.span().start,
                format!("unknown key {other:?}: expected withhold"),
            ),
        }
    }
    withhold.sort_unstable();
    withhold.dedup();
    withhold
}
