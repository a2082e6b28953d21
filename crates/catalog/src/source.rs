//! A catalog's text as a tree of values with their lines.
//!
//! Serde stops at the first error. With this tree, [`crate::structure`] reports all of them, and nothing is left for serde
//! to refuse.

use indexmap::IndexMap;
use toml::de::{DeTable, DeValue};

use crate::finding::{Findings, quote};

/// The values of one catalog.
#[derive(Debug)]
pub struct Source {
    root: Node,
}

/// A value and its line, which for the value of a key is the line of the key.
#[derive(Debug)]
pub struct Node {
    /// Line, from 1.
    pub line: usize,
    /// The value.
    pub value: Value,
}

/// A TOML value.
#[derive(Debug)]
pub enum Value {
    /// Text.
    Text(String),
    /// An integer that fits.
    Number(i64),
    /// `true` or `false`.
    Switch(bool),
    /// `[ … ]`
    List(Vec<Node>),
    /// `[table]` or `{ … }`
    Table(IndexMap<String, Node>),
    /// A type that no field of a catalog has, such as a date or a float.
    Other(&'static str),
}

impl Value {
    /// Names the type as messages do.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Number(_) => "an integer",
            Value::Switch(_) => "a boolean",
            Value::List(_) => "an array",
            Value::Table(_) => "a table",
            Value::Other(kind) => kind,
        }
    }
}

impl Source {
    /// Parses TOML, and reports every syntax error that the parser can recover from.
    pub fn parse(text: &str, findings: &mut Findings) -> Source {
        let (table, errors) = DeTable::parse_recoverable(text);
        let lines = Lines::find(text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            let what = error.message().replace('\n', ", ");
            let hint = match text.get(span.clone()) {
                Some(key) if what == "duplicate key" => format!("{what} {}: keep one", quote(key)),
                _ => what,
            };
            findings.add(lines.at(span.start), format!("invalid TOML: {hint}"));
        }
        Source { root: Node { line: 1, value: convert_table(table.get_ref(), &lines) } }
    }

    /// Returns the whole file.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Returns the line of the value at `path`, or of the deepest part of it that is there.
    pub fn line(&self, path: &[&str]) -> usize {
        let mut node = &self.root;
        for step in path {
            let next = match &node.value {
                Value::Table(table) => table.get(*step),
                Value::List(list) => step.parse().ok().and_then(|i: usize| list.get(i)),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node.line
    }

    /// Formats `path` for a message: an index in brackets, a key in quotes where TOML needs them.
    pub fn format_path(&self, path: &[&str]) -> String {
        let mut node = Some(&self.root);
        let mut text = String::new();
        for step in path {
            let (index, next) = match node.map(|n| &n.value) {
                Some(Value::List(list)) => (true, step.parse().ok().and_then(|i: usize| list.get(i))),
                Some(Value::Table(table)) => (false, table.get(*step)),
                _ => (step.parse::<usize>().is_ok(), None),
            };
            node = next;
            text = if index { format!("{text}[{step}]") } else { join_path(&text, step) };
        }
        text
    }

    /// Puts a value at `path` that is not in the file: its line is 0.
    pub fn set(&mut self, path: &[String], value: &toml::Value) {
        let mut node = &mut self.root;
        for step in path {
            if !matches!(node.value, Value::Table(_)) {
                *node = Node { line: 0, value: Value::Table(IndexMap::new()) };
            }
            let Value::Table(table) = &mut node.value else { return };
            let empty = || Node { line: 0, value: Value::Table(IndexMap::new()) };
            node = table.entry(step.clone()).or_insert_with(empty);
        }
        *node = convert_setting(value);
    }

    /// Tells whether there is a value at `path`.
    pub fn has(&self, path: &[&str]) -> bool {
        let mut node = &self.root;
        path.iter().all(|step| match &node.value {
            Value::Table(table) => table.get(*step).inspect(|next| node = next).is_some(),
            _ => false,
        })
    }
}

/// Appends `key` to the path of its table, as a message names it.
pub fn join_path(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let key = if bare { key.to_owned() } else { quote(key) };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

fn convert_setting(value: &toml::Value) -> Node {
    let value = match value {
        toml::Value::String(text) => Value::Text(text.clone()),
        toml::Value::Integer(number) => Value::Number(*number),
        toml::Value::Boolean(switch) => Value::Switch(*switch),
        toml::Value::Array(list) => Value::List(list.iter().map(convert_setting).collect()),
        toml::Value::Table(table) => {
            Value::Table(table.iter().map(|(key, value)| (key.clone(), convert_setting(value))).collect())
        }
        toml::Value::Float(_) => Value::Other("a float"),
        toml::Value::Datetime(_) => Value::Other("a date without quotes"),
    };
    Node { line: 0, value }
}

struct Lines(Vec<usize>);

impl Lines {
    fn find(text: &str) -> Lines {
        Lines(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i).collect())
    }

    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|newline| *newline < offset) + 1
    }
}

fn convert_table(table: &DeTable<'_>, lines: &Lines) -> Value {
    let entries = table.iter().map(|(key, value)| {
        let line = lines.at(key.span().start);
        (key.get_ref().to_string(), Node { line, value: convert_value(value.get_ref(), lines) })
    });
    Value::Table(entries.collect())
}

fn convert_value(value: &DeValue<'_>, lines: &Lines) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(switch) => Value::Switch(*switch),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Other("an integer that is too large"),
        },
        DeValue::Float(_) => Value::Other("a float"),
        DeValue::Datetime(_) => Value::Other("a date without quotes"),
        DeValue::Array(list) => Value::List(
            list.iter()
                .map(|item| Node {
                    line: lines.at(item.span().start),
                    value: convert_value(item.get_ref(), lines),
                })
                .collect(),
        ),
        DeValue::Table(table) => convert_table(table, lines),
    }
}
