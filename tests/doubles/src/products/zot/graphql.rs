//! Enough of GraphQL to read a query as a server does: one field of the root, its arguments, and what is selected of it.

use std::collections::BTreeMap;

/// A value of an argument.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Word(String),
    Object(BTreeMap<String, Value>),
}

/// A field, its arguments, and what is selected of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) arguments: BTreeMap<String, Value>,
    pub(super) selected: Vec<Field>,
}

/// Reads a query of one field; what is wrong with it otherwise.
pub(super) fn read(query: &str) -> Result<Field, &'static str> {
    let mut reader = Reader { rest: query };
    if reader.rest.trim_start().starts_with("query") {
        reader.word()?;
    }
    let mut fields = reader.selection()?;
    reader.space();
    match (fields.pop(), fields.is_empty(), reader.rest.is_empty()) {
        (Some(field), true, true) => Ok(field),
        _ => Err("expected one field and nothing behind it"),
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self
            .rest
            .trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    }

    fn takes(&mut self, sign: char) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, sign: char, missing: &'static str) -> Result<(), &'static str> {
        self.takes(sign).then_some(()).ok_or(missing)
    }

    fn word(&mut self) -> Result<String, &'static str> {
        self.space();
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if word.is_empty() {
            return Err("expected a name");
        }
        Ok(word.to_owned())
    }

    fn selection(&mut self) -> Result<Vec<Field>, &'static str> {
        self.expect('{', "expected {")?;
        let mut fields = Vec::new();
        while !self.takes('}') {
            let mut field = Field {
                name: self.word()?,
                ..Field::default()
            };
            if self.takes('(') {
                field.arguments = self.members(')')?;
            }
            self.space();
            if self.rest.starts_with('{') {
                field.selected = self.selection()?;
            }
            fields.push(field);
        }
        Ok(fields)
    }

    fn members(&mut self, end: char) -> Result<BTreeMap<String, Value>, &'static str> {
        let mut members = BTreeMap::new();
        while !self.takes(end) {
            let name = self.word()?;
            self.expect(':', "expected :")?;
            members.insert(name, self.value()?);
        }
        Ok(members)
    }

    fn value(&mut self) -> Result<Value, &'static str> {
        self.space();
        if self.takes('{') {
            return self.members('}').map(Value::Object);
        }
        if self.takes('"') {
            return self.text().map(Value::Text);
        }
        let negative = self.takes('-');
        let word = self.word()?;
        match word.parse::<i64>() {
            Ok(number) => Ok(Value::Number(if negative { -number } else { number })),
            Err(_) => Ok(Value::Word(word)),
        }
    }

    fn text(&mut self) -> Result<String, &'static str> {
        let mut text = String::new();
        let mut characters = self.rest.chars();
        loop {
            match characters.next().ok_or("a text does not end")? {
                '"' => break,
                '\\' => match characters.next().ok_or("a text does not end")? {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'u' => {
                        let code: String = characters.by_ref().take(4).collect();
                        let code =
                            u32::from_str_radix(&code, 16).map_err(|_| "expected four hexadecimal digits")?;
                        text.push(char::from_u32(code).ok_or("no character")?);
                    }
                    plain @ ('"' | '\\' | '/') => text.push(plain),
                    _ => return Err("unknown escape"),
                },
                '\n' => return Err("a text does not end with its line"),
                plain => text.push(plain),
            }
        }
        self.rest = characters.as_str();
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_client_writes() {
        let field = read(
            r#"{ImageList(repo:"a\"b\\c\u0041",requestedPage:{limit:10,offset:-2,sortBy:ALPHABETIC_ASC}){Page{TotalCount}Results{Tag Digest}}}"#,
        )
        .unwrap();
        assert_eq!(field.name, "ImageList");
        assert_eq!(field.arguments["repo"], Value::Text("a\"b\\cA".into()));
        let Value::Object(page) = &field.arguments["requestedPage"] else {
            panic!("no object");
        };
        assert_eq!(page["offset"], Value::Number(-2));
        assert_eq!(page["sortBy"], Value::Word("ALPHABETIC_ASC".into()));
        assert_eq!(field.selected[1].selected.len(), 2);
        for bad in ["", "{", "{}", "{A}{B}", "{A B}", r#"{A(x:"y)}"#, "{A(x)}"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
