//! Values that a site sets instead of the catalog's: `--set KEY=VALUE` writes a value into the catalog's tables before
//! anything is checked, so that it gets the same checks as if it stood there.
//!
//! A key is `SERVICE.FIELD`, with more names for nested tables, or a variable: `SERVICE.VARIABLE`, `ROLE.VARIABLE`, or
//! `VARIABLE` for every service and role that has it. The last words of a variable's name are enough, also in lowercase:
//! `host.config` is `DEMO_HOST_CONFIG`. A value for one service or role replaces a value for all.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde_json::Value as Schema;
use toml::{Table, Value};

use crate::finding::{Findings, describe_invalid, describe_unknown, join_or, quote};
use crate::raw::{Catalog, Service, Variable};
use crate::source::Source;
use crate::structure;

/// One value of `--set`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    key: String,
    value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Setting, String> {
        let Some((key, value)) = text.split_once('=') else {
            return Err("expected KEY=VALUE".to_owned());
        };
        let word =
            |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || "-_@".contains(c));
        if !key.split('.').all(word) {
            return Err(describe_invalid("key", key, "SERVICE.FIELD or VARIABLE"));
        }
        Ok(Setting { key: key.to_owned(), value: value.to_owned() })
    }
}

/// The catalog in its three forms, which hold the same.
pub(crate) struct Written<'a> {
    pub(crate) table: &'a mut Table,
    pub(crate) source: &'a mut Source,
    pub(crate) catalog: &'a Catalog,
    /// Services with the fields of their default tables.
    pub(crate) services: &'a [(&'a str, Service)],
}

/// Writes every setting into the catalog, and reports every key that does not exist.
pub(crate) fn apply(
    settings: &[Setting],
    written: &mut Written<'_>,
    schema: &Schema,
    findings: &mut Findings,
) {
    let (all, one): (Vec<&Setting>, Vec<&Setting>) = settings.iter().partition(|s| !s.key.contains('.'));
    for settings in [all, one] {
        let mut seen = BTreeSet::new();
        for setting in settings {
            let places = match setting.find_places(written, schema) {
                Ok(places) => places,
                Err(what) => {
                    findings.add(0, format!("{}: {what}", setting.key));
                    continue;
                }
            };
            for path in places {
                if !seen.insert(path.clone()) {
                    findings.add(0, format!("{}: is set twice: keep one", path.join(".")));
                }
                let value = setting.convert_value(&structure::find_types(schema, &path));
                written.source.set(&path, &value);
                insert(written.table, &path, value);
            }
        }
    }
}

impl Setting {
    /// Finds where the value belongs in the catalog: at least one place.
    fn find_places(&self, written: &Written<'_>, schema: &Schema) -> Result<Vec<Vec<String>>, String> {
        let path: Vec<String> = self.key.split('.').map(str::to_owned).collect();
        let catalog = written.catalog;
        let service = written.services.iter().find(|(name, _)| *name == path[0]);
        match (path.as_slice(), service) {
            ([_], _) => {
                // The same word may mean different variables in different services.
                let services =
                    written.services.iter().map(|(name, service)| list_variables(catalog, name, service));
                let roles = catalog.role.keys().map(|role| list_role_variables(catalog, role));
                let everywhere: Vec<Vec<Place>> = services.chain(roles).collect();
                let chosen = everywhere.iter().filter_map(|all| choose(&self.key, all.clone(), &[]).ok());
                let places: BTreeSet<Vec<String>> = chosen.flatten().collect();
                if places.is_empty() {
                    return choose(&self.key, everywhere.concat(), &[]);
                }
                Ok(places.into_iter().collect())
            }
            ([name, field, ..], Some((_, service))) => {
                let fields = structure::find_keys(schema, &["service", name]);
                if fields.contains(field) {
                    return Ok(vec![[vec!["service".to_owned()], path].concat()]);
                }
                choose(&path[1..].join("."), list_variables(catalog, name, service), &fields)
            }
            ([role, name], None) if catalog.role.contains_key(role) => {
                choose(name, list_role_variables(catalog, role), &[])
            }
            ([table, ..], None) if structure::find_keys::<&str>(schema, &[]).contains(table) => {
                Ok(vec![path])
            }
            ([other, ..], None) => {
                let names = catalog.service.keys().chain(catalog.role.keys());
                let names: BTreeSet<&String> = names.collect();
                Err(describe_unknown("service or role", other, names))
            }
            ([], _) => Err("is empty".to_owned()),
        }
    }

    /// Converts the value to one of the types that its place may have; what does not convert stays text, and is refused
    /// as such.
    fn convert_value(&self, kinds: &[&str]) -> Value {
        let text = &self.value;
        let toml = || toml::from_str::<Table>(&format!("value = {text}")).ok()?.remove("value");
        let list = text.starts_with('[') && kinds.contains(&"array");
        let table = text.starts_with('{') && kinds.contains(&"object");
        let number = kinds.contains(&"integer") && text.parse::<i64>().is_ok();
        let switch = kinds.contains(&"boolean") && (text == "true" || text == "false");
        let plain = || Value::String(text.clone());
        if list || table || number || switch {
            toml().unwrap_or_else(plain)
        } else if kinds.contains(&"array") && !kinds.contains(&"string") {
            Value::Array(vec![plain()])
        } else {
            plain()
        }
    }
}

/// A variable, and where its value stands.
type Place = (String, Vec<String>);

/// Chooses the variable that `word` means, and returns its places.
fn choose(word: &str, all: Vec<Place>, fields: &[String]) -> Result<Vec<Vec<String>>, String> {
    let wanted = word.to_uppercase().replace('-', "_");
    let ending = format!("_{wanted}");
    let names: BTreeSet<&String> = all.iter().map(|(name, _)| name).collect();
    let exact = names.iter().find(|name| **name == word || ***name == wanted);
    let alike: Vec<&&String> = match exact {
        Some(one) => vec![one],
        None => names.iter().filter(|name| name.ends_with(&ending)).collect(),
    };
    match alike.as_slice() {
        [one] => {
            let places: BTreeSet<&Vec<String>> =
                all.iter().filter(|(name, _)| name == **one).map(|(_, place)| place).collect();
            Ok(places.into_iter().cloned().collect())
        }
        [] => {
            let what = if fields.is_empty() { "variable" } else { "variable or field" };
            let valid = names.iter().map(|n| n.as_str()).chain(fields.iter().map(String::as_str));
            Err(describe_unknown(what, word, valid))
        }
        several => {
            let several = several.iter().map(|name| name.to_string());
            Err(format!("ambiguous variable {}: write {}", quote(word), join_or(several)))
        }
    }
}

/// Lists the variables that a service runs with.
fn list_variables(catalog: &Catalog, name: &str, service: &Service) -> Vec<Place> {
    let own = |words: &[&str]| -> Vec<String> {
        ["service", name].iter().chain(words).map(|w| (*w).to_owned()).collect()
    };
    let mut all: Vec<Place> = Vec::new();
    if let Some(role) = &service.role {
        all.extend(list_role_variables(catalog, role));
    }
    all.extend(service.environment.keys().map(|key| (key.clone(), own(&["environment", key]))));
    if let Some(instances) = &service.instances {
        for (instance, variables) in &instances.shipped {
            let place = |key: &String| (key.clone(), own(&["instances", "shipped", instance, key]));
            all.extend(variables.keys().map(place));
        }
    }
    all
}

fn list_role_variables(catalog: &Catalog, role: &str) -> Vec<Place> {
    let Some(spec) = catalog.role.get(role) else { return Vec::new() };
    let place = |(key, variable): (&String, &Variable)| {
        let mut path: Vec<String> = ["role", role, "environment", key].map(str::to_owned).to_vec();
        if let Variable::Explained(_) = variable {
            path.push("value".to_owned());
        }
        (key.clone(), path)
    };
    spec.environment.iter().map(place).collect()
}

/// Inserts a value, with the tables above it.
fn insert(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => _ = table.insert(key.clone(), value),
        [key, rest @ ..] => {
            let below = table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
            if !below.is_table() {
                *below = Value::Table(Table::new());
            }
            if let Value::Table(below) = below {
                insert(below, rest, value);
            }
        }
    }
}
