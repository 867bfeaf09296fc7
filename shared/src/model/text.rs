//! Text from elsewhere, made safe to log and to show.

/// `text` cut to at most `bytes` bytes at a character boundary, and whether anything was cut.
#[must_use]
pub fn truncated(text: &str, bytes: usize) -> (&str, bool) {
    if text.len() <= bytes {
        return (text, false);
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (&text[..end], true)
}

/// `text` with control characters replaced by spaces and cut to `bytes` bytes, so that a hostile server can neither forge log
/// lines nor move a terminal's cursor.
#[must_use]
pub fn printable(text: &str, bytes: usize) -> String {
    let (cut, _) = truncated(text, bytes);
    cut.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_character_boundaries() {
        assert_eq!(truncated("añb", 2), ("a", true));
        assert_eq!(truncated("añb", 3), ("añ", true));
        assert_eq!(truncated("añb", 4), ("añb", false));
        assert_eq!(printable("a\x1b[2J\nb", 100), "a [2J b");
    }
}
