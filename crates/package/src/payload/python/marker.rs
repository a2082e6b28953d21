//! Environment markers (PEP 508): on which machines a package of a lock is needed.

use std::str::FromStr;

use catalog::finding::quote;
use pep440_rs::{Version, VersionSpecifier};

use super::tag::Machine;

/// How deep parentheses may be nested.
const DEEPEST: usize = 20;
/// Operators; of two that begin alike, the longer one is first.
const OPERATORS: [&str; 10] = ["===", "~=", "==", "!=", "<=", ">=", "<", ">", "not in", "in"];

/// A marker.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Marker {
    All(Vec<Marker>),
    Any(Vec<Marker>),
    Compare { left: Operand, operator: &'static str, right: Operand },
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Variable(Variable),
    Text(String),
}

/// A property of a machine that a marker can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    /// `3.11`.
    Version,
    /// `3.11.2`.
    FullVersion,
    /// `x86_64`.
    Processor,
    /// A value that is the same on all machines, or not known before a machine runs.
    Fixed(&'static str),
}

impl Variable {
    fn parse(name: &str) -> Option<Variable> {
        Some(match name {
            "python_version" => Variable::Version,
            "python_full_version" | "implementation_version" => Variable::FullVersion,
            "platform_machine" => Variable::Processor,
            "os_name" => Variable::Fixed("posix"),
            "sys_platform" => Variable::Fixed("linux"),
            "platform_system" => Variable::Fixed("Linux"),
            "platform_python_implementation" => Variable::Fixed("CPython"),
            "implementation_name" => Variable::Fixed("cpython"),
            "platform_release" | "platform_version" => Variable::Fixed(""),
            _ => return None,
        })
    }

    fn is_version(self) -> bool {
        matches!(self, Variable::Version | Variable::FullVersion)
    }
}

impl Marker {
    /// Parses a marker. The error is the end of a sentence on it.
    pub(super) fn parse(text: &str) -> Result<Marker, String> {
        let mut rest = text.trim();
        let marker = parse_any(&mut rest, 0)?;
        match rest {
            "" => Ok(marker),
            _ => Err(format!("expected `and`, `or` or the end, found {}", quote(rest))),
        }
    }

    /// Returns whether it holds on a machine. The third number of Python's version differs between releases and changes
    /// with their updates, so a package that any of them needs is needed.
    pub(super) fn holds(&self, machine: &Machine) -> bool {
        [0, 99].iter().any(|patch| self.holds_with(machine, *patch))
    }

    fn holds_with(&self, machine: &Machine, patch: u32) -> bool {
        match self {
            Marker::All(markers) => markers.iter().all(|marker| marker.holds_with(machine, patch)),
            Marker::Any(markers) => markers.iter().any(|marker| marker.holds_with(machine, patch)),
            Marker::Compare { left, operator, right } => {
                let is_version = [left, right]
                    .iter()
                    .any(|side| matches!(side, Operand::Variable(variable) if variable.is_version()));
                let (left, right) = (left.value(machine, patch), right.value(machine, patch));
                match is_version.then(|| compare_versions(&left, operator, &right)).flatten() {
                    Some(holds) => holds,
                    None => compare_texts(&left, operator, &right),
                }
            }
        }
    }
}

impl Operand {
    fn value(&self, machine: &Machine, patch: u32) -> String {
        let (major, minor) = machine.version;
        match self {
            Operand::Text(text) => text.clone(),
            Operand::Variable(Variable::Version) => format!("{major}.{minor}"),
            Operand::Variable(Variable::FullVersion) => format!("{major}.{minor}.{patch}"),
            Operand::Variable(Variable::Processor) => machine.processor.to_owned(),
            Operand::Variable(Variable::Fixed(value)) => (*value).to_owned(),
        }
    }
}

fn compare_versions(left: &str, operator: &str, right: &str) -> Option<bool> {
    let (version, range) = match Version::from_str(left) {
        Ok(version) => (version, format!("{operator}{right}")),
        Err(_) => return None,
    };
    Some(VersionSpecifier::from_str(&range).ok()?.contains(&version))
}

fn compare_texts(left: &str, operator: &str, right: &str) -> bool {
    match operator {
        "in" => right.contains(left),
        "not in" => !right.contains(left),
        "!=" => left != right,
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        ">=" => left >= right,
        _ => left == right,
    }
}

fn parse_any(rest: &mut &str, depth: usize) -> Result<Marker, String> {
    parse_chain(rest, "or", Marker::Any, |rest| {
        parse_chain(rest, "and", Marker::All, |rest| parse_one(rest, depth))
    })
}

/// Parses one or more parts with a word between them.
fn parse_chain(
    rest: &mut &str,
    word: &str,
    join: fn(Vec<Marker>) -> Marker,
    mut parse: impl FnMut(&mut &str) -> Result<Marker, String>,
) -> Result<Marker, String> {
    let mut parts = vec![parse(rest)?];
    while take_word(rest, word) {
        parts.push(parse(rest)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { join(parts) })
}

fn parse_one(rest: &mut &str, depth: usize) -> Result<Marker, String> {
    if depth > DEEPEST {
        return Err("has too many parentheses".to_owned());
    }
    if let Some(inner) = rest.strip_prefix('(') {
        *rest = inner.trim_start();
        let marker = parse_any(rest, depth + 1)?;
        *rest = rest.strip_prefix(')').ok_or("has a parenthesis that is not closed")?.trim_start();
        return Ok(marker);
    }
    let left = parse_operand(rest)?;
    let operator = OPERATORS.into_iter().find(|operator| take_operator(rest, operator));
    let operator = operator.ok_or_else(|| format!("expected a comparison, found {}", quote(rest)))?;
    Ok(Marker::Compare { left, operator, right: parse_operand(rest)? })
}

fn parse_operand(rest: &mut &str) -> Result<Operand, String> {
    if let Some(quotation) = rest.chars().next().filter(|c| ['"', '\''].contains(c)) {
        let inner = &rest[1..];
        let end = inner.find(quotation).ok_or("has a text without its end")?;
        *rest = inner[end + 1..].trim_start();
        return Ok(Operand::Text(inner[..end].to_owned()));
    }
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    let variable = Variable::parse(name).ok_or_else(|| match name {
        "extra" | "extras" | "dependency_groups" => {
            format!("`{name}`: the lock is of a project with choices: lock what you install")
        }
        _ => format!("expected a variable, found {}", quote(rest)),
    })?;
    *rest = after.trim_start();
    Ok(Operand::Variable(variable))
}

fn take_operator(rest: &mut &str, operator: &str) -> bool {
    if operator == "not in" {
        let before = *rest;
        let is_there = take_word(rest, "not") && take_word(rest, "in");
        if !is_there {
            *rest = before;
        }
        return is_there;
    }
    if operator == "in" {
        return take_word(rest, operator);
    }
    match rest.strip_prefix(operator) {
        Some(after) => {
            *rest = after.trim_start();
            true
        }
        None => false,
    }
}

/// Takes a word that ends there.
fn take_word(rest: &mut &str, word: &str) -> bool {
    match rest.strip_prefix(word) {
        Some(after) if !after.starts_with(|c: char| c.is_alphanumeric() || c == '_') => {
            *rest = after.trim_start();
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use workspace::target;

    use super::*;

    #[test]
    fn a_marker_says_where_a_package_is_needed() {
        let amd64 = Machine::new(target::ALL[0], (3, 11));
        for (marker, expected) in [
            ("python_version < '3.12'", true),
            ("python_version < '3.9'", false),
            ("python_version >= \"3.9\" and python_version < \"4\"", true),
            ("'3.10' <= python_version", true),
            ("'3.12' <= python_version", false),
            ("python_full_version < '3.11.3'", true),
            ("python_full_version >= '3.11.3'", true),
            ("python_full_version < '3.11'", false),
            ("python_version ~= '3.10'", true),
            ("python_version == '3.*'", true),
            ("python_version in '3.10 3.11'", true),
            ("python_version not in '3.10, 3.11'", false),
            ("sys_platform == 'win32'", false),
            ("sys_platform!='win32'", true),
            ("platform_machine == 'aarch64' or platform_machine == 'x86_64'", true),
            ("os_name == 'nt' and python_version > '3' or sys_platform == 'linux'", true),
            ("os_name == 'nt' and (python_version > '3' or sys_platform == 'linux')", false),
            ("((platform_python_implementation == 'CPython'))", true),
            ("implementation_name == 'pypy'", false),
            ("'linux' in sys_platform", true),
            ("platform_release >= '6'", false),
        ] {
            let parsed = Marker::parse(marker).unwrap_or_else(|why| panic!("{marker}: {why}"));
            assert_eq!(parsed.holds(&amd64), expected, "{marker}");
        }
    }

    #[test]
    fn what_is_no_marker_is_refused() {
        let deep = "(".repeat(100_000);
        for marker in [
            "",
            "python_version",
            "python_version <",
            "python_version < 3.12",
            "python_version < '3.12",
            "(python_version < '3.12'",
            "python_version < '3.12')",
            "python_version < '3.12' and",
            "python_version < '3.12' xor os_name == 'x'",
            "python_version not '3'",
            "pyth\u{f6}n == '3'",
            "extra == 'x'",
            "'x' in dependency_groups",
            &deep,
        ] {
            assert!(Marker::parse(marker).is_err(), "{marker:.40}");
        }
    }
}
