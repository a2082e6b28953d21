//! Parses YAML into a tree in which every value has a line number. All scalars are text; large files are
//! rejected.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// Limits on the number of values and the nesting depth.
const VALUES: usize = 100_000;
const DEPTH: usize = 64;

/// A value with its line.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Line number from 1.
    pub(super) line: usize,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Null: `~`, `null` or no text.
    Nothing,
    /// Text, including numbers and Booleans.
    Text(String),
    /// In order.
    List(Vec<Node>),
    /// In order.
    Map(Vec<(String, Node)>),
}

/// A line number and an error.
pub(super) type Wrong = (usize, String);

impl Node {
    /// Parses the first document.
    pub(super) fn read(text: &str) -> Result<Node, Wrong> {
        let mut builder = Builder::default();
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|e| (e.marker().line(), e.info().to_owned()))?;
            if matches!(event, Event::DocumentEnd) {
                break;
            }
            builder.take(event, span.start.line())?;
        }
        Ok(builder.root.unwrap_or(Node { line: 1, value: Value::Nothing }))
    }

    /// Returns the value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// Returns the number of values in this tree.
    fn count(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Node::count).sum(),
            Value::Map(entries) => entries.iter().map(|(_, node)| node.count()).sum(),
            _ => 0,
        }
    }
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    /// Open lists and maps, each with its anchor and the key that waits for a value.
    open: Vec<(Node, usize, Option<String>)>,
    anchors: BTreeMap<usize, Node>,
    values: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), Wrong> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let nothing =
                    style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if nothing { Value::Nothing } else { Value::Text(text.into_owned()) };
                self.add(Node { line, value }, anchor)
            }
            Event::SequenceStart(anchor, _) => self.begin(Value::List(Vec::new()), anchor, line),
            Event::MappingStart(anchor, _) => self.begin(Value::Map(Vec::new()), anchor, line),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some((node, anchor, _)) => self.add(merged(node), anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    // Aliases can repeat a value without limit.
                    self.values += node.count();
                    let node = Node { line, ..node.clone() };
                    self.add(node, 0)
                }
                None => Err((line, "an alias is inside the value that it refers to".to_owned())),
            },
            _ => Ok(()),
        }
    }

    fn begin(&mut self, value: Value, anchor: usize, line: usize) -> Result<(), Wrong> {
        if self.open.len() == DEPTH {
            return Err((line, format!("is nested more than {DEPTH} levels deep")));
        }
        self.open.push((Node { line, value }, anchor, None));
        Ok(())
    }

    /// Adds a value to the innermost open list or map.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Wrong> {
        self.values += 1;
        if self.values > VALUES {
            return Err((node.line, format!("more than {VALUES} values")));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some((parent, _, key)) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut parent.value, key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some(name)) => {
                if entries.iter().any(|(own, _)| *own == name) {
                    return Err((node.line, format!("duplicate key `{name}`")));
                }
                entries.push((name, node));
            }
            (Value::Map(_), None) => match node.value {
                Value::Text(name) => *key = Some(name),
                Value::Nothing => *key = Some(String::new()),
                _ => return Err((node.line, "a list or map cannot be a key".to_owned())),
            },
            _ => {}
        }
        Ok(())
    }
}

/// Merges the maps under `<<` into a map; its own entries take precedence.
fn merged(mut node: Node) -> Node {
    if let Value::Map(entries) = &mut node.value
        && let Some(at) = entries.iter().position(|(name, _)| name == "<<")
    {
        let (_, others) = entries.remove(at);
        let others = match others.value {
            Value::List(items) => items,
            _ => vec![others],
        };
        for other in others {
            let Value::Map(new) = other.value else { continue };
            for (name, node) in new {
                if entries.iter().all(|(own, _)| *own != name) {
                    entries.push((name, node));
                }
            }
        }
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_nothing_and_aliases() {
        let text = "a: &x\n  b: 1\n  c: ~\nd:\n  - *x\n  - {<<: *x, b: \"null\"}\n---\nignored: 1\n";
        let root = Node::read(text).unwrap();
        let Some(Node { value: Value::List(items), .. }) = root.get("d") else { panic!("{root:?}") };
        assert!(matches!(&items[0].get("b").unwrap().value, Value::Text(t) if t == "1"));
        assert!(matches!(items[0].get("c").unwrap().value, Value::Nothing));
        assert_eq!((items[0].line, items[1].line), (5, 6));
        assert!(matches!(Node::read("").unwrap().value, Value::Nothing));
    }

    #[test]
    fn what_is_wrong_has_its_line() {
        for (text, line) in
            [("a: 1\nb: [1, 2\n", 3), ("a: 1\na: 2\n", 2), ("a:\n  ? [x]\n  : 1\n", 2), ("a: *b\n", 1)]
        {
            assert_eq!(Node::read(text).unwrap_err().0, line, "{text}");
        }
        let deep = "[".repeat(200);
        assert!(Node::read(&deep).unwrap_err().1.contains("levels deep"));
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            let many = vec![format!("*a{}", i - 1); 10].join(", ");
            laughs += &format!("a{i}: &a{i} [{many}]\n");
        }
        assert!(Node::read(&laughs).unwrap_err().1.contains("values"));
    }
}
