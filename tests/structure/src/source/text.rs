//! What a source file names and what it consists of.

use super::scan::{Token, scan};

/// A Rust source text without its comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    tokens: Vec<Token>,
}

impl Source {
    /// Takes `text` apart. Text that is not Rust gives tokens that mean nothing, and never a panic.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { tokens: scan(text) }
    }

    /// The content of every string literal.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().filter_map(|token| match token {
            Token::Literal(text) => Some(text.as_str()),
            Token::Word(_) | Token::Join | Token::Sign(_) => None,
        })
    }

    /// Every path of two segments or more, and every path in a `use`, as lists of segments. Groups are spread out:
    /// `use a::{b, c::d};` gives `a::b` and `a::c::d`.
    #[must_use]
    pub fn paths(&self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        let mut at = 0;
        let mut in_use = false;
        while at < self.tokens.len() {
            match &self.tokens[at] {
                Token::Word(word) if word == "use" => {
                    in_use = true;
                    at += 1;
                }
                Token::Sign(';') => {
                    in_use = false;
                    at += 1;
                }
                Token::Word(_) | Token::Join => {
                    let before = paths.len();
                    at = self.path(at, &[], &mut paths);
                    if !in_use {
                        // Outside of `use`, a lone word is no path.
                        let found = paths.split_off(before);
                        paths.extend(found.into_iter().filter(|path| path.len() > 1));
                    }
                }
                Token::Literal(_) | Token::Sign(_) => at += 1,
            }
        }
        paths
    }

    /// Reads one path, or a group, that begins at `at` below `prefix`. Gives where it ended.
    fn path(&self, mut at: usize, prefix: &[String], paths: &mut Vec<Vec<String>>) -> usize {
        let mut path = prefix.to_vec();
        if self.tokens.get(at) == Some(&Token::Join) {
            at += 1;
        }
        loop {
            match self.tokens.get(at) {
                Some(Token::Word(word)) => path.push(word.clone()),
                Some(Token::Sign('{')) if path.len() > prefix.len() || !prefix.is_empty() => {
                    return self.group(at + 1, &path, paths);
                }
                Some(Token::Sign('*')) => path.push("*".to_owned()),
                Some(_) | None => {
                    // A turbofish or the end: what was read so far is the path.
                    paths.push(path);
                    return at.max(1);
                }
            }
            at += 1;
            if self.tokens.get(at) != Some(&Token::Join) {
                if path.len() > prefix.len() {
                    paths.push(path);
                }
                return at;
            }
            at += 1;
        }
    }

    fn group(&self, mut at: usize, prefix: &[String], paths: &mut Vec<Vec<String>>) -> usize {
        loop {
            match self.tokens.get(at) {
                Some(Token::Sign('}')) => return at + 1,
                None => return at,
                Some(Token::Word(word)) if word == "as" => at += 2,
                Some(Token::Word(word)) if word == "self" => {
                    paths.push(prefix.to_vec());
                    at += 1;
                }
                Some(Token::Word(_) | Token::Join | Token::Sign('*' | '{')) => {
                    at = self.path(at, prefix, paths);
                }
                Some(Token::Sign(_) | Token::Literal(_)) => at += 1,
            }
        }
    }

    /// The items of the file as text, without attributes and comments, each up to its `;` or the end of its braces.
    #[must_use]
    pub fn items(&self) -> Vec<String> {
        let mut items = Vec::new();
        let (mut item, mut depth) = (String::new(), 0_usize);
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            if *token == Token::Sign('#') && depth == 0 && item.is_empty() {
                at = self.after_attribute(at);
                continue;
            }
            match token {
                Token::Word(word) => {
                    if item.ends_with(|end: char| end.is_alphanumeric() || end == '_' || end == ')') {
                        item.push(' ');
                    }
                    item.push_str(word);
                }
                Token::Literal(_) => item.push_str("\"\""),
                Token::Join => item.push_str("::"),
                Token::Sign(sign) => item.push(*sign),
            }
            match token {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') => depth = depth.saturating_sub(1),
                Token::Word(_) | Token::Literal(_) | Token::Join | Token::Sign(_) => {}
            }
            let is_use = item.contains("use ");
            if depth == 0 && (*token == Token::Sign(';') || (*token == Token::Sign('}') && !is_use)) {
                items.push(std::mem::take(&mut item));
            }
            at += 1;
        }
        if !item.is_empty() {
            items.push(item);
        }
        items
    }

    fn after_attribute(&self, mut at: usize) -> usize {
        let mut depth = 0_usize;
        while let Some(token) = self.tokens.get(at) {
            at += 1;
            match token {
                Token::Sign('[') => depth += 1,
                Token::Sign(']') if depth == 1 => return at,
                Token::Sign(']') => depth = depth.saturating_sub(1),
                Token::Word(_) | Token::Literal(_) | Token::Join | Token::Sign(_) => {}
            }
        }
        at
    }
}
