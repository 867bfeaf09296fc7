//! Text to tokens.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, a keyword or a number.
    Word(String),
    /// The content of a string literal.
    Literal(String),
    /// `::`
    Join,
    /// Any other character that is not a space.
    Sign(char),
}

/// The tokens of `text`, without its comments. Text that is not Rust gives tokens that mean nothing, and never a panic.
pub(super) fn scan(text: &str) -> Vec<Token> {
    let characters: Vec<char> = text.chars().collect();
    Scanner { rest: &characters }.tokens()
}

struct Scanner<'a> {
    rest: &'a [char],
}

impl Scanner<'_> {
    fn tokens(mut self) -> Vec<Token> {
        let mut tokens = Vec::new();
        while let Some(&first) = self.rest.first() {
            match first {
                '/' if self.starts_with("//") => self.skip_while(|character| character != '\n'),
                '/' if self.starts_with("/*") => self.skip_block_comment(),
                '"' => tokens.push(Token::Literal(self.string())),
                'r' | 'b' | 'c' if self.raw_hashes().is_some() => {
                    tokens.push(Token::Literal(self.raw_string()));
                }
                '\'' => self.skip_character_or_lifetime(),
                ':' if self.starts_with("::") => {
                    self.rest = &self.rest[2..];
                    tokens.push(Token::Join);
                }
                _ if first == '_' || first.is_alphanumeric() => tokens.push(Token::Word(self.word())),
                _ => {
                    self.rest = &self.rest[1..];
                    if !first.is_whitespace() {
                        tokens.push(Token::Sign(first));
                    }
                }
            }
        }
        tokens
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(at, wanted)| self.rest.get(at) == Some(&wanted))
    }

    fn skip_while(&mut self, matches: impl Fn(char) -> bool) {
        let length = self
            .rest
            .iter()
            .take_while(|&&character| matches(character))
            .count();
        self.rest = &self.rest[length..];
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0_usize;
        while !self.rest.is_empty() {
            let step = if self.starts_with("/*") {
                depth += 1;
                2
            } else if self.starts_with("*/") {
                depth -= 1;
                2
            } else {
                1
            };
            self.rest = self.rest.get(step..).unwrap_or_default();
            if depth == 0 {
                return;
            }
        }
    }

    fn word(&mut self) -> String {
        let length = self
            .rest
            .iter()
            .take_while(|&&character| character == '_' || character.is_alphanumeric())
            .count();
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        word.iter().collect()
    }

    fn string(&mut self) -> String {
        let mut text = String::new();
        let mut at = 1;
        while let Some(&character) = self.rest.get(at) {
            at += 1;
            match character {
                '"' => break,
                '\\' => at += 1,
                _ => text.push(character),
            }
        }
        self.rest = self.rest.get(at..).unwrap_or_default();
        text
    }

    /// How many `#` a raw string that begins here has, and where its first quote is.
    fn raw_hashes(&self) -> Option<(usize, usize)> {
        let prefix = match (self.rest.first()?, self.rest.get(1)) {
            ('r', _) => 1,
            ('b' | 'c', Some('r')) => 2,
            _ => return None,
        };
        let hashes = self.rest[prefix..]
            .iter()
            .take_while(|&&character| character == '#')
            .count();
        (self.rest.get(prefix + hashes) == Some(&'"')).then_some((hashes, prefix + hashes))
    }

    fn raw_string(&mut self) -> String {
        let Some((hashes, quote)) = self.raw_hashes() else {
            return String::new();
        };
        let end: Vec<char> = std::iter::once('"')
            .chain(std::iter::repeat_n('#', hashes))
            .collect();
        let body = &self.rest[quote + 1..];
        let length = body
            .windows(end.len())
            .position(|window| window == end)
            .unwrap_or(body.len());
        let text = body[..length].iter().collect();
        self.rest = body.get(length + end.len()..).unwrap_or_default();
        text
    }

    /// `'a'` and `'\n'` are characters; `'a` alone is a lifetime, whose name is then read as a word that means nothing.
    fn skip_character_or_lifetime(&mut self) {
        let length = match (self.rest.get(1), self.rest.get(2)) {
            (Some('\\'), _) => self.rest[3.min(self.rest.len())..]
                .iter()
                .position(|&character| character == '\'')
                .map_or(self.rest.len(), |at| at + 4),
            (Some(_), Some('\'')) => 3,
            _ => 1,
        };
        self.rest = self.rest.get(length..).unwrap_or_default();
    }
}
