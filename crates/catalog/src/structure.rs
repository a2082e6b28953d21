//! The structure of a catalog, compared with the schema: keys that are unknown, missing or of the wrong type.

use serde_json::Value as Json;

use crate::finding::{Findings, describe_unknown, find_near, join_or, quote};
use crate::source::{Node, Source, Value, join_path};

/// Compares a catalog with the schema.
pub fn check(source: &Source, schema: &Json, findings: &mut Findings) {
    Checker { schema, findings }.check(source.root(), schema, "");
}

/// Finds the types that a value at `path` may have, by their names in JSON Schema; none if there is no such path.
pub fn find_types<'a, S: AsRef<str>>(schema: &'a Json, path: &[S]) -> Vec<&'a str> {
    find_rules(schema, path).into_iter().flat_map(list_types).collect()
}

/// Finds the keys that a table at `path` may have, in order.
pub fn find_keys<S: AsRef<str>>(schema: &Json, path: &[S]) -> Vec<String> {
    let properties = find_rules(schema, path).into_iter().filter_map(|rule| rule["properties"].as_object());
    let mut keys: Vec<String> = properties.flat_map(|p| p.keys().cloned()).collect();
    keys.sort();
    keys
}

/// Finds the rules for the value at `path`: one for each type that it may have.
fn find_rules<'a, S: AsRef<str>>(schema: &'a Json, path: &[S]) -> Vec<&'a Json> {
    let mut rules = vec![schema];
    for step in path {
        let below = rules.iter().filter_map(|rule| match &rule["properties"][step.as_ref()] {
            Json::Null => Some(&rule["additionalProperties"]).filter(|any| any.is_object()),
            rule => Some(rule),
        });
        rules = below.flat_map(|rule| expand_rule(schema, rule)).collect();
    }
    rules
}

/// Follows the references and choices of a rule.
fn expand_rule<'a>(schema: &'a Json, rule: &'a Json) -> Vec<&'a Json> {
    if let Some(name) = rule["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) {
        return expand_rule(schema, &schema["$defs"][name]);
    }
    match rule["anyOf"].as_array() {
        Some(choices) => choices.iter().flat_map(|choice| expand_rule(schema, choice)).collect(),
        None => vec![rule],
    }
}

struct Checker<'a> {
    schema: &'a Json,
    findings: &'a mut Findings,
}

impl<'a> Checker<'a> {
    fn check(&mut self, node: &Node, rule: &'a Json, path: &str) {
        let rule = self.follow_reference(rule);
        if let (Some(words), Value::Text(text)) = (list_constants(rule), &node.value) {
            if !words.contains(&text.as_str()) {
                self.refuse(node, path, describe_unknown("value", text, words));
            }
            return;
        }
        if let Some(choices) = rule.get("anyOf").and_then(Json::as_array) {
            let choices: Vec<&Json> =
                choices.iter().map(|c| self.follow_reference(c)).filter(|c| c["type"] != "null").collect();
            let only = if let [only] = choices.as_slice() { Some(only) } else { None };
            let expected = || join_or(choices.iter().flat_map(|c| name_types(c)));
            match (only.or_else(|| choices.iter().find(|c| accepts(c, &node.value))), &node.value) {
                // A word that is allowed besides true and false.
                (Some(choice), Value::Text(text))
                    if list_constants(choice).is_some_and(|words| !words.contains(&text.as_str()))
                        && choices.iter().any(|c| c["type"] == "boolean") =>
                {
                    let fault = format!("unknown value {}: expected {}", quote(text), expected());
                    self.refuse(node, path, fault);
                }
                (Some(choice), _) => self.check(node, choice, path),
                (None, value) => {
                    self.refuse(node, path, format!("expected {}, found {}", expected(), value.kind()));
                }
            }
            return;
        }
        if !accepts(rule, &node.value) {
            let expected = join_or(name_types(rule));
            return self.refuse(node, path, format!("expected {expected}, found {}", node.value.kind()));
        }
        match &node.value {
            Value::Table(_) => self.check_table(node, rule, path),
            Value::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    self.check(item, &rule["items"], &format!("{path}[{i}]"));
                }
            }
            Value::Number(n) if rule["format"] == "uint32" && u32::try_from(*n).is_err() => {
                self.refuse(node, path, format!("{n} is out of range: expected 0 to {}", u32::MAX));
            }
            _ => {}
        }
    }

    fn check_table(&mut self, node: &Node, rule: &'a Json, path: &str) {
        let Value::Table(table) = &node.value else { return };
        let properties = rule["properties"].as_object();
        for (key, value) in table {
            let path = join_path(path, key);
            match (properties.and_then(|p| p.get(key)), &rule["additionalProperties"]) {
                (Some(rule), _) => self.check(value, rule, &path),
                (None, any @ Json::Object(_)) => self.check(value, any, &path),
                (None, _) => {
                    let mut names: Vec<&String> = properties.into_iter().flat_map(|p| p.keys()).collect();
                    names.sort();
                    let hint = match find_near(key, &names) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => {
                            format!("expected {}", join_or(names.iter().map(|name| format!("`{name}`"))))
                        }
                    };
                    self.refuse(value, &path, format!("unknown key: {hint}"));
                }
            }
        }
        for required in rule["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            if !table.contains_key(required) {
                let what = self.describe(&rule["properties"][required]);
                self.refuse(node, &join_path(path, required), format!("is missing: {what}"));
            }
        }
    }

    fn refuse(&mut self, node: &Node, path: &str, what: String) {
        self.findings.add(node.line, format!("{path}: {what}"));
    }

    fn follow_reference(&self, rule: &'a Json) -> &'a Json {
        let name = rule["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/"));
        name.map_or(rule, |name| &self.schema["$defs"][name])
    }

    /// Returns the first sentence of a field's description, as a part of a message.
    fn describe(&self, rule: &'a Json) -> String {
        let text =
            rule["description"].as_str().or_else(|| self.follow_reference(rule)["description"].as_str());
        let text = text.unwrap_or_default().replace('\n', " ");
        let text = text.split_once(". ").map_or(text.trim_end_matches('.'), |(first, _)| first);
        // A message is lower case, a name such as SPDX is not.
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(first), Some(second)) if !second.is_uppercase() => {
                format!("{}{}", first.to_lowercase(), &text[first.len_utf8()..])
            }
            _ => text.to_owned(),
        }
    }
}

/// Returns the words of an enumeration, if the rule is one.
fn list_constants(rule: &Json) -> Option<Vec<&str>> {
    if let Some(list) = rule["enum"].as_array() {
        return list.iter().map(Json::as_str).collect();
    }
    let list = rule["oneOf"].as_array()?;
    let mut constants = Vec::new();
    for choice in list {
        match (choice["const"].as_str(), choice["enum"].as_array()) {
            (Some(word), _) => constants.push(word),
            (None, Some(words)) => constants.extend(words.iter().filter_map(Json::as_str)),
            (None, None) => return None,
        }
    }
    Some(constants)
}

fn list_types(rule: &Json) -> Vec<&str> {
    if list_constants(rule).is_some() {
        return vec!["string"];
    }
    match &rule["type"] {
        Json::String(one) => vec![one],
        Json::Array(several) => several.iter().filter_map(Json::as_str).filter(|t| *t != "null").collect(),
        // An enumeration whose values have descriptions has no type.
        _ if list_constants(rule).is_some() => vec!["string"],
        _ => Vec::new(),
    }
}

/// Names the types that a value may have, or its words.
fn name_types(rule: &Json) -> Vec<String> {
    if let Some(words) = list_constants(rule) {
        return words.into_iter().map(quote).collect();
    }
    let name = |kind| match kind {
        "string" => &["a string"][..],
        "integer" => &["an integer"],
        "boolean" => &["true", "false"],
        "array" => &["an array"],
        _ => &["a table"],
    };
    list_types(rule).into_iter().flat_map(name).map(|name| (*name).to_owned()).collect()
}

fn accepts(rule: &Json, value: &Value) -> bool {
    let kind = match value {
        Value::Text(_) => "string",
        Value::Number(_) => "integer",
        Value::Switch(_) => "boolean",
        Value::List(_) => "array",
        Value::Table(_) => "object",
        Value::Other(_) => return false,
    };
    list_types(rule).contains(&kind)
}
