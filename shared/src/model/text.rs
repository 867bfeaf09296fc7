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

/// `text` with control characters, and those that are not seen or change the order of others (Unicode's bidirectional and zero-width ones),
/// replaced by spaces, and cut to `bytes` bytes: a hostile server can neither forge log lines, nor move a terminal's cursor, nor make one
/// text look like another.
#[must_use]
pub fn printable(text: &str, bytes: usize) -> String {
    let (cut, _) = truncated(text, bytes);
    cut.chars()
        .map(|c| if c.is_control() || is_unseen(c) { ' ' } else { c })
        .collect()
}

/// Whether a character is not seen, or changes the order in which others are.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{61C}'
            | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}'
    )
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
        assert_eq!(
            printable("a\u{202E}b\u{200B}c\u{2066}", 100),
            "a b c ",
            "nothing is reordered or hidden"
        );
        assert_eq!(
            printable("Müller, 株式会社, עברית", 100),
            "Müller, 株式会社, עברית"
        );
    }
}
