//! The UI bridge's configuration, as far as it is about fields that this program serves: takes the file, makes
//! [`Field`]s. What belongs to other providers is not looked at.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use base::failure::{Failure, reason};

use crate::executor::fields::yaml::{Node, Value, Wrong};

/// More than anybody writes by hand.
const LARGEST: u64 = 1 << 20;

/// The one provider whose fields are served.
const PROVIDER: &str = "system";

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What its value is about.
    pub about: About,
}

/// What a value is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The state of this unit.
    Service(String),
    /// Whether a process of this name is there: in the unit, or anywhere.
    Process(String, Option<String>),
}

/// Reads the file.
pub fn read(path: &Path) -> Result<Vec<Field>, Failure> {
    let shown = path.display();
    let no = |why: String, todo: &str| Failure::configuration(format!("`{shown}`: {why}: {todo}"));
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|e| no(reason(&e), "give the UI bridge's configuration"))?;
    if bytes.len() as u64 > LARGEST {
        return Err(no("it has more than 1 MiB".to_owned(), "give the UI bridge's configuration"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|e| {
        let line = 1 + bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count();
        no(format!("line {line}: not UTF-8"), "write it again as UTF-8")
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
        node = node.get(key).ok_or_else(|| (node.line, format!("there is no `{path}`")))?;
    }
    let items = match &node.value {
        Value::List(items) => items,
        Value::Nothing => return Ok(Vec::new()),
        _ => return Err((node.line, format!("`{path}` is no list"))),
    };
    let mut fields: Vec<Field> = Vec::new();
    for item in items {
        let Some(field) = field(item)? else { continue };
        if fields.iter().any(|f| f.name == field.name) {
            return Err((item.line, format!("the field `{}` is there twice", field.name)));
        }
        fields.push(field);
    }
    Ok(fields)
}

/// A field of ours.
fn field(item: &Node) -> Result<Option<Field>, Wrong> {
    if !matches!(item.value, Value::Map(_)) {
        return Err((item.line, "a field is a map: `provider:`, `type:` and so on".to_owned()));
    }
    if text(item, "provider")?.as_deref() != Some(PROVIDER) {
        return Ok(None);
    }
    let (service, process) = (text(item, "service")?, text(item, "process")?);
    let name = match text(item, "name")? {
        Some(name) => Some(name),
        None => text(item, "id")?,
    };
    let missing = |key: &str| (item.line, format!("a field of this type needs `{key}:`"));
    let about = match text(item, "type")?.as_deref() {
        Some("service") => {
            let service = service.or_else(|| name.clone()).ok_or_else(|| missing("service"))?;
            About::Service(unit(item, &service)?)
        }
        Some("process") => {
            let process = process.ok_or_else(|| missing("process"))?;
            if process.contains('/') {
                let why =
                    format!("`{process}` is a path: write the last part of it, which is the process's name");
                return Err((item.line, why));
            }
            About::Process(process, service.map(|service| unit(item, &service)).transpose()?)
        }
        Some(other) => return Err((item.line, format!("type `{other}` is neither `service` nor `process`"))),
        None => return Err((item.line, "there is no `type:`: it is `service` or `process`".to_owned())),
    };
    let name = name.unwrap_or_else(|| match &about {
        About::Service(unit) => unit.trim_end_matches(".service").to_owned(),
        About::Process(process, _) => process.clone(),
    });
    Ok(Some(Field { name, about }))
}

/// The unit of a service that is written without its suffix.
fn unit(item: &Node, service: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let name = service.strip_suffix(".service").unwrap_or(service);
    if name.is_empty() || name.len() > 240 || !name.chars().all(plain) {
        let line = item.get("service").map_or(item.line, |node| node.line);
        return Err((line, format!("`{service}` is no name of a service")));
    }
    Ok(format!("{name}.service"))
}

fn text(item: &Node, key: &str) -> Result<Option<String>, Wrong> {
    match item.get(key) {
        None | Some(Node { value: Value::Nothing, .. }) => Ok(None),
        Some(Node { value: Value::Text(text), .. }) => Ok(Some(text.clone())),
        Some(node) => Err((node.line, format!("`{key}` is no text"))),
    }
}

/// A text from a file, as a terminal shows it in one line.
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
            ("x", 4, "a field is a map"),
            ("{provider: system}", 4, "no `type:`"),
            ("{provider: system, type: float}", 4, "type `float`"),
            ("{provider: system, type: service}", 4, "needs `service:`"),
            ("{provider: system, type: process}", 4, "needs `process:`"),
            ("{provider: system, type: process, process: /bin/x}", 4, "is a path"),
            ("{provider: system, type: service,\n         service: ../x}", 5, "no name of a service"),
            ("{provider: system, type: service, service: [x]}", 4, "`service` is no text"),
            ("{provider: [system]}", 4, "`provider` is no text"),
            (
                "{provider: system, type: service, service: a}\n      - {provider: system, type: service, service: a}",
                5,
                "twice",
            ),
        ] {
            let (at, message) = parse_list(&format!("      - {item}\n")).unwrap_err();
            assert!(at == line && message.contains(why), "{item}: {at} {message}");
        }
        let at = |text: &str| fields(&Node::read(text).unwrap()).unwrap_err();
        assert_eq!(at(""), (1, "there is no `streams`".to_owned()));
        assert_eq!(at("streams:\n  status: {}\n"), (2, "there is no `streams.status.fields`".to_owned()));
        assert_eq!(
            at("streams:\n  status:\n    fields: x\n"),
            (3, "`streams.status.fields` is no list".to_owned())
        );
    }
}
