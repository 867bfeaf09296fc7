//! What the demo looks like. Plain when the output is not a terminal.
#![expect(clippy::print_stdout, reason = "its purpose is what it prints")]

use std::io::IsTerminal as _;

/// Where people read.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    colours: bool,
}

impl Screen {
    /// Standard output; with colours if that is a terminal and nobody asked for none.
    #[must_use]
    pub fn new(no_colour: bool) -> Self {
        Self {
            colours: std::io::stdout().is_terminal() && !no_colour,
        }
    }

    fn painted(self, code: &str, text: &str) -> String {
        if self.colours {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// A step of the story.
    pub fn step(self, number: u32, text: &str) {
        println!(
            "\n{} {}",
            self.painted("1;36", &format!("{number}.")),
            self.painted("1", text)
        );
    }

    /// A line below a step.
    pub fn line(self, text: &str) {
        println!("   {text}");
    }

    /// A command as an operator would type it.
    pub fn command(self, text: &str) {
        println!("   {} {}", self.painted("2", "$"), self.painted("33", text));
    }

    /// A heading and rows of two columns.
    pub fn table(self, heading: &str, rows: &[(String, String)]) {
        println!("   {}", self.painted("1", heading));
        let width = rows
            .iter()
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or(0);
        for (name, value) in rows {
            println!("     {name:<width$}  {value}");
        }
    }

    /// Something that is as it should be.
    pub fn good(self, text: &str) {
        println!("   {} {text}", self.painted("1;32", "ok"));
    }

    /// Something that is not.
    pub fn bad(self, text: &str) {
        println!("   {} {text}", self.painted("1;31", "!!"));
    }
}
