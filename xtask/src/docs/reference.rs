//! Generates the catalog reference: every table and field with its description in the schema.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::link::anchor;

/// Path of the generated page.
pub const PAGE: &str = "docs/reference.md";

const INTRODUCTION: &str = "\
<!-- Made from catalog/schema.json by `UPDATE=1 cargo xtask check`; do not edit. -->

# Catalog reference

This page lists every table and field of a catalog. [Your own catalog](catalog.md) explains how to
start, and [Recipes](recipes.md) has complete examples. An editor that reads
[`catalog/schema.json`](../catalog/schema.json) shows the same text while you type.

A word in capital letters stands for a name of your choice.
";

const WIDTH: usize = 100;

/// Renders the page.
pub fn render() -> String {
    let schema = catalog::schema::schema();
    let types = schema["$defs"].as_object().cloned().unwrap_or_default();
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n## Tables\n");
    // The table under which a type's fields are listed. If several have one type, the last: services, not
    // their defaults.
    let mut sections: Vec<(String, String)> = Vec::new();
    for (name, field) in fields(&schema) {
        if let (title, Some(item)) = table_title(name, field) {
            sections.retain(|(known, _)| *known != item);
            sections.push((item, title));
        }
    }
    for (name, field) in fields(&schema) {
        let (title, item) = table_title(name, field);
        let _ = write!(page, "\n### {title}\n\n{}\n", wrap(&meaning(field), ""));
        let Some(item) = item else { continue };
        match sections.iter().find(|(known, _)| *known == item) {
            Some((_, other)) if *other != title => {
                let _ = write!(page, "\n{}\n", wrap(&format!("It has the fields of {}.", to(other)), ""));
            }
            _ => write_fields(&mut page, &types[&item], &sections),
        }
    }
    page.push_str("\n## Types\n");
    for (name, definition) in
        types.iter().filter(|(name, _)| !sections.iter().any(|(known, _)| known == *name))
    {
        let _ = write!(page, "\n### {name}\n");
        let text = meaning(definition);
        if !text.is_empty() {
            let _ = write!(page, "\n{}\n", wrap(&text, ""));
        }
        let choices = definition.get("oneOf").or(definition.get("anyOf")).and_then(Value::as_array);
        match choices {
            Some(choices) => write_choices(&mut page, choices, &sections),
            None => write_fields(&mut page, definition, &sections),
        }
    }
    page
}

fn fields(definition: &Value) -> impl Iterator<Item = (&String, &Value)> {
    definition["properties"].as_object().into_iter().flat_map(Map::iter)
}

/// Returns how a table of a catalog is written, and the type of its fields.
fn table_title(name: &str, field: &Value) -> (String, Option<String>) {
    if let Some(item) = field.get("items").and_then(reference) {
        return (format!("`[[{name}]]`"), Some(item));
    }
    if let Some(item) = field.get("additionalProperties").and_then(reference) {
        return (format!("`[{name}.NAME]`"), Some(item));
    }
    (format!("`[{name}]`"), reference(field))
}

/// Returns the name of the type that a schema refers to, if it does.
fn reference(schema: &Value) -> Option<String> {
    let name = |schema: &Value| Some(schema.get("$ref")?.as_str()?.rsplit('/').next()?.to_owned());
    let choices = schema.get("anyOf").and_then(Value::as_array);
    name(schema).or_else(|| choices?.iter().find_map(name))
}

fn write_fields(page: &mut String, definition: &Value, sections: &[(String, String)]) {
    let required = definition.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|n| n == name));
    page.push('\n');
    for (name, field) in fields(definition) {
        let need = if is_required(name) { ", required" } else { "" };
        let line = format!("- `{name}` ({}{need}): {}", kind(field, sections), meaning(field));
        let _ = writeln!(page, "{}", wrap(&line, "  "));
    }
}

fn write_choices(page: &mut String, choices: &[Value], sections: &[(String, String)]) {
    page.push('\n');
    for choice in choices {
        let word = match choice.get("const").and_then(Value::as_str) {
            Some(word) => format!("`\"{word}\"`"),
            None => kind(choice, sections),
        };
        let _ = writeln!(page, "{}", wrap(&format!("- {word}: {}", meaning(choice)), "  "));
    }
}

/// Describes the type of a value in words.
fn kind(schema: &Value, sections: &[(String, String)]) -> String {
    if let Some(name) = reference(schema) {
        let title = sections.iter().find(|(known, _)| *known == name).map_or(&name, |(_, title)| title);
        return to(title);
    }
    let word = match &schema["type"] {
        Value::Array(words) => words.iter().filter_map(Value::as_str).find(|word| *word != "null"),
        word => word.as_str(),
    };
    match word {
        Some("array") => format!("list of {}", kind(&schema["items"], sections)),
        Some("object") => format!("table of {}", kind(&schema["additionalProperties"], sections)),
        Some("string") => "text".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("integer") => "whole number".to_owned(),
        _ => "any".to_owned(),
    }
}

/// Returns a link to a section of the page.
fn to(title: &str) -> String {
    format!("[{title}](#{})", anchor(title))
}

/// Returns the description of a schema, on one line.
fn meaning(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Outside code, `<` starts HTML.
    if line.contains('<') {
        let escape = |(index, part): (usize, &str)| {
            if index % 2 == 0 { part.replace('<', "\\<") } else { part.to_owned() }
        };
        line = line.split('`').enumerate().map(escape).collect::<Vec<_>>().join("`");
    }
    line
}

/// Wraps a line between words, but not inside code or before a word that would start a list.
fn wrap(line: &str, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in words(line) {
        let begins_list =
            word.starts_with(['-', '+', '*', '#', '>']) || word.starts_with(|c: char| c.is_ascii_digit());
        match lines.last_mut() {
            Some(last) if begins_list || last.chars().count() + 1 + word.chars().count() <= WIDTH => {
                last.push(' ');
                last.push_str(&word);
            }
            Some(_) => lines.push(format!("{indent}{word}")),
            None => lines.push(word),
        }
    }
    lines.join("\n")
}

/// Splits a line into words; a code span is one word.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_code = false;
    for part in line.split(' ') {
        match words.last_mut() {
            Some(last) if is_code => {
                last.push(' ');
                last.push_str(part);
            }
            _ => words.push(part.to_owned()),
        }
        is_code ^= part.matches('`').count() % 2 == 1;
    }
    words
}
