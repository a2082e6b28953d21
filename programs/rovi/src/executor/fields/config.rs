//! Reads the UI bridge's configuration and returns the fields of this provider.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use base::failure::{Failure, reason};

use crate::executor::fields::yaml::{Node, Value, Wrong};

/// Limit for the file size.
const LARGEST: u64 = 1 << 20;

/// The provider of this program.
const PROVIDER: &str = "system";

/// A status field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Name of the field.
    pub name: String,
    /// Subject of the field.
    pub about: About,
}

/// The subject of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The state of this unit.
    Service(String),
    /// Whether a process with this name runs, in the unit or anywhere.
    Process(String, Option<String>),
}

/// Reads the file.
pub fn read(path: &Path) -> Result<Vec<Field>, Failure> {
    let shown = path.display();
    let no = |why: String, todo: &str| Failure::configuration(format!("`{shown}`: {why}: {todo}"));
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|e| no(reason(&e), "use the UI bridge's configuration file"))?;
    if bytes.len() as u64 > LARGEST {
        return Err(no("larger than 1 MiB".to_owned(), "use the UI bridge's configuration file"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|e| {
        let line = 1 + bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count();
        no(format!("line {line}: not UTF-8"), "save it as UTF-8")
    })?;
    let wrong = |(line, why): Wrong| no(format!("line {line}: {}", one_line(&why)), "correct it");
    let root = Node::read(text).map_err(wrong)?;
    fields(&root).map_err(wrong)
}

fn fields(root: &Node) -> Result<Vec<Field>, Wrong> {
    let mut node = root;
    let mut path = String::new();
    for key in ["streams", "status", "fields"] {
        path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        node = node.get(key).ok_or_else(|| (node.line, format!("`{path}` is missing")))?;
    }
    let items = match &node.value {
        Value::List(items) => items,
        Value::Nothing => return Ok(Vec::new()),
        _ => return Err((node.line, format!("`{path}` is not a list"))),
    };
    let mut fields: Vec<Field> = Vec::new();
    for item in items {
        let Some(field) = field(item)? else { continue };
        if fields.iter().any(|f| f.name == field.name) {
            return Err((item.line, format!("duplicate field `{}`", field.name)));
        }
        fields.push(field);
    }
    Ok(fields)
}

/// Parses a field; returns `None` for other providers.
fn field(item: &Node) -> Result<Option<Field>, Wrong> {
    if !matches!(item.value, Value::Map(_)) {
        return Err((item.line, "a field must be a map with `provider:`, `type:` and so on".to_owned()));
    }
    if text(item, "provider")?.as_deref() != Some(PROVIDER) {
        return Ok(None);
    }
    let (service, process) = (text(item, "service")?, text(item, "process")?);
    let name = match text(item, "name")? {
        Some(name) => Some(name),
        None => text(item, "id")?,
    };
    let missing = |key: &str| (item.line, format!("a field of this type requires `{key}:`"));
    let about = match text(item, "type")?.as_deref() {
        Some("service") => {
            let service = service.or_else(|| name.clone()).ok_or_else(|| missing("service"))?;
            About::Service(unit(item, &service)?)
        }
        Some("process") => {
            let process = process.ok_or_else(|| missing("process"))?;
            if process.contains('/') {
                let why =
                    format!("`{process}` is a path: write only its last component, the name of the process");
                return Err((item.line, why));
            }
            About::Process(process, service.map(|service| unit(item, &service)).transpose()?)
        }
        Some(other) => {
            return Err((item.line, format!("unknown type `{other}`, expected `service` or `process`")));
        }
        None => return Err((item.line, "`type:` is missing, expected `service` or `process`".to_owned())),
    };
    let name = name.unwrap_or_else(|| match &about {
        About::Service(unit) => unit.trim_end_matches(".service").to_owned(),
        About::Process(process, _) => process.clone(),
    });
    Ok(Some(Field { name, about }))
}

/// Returns the unit for a service name without suffix.
fn unit(item: &Node, service: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let name = service.strip_suffix(".service").unwrap_or(service);
    if name.is_empty() || name.len() > 240 || !name.chars().all(plain) {
        let line = item.get("service").map_or(item.line, |node| node.line);
        return Err((line, format!("`{service}` is not a service name")));
    }
    Ok(format!("{name}.service"))
}

fn text(item: &Node, key: &str) -> Result<Option<String>, Wrong> {
    match item.get(key) {
        None | Some(Node { value: Value::Nothing, .. }) => Ok(None),
        Some(Node { value: Value::Text(text), .. }) => Ok(Some(text.clone())),
        Some(node) => Err((node.line, format!("`{key}` is not text"))),
    }
}

/// Makes a text safe for one line on a terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_list(list: &str) -> Result<Vec<Field>, Wrong> {
        fields(&Node::read(&format!("streams:\n  status:\n    fields:\n{list}")).unwrap())
    }

    #[test]
    fn our_fields_and_no_others() {
        let found = parse_list("
      - {name: battery, provider: topic, topic: /battery, unit: V, min: [odd]}
      - {provider: system, type: service, service: rovi-nav}
      - {name: rovi-gateway, provider: system, type: service}
      - {name: lidar, provider: system, type: process, process: lidar_node, service: rovi-nav.service, label: x}
      - {id: ssh, provider: system, type: process, process: sshd}
");
        let field = |name: &str, about| Field { name: name.to_owned(), about };
        let service = |unit: &str| About::Service(unit.to_owned());
        let nav = Some("rovi-nav.service".to_owned());
        let expected = vec![
            field("rovi-nav", service("rovi-nav.service")),
            field("rovi-gateway", service("rovi-gateway.service")),
            field("lidar", About::Process("lidar_node".to_owned(), nav)),
            field("ssh", About::Process("sshd".to_owned(), None)),
        ];
        assert_eq!(found, Ok(expected));
        assert_eq!(parse_list("      []\n"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_has_its_line() {
        for (item, line, why) in [
            ("x", 4, "a field must be a map"),
            ("{provider: system}", 4, "`type:` is missing"),
            ("{provider: system, type: float}", 4, "unknown type `float`"),
            ("{provider: system, type: service}", 4, "requires `service:`"),
            ("{provider: system, type: process}", 4, "requires `process:`"),
            ("{provider: system, type: process, process: /bin/x}", 4, "is a path"),
            ("{provider: system, type: service,\n         service: ../x}", 5, "is not a service name"),
            ("{provider: system, type: service, service: [x]}", 4, "`service` is not text"),
            ("{provider: [system]}", 4, "`provider` is not text"),
            (
                "{provider: system, type: service, service: a}\n      - {provider: system, type: service, service: a}",
                5,
                "duplicate field",
            ),
        ] {
            let (at, message) = parse_list(&format!("      - {item}\n")).unwrap_err();
            assert!(at == line && message.contains(why), "{item}: {at} {message}");
        }
        let at = |text: &str| fields(&Node::read(text).unwrap()).unwrap_err();
        assert_eq!(at(""), (1, "`streams` is missing".to_owned()));
        assert_eq!(at("streams:\n  status: {}\n"), (2, "`streams.status.fields` is missing".to_owned()));
        assert_eq!(
            at("streams:\n  status:\n    fields: x\n"),
            (3, "`streams.status.fields` is not a list".to_owned())
        );
    }
}
