//! Tables, fitted to the terminal.

use portolan_shared::model::printable;

/// Longest text of one cell, in bytes; it is cut above.
const CELL: usize = 4_096;
/// Columns are not made narrower than this.
const NARROWEST: usize = 6;
const GAP: &str = "  ";

/// Rows under headings.
pub(in crate::cli) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(in crate::cli) fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; it has as many cells as there are headings.
    pub(in crate::cli) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows
            .push(cells.into_iter().map(|cell| printable(&cell, CELL)).collect());
    }

    /// The table as text. With a width, the widest columns are narrowed until it fits; what is cut ends in `…`.
    pub(in crate::cli) fn render(&self, width: Option<usize>) -> String {
        let mut widths: Vec<usize> = self.headings.iter().map(|heading| length(heading)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(length(cell));
            }
        }
        if let Some(width) = width {
            narrow(&mut widths, width);
        }
        let headings: Vec<String> = self
            .headings
            .iter()
            .map(|heading| (*heading).to_owned())
            .collect();
        std::iter::once(&headings)
            .chain(&self.rows)
            .map(|row| line(row, &widths))
            .collect()
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn narrow(widths: &mut [usize], available: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > available {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => return,
        }
    }
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (cell, &width) in row.iter().zip(widths) {
        if !text.is_empty() {
            text.push_str(GAP);
        }
        let cell = cut(cell, width);
        text.push_str(&cell);
        text.extend(std::iter::repeat_n(' ', width - length(&cell)));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn cut(cell: &str, width: usize) -> String {
    if length(cell) <= width {
        return cell.to_owned();
    }
    cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// One thing, a member a line.
pub(in crate::cli) struct Sheet(Vec<(String, String)>);

impl Sheet {
    pub(in crate::cli) fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a member; nothing if there is no value.
    pub(in crate::cli) fn add(&mut self, label: &str, value: impl Into<Option<String>>) -> &mut Self {
        if let Some(value) = value.into()
            && !value.is_empty()
        {
            self.0.push((label.to_owned(), printable(&value, CELL)));
        }
        self
    }

    /// Adds a member with several values, each on its line; nothing if there are none.
    pub(in crate::cli) fn add_all(
        &mut self,
        label: &str,
        values: impl IntoIterator<Item = String>,
    ) -> &mut Self {
        for (index, value) in values.into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            self.0.push((label.to_owned(), printable(&value, CELL)));
        }
        self
    }

    pub(in crate::cli) fn render(&self) -> String {
        let width = self.0.iter().map(|(label, _)| length(label)).max().unwrap_or(0);
        self.0
            .iter()
            .map(|(label, value)| {
                let pad = " ".repeat(width - length(label));
                format!("{label}{pad}{GAP}{value}\n")
            })
            .collect()
    }
}

/// The beginning of a digest, enough to tell it by.
pub(in crate::cli) fn short(digest: &str) -> String {
    match digest.split_once(':') {
        Some((algorithm, encoded)) => format!("{algorithm}:{}", encoded.get(..12).unwrap_or(encoded)),
        None => digest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "URL", "STATE"]);
        table.row([
            "gl".into(),
            "https://registry.example.com:5050/a/long/prefix".into(),
            "ok".into(),
        ]);
        table.row(["mirror".into(), "https://m".into(), "\u{1b}[2Jbad\n".into()]);
        table
    }

    #[test]
    fn columns_line_up_and_nothing_moves_the_cursor() {
        insta::assert_snapshot!(table().render(None), @r"
        NAME    URL                                              STATE
        gl      https://registry.example.com:5050/a/long/prefix  ok
        mirror  https://m                                         [2Jbad
        ");
    }

    #[test]
    fn the_widest_column_gives_way() {
        for width in [24, 40, 60] {
            let text = table().render(Some(width));
            assert!(text.lines().all(|line| length(line) <= width), "{text}");
        }
        insta::assert_snapshot!(table().render(Some(40)), @r"
        NAME    URL                     STATE
        gl      https://registry.exam…  ok
        mirror  https://m                [2Jbad
        ");
        // Narrower than the narrowest columns: lines wrap, nothing fails.
        assert!(table().render(Some(3)).contains("mirror"));
    }

    #[test]
    fn sheets_leave_out_what_is_not_there() {
        let mut sheet = Sheet::new();
        sheet
            .add("name", "gl".to_owned())
            .add("author", None)
            .add("empty", String::new());
        sheet.add_all("layers", ["a".to_owned(), "b".to_owned()]);
        insta::assert_snapshot!(sheet.render(), @r"
        name    gl
        layers  a
                b
        ");
    }
}
