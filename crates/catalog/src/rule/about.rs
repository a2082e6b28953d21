//! Rules for what a package says about itself, as dpkg, rpm and their linters read it.

use crate::finding::describe_invalid;
use crate::rule::name::is_version;
use crate::rule::text::{self, Verdict};

/// Checks a summary, which package lists show.
pub fn check_summary(value: &str) -> Verdict {
    text::check_line(value)?;
    if value.ends_with('.') {
        return Err("ends with a period: remove it".to_owned());
    }
    if let Some(article) = ["A ", "An ", "The ", "a ", "an ", "the "].iter().find(|a| value.starts_with(**a))
    {
        return Err(format!("starts with the article \"{}\": remove it", article.trim()));
    }
    match value.chars().count() {
        ..=80 => Ok(()),
        long => Err(format!("is {long} characters long, which package lists truncate: use at most 80")),
    }
}

/// Checks `Name <address>`.
pub fn check_maintainer(value: &str) -> Verdict {
    text::check_line(value)?;
    let parts = value.split_once(" <").and_then(|(who, rest)| Some((who, rest.strip_suffix('>')?)));
    let fits = parts.is_some_and(|(who, mail)| {
        let word =
            |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c));
        let name = !who.trim().is_empty() && !who.contains(['<', '>', '@', ',', '"', '(', ')']);
        name && mail.split_once('@').is_some_and(|(user, host)| word(user) && word(host))
    });
    if fits { Ok(()) } else { Err(describe_invalid("maintainer", value, "`Name <name@example.org>`")) }
}

/// Checks an SPDX license expression.
pub fn check_license(value: &str) -> Verdict {
    text::check_line(value)?;
    let words: Vec<&str> = value.split([' ', '(', ')']).filter(|w| !w.is_empty()).collect();
    let operator = |w: &str| matches!(w, "AND" | "OR" | "WITH");
    let name = |w: &str| {
        w.starts_with(|c: char| c.is_ascii_alphanumeric())
            && w.chars().all(|c| c.is_ascii_alphanumeric() || ".+-".contains(c))
    };
    let alternates =
        words.len() % 2 == 1 && words.iter().enumerate().all(|(i, w)| operator(w) == (i % 2 == 1) && name(w));
    if alternates && value.matches('(').count() == value.matches(')').count() {
        return Ok(());
    }
    Err(describe_invalid("SPDX expression", value, "one like \"MIT\" or \"MIT OR Apache-2.0\""))
}

/// Checks the URL of a web page.
pub fn check_homepage(value: &str) -> Verdict {
    text::check_line(value)?;
    let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    let host = rest.map(|r| r.split(['/', '?', '#']).next().unwrap_or_default());
    if host.is_some_and(|h| !h.is_empty()) && address(value) {
        return Ok(());
    }
    Err(describe_invalid("URL", value, "one like https://example.org/product"))
}

/// Checks a URI for `Documentation=`.
pub fn check_documentation(value: &str) -> Verdict {
    text::check_line(value)?;
    let known = ["https://", "http://", "file:/", "info:", "man:"]
        .iter()
        .any(|s| value.len() > s.len() && value.starts_with(s));
    if known && address(value) {
        return Ok(());
    }
    Err(describe_invalid("documentation URI", value, "one like https://example.org/page or man:name(7)"))
}

fn address(value: &str) -> bool {
    value.chars().all(|c| c.is_ascii_graphic() && !"\"'<>\\`{}|^".contains(c))
}

/// Checks a relation of a Debian package.
pub fn check_relation_deb(value: &str) -> Verdict {
    text::check_line(value)?;
    let name = |n: &str| {
        let n = n.split_once(':').map_or(n, |(n, _)| n);
        n.len() >= 2
            && n.starts_with(|c: char| c.is_ascii_alphanumeric())
            && n.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c))
    };
    let one = |relation: &str| match relation.split_once(" (") {
        None => name(relation),
        Some((n, rest)) => {
            let bound = rest.strip_suffix(')').and_then(|b| b.split_once(' '));
            name(n)
                && bound.is_some_and(|(op, v)| ["<<", "<=", "=", ">=", ">>"].contains(&op) && is_version(v))
        }
    };
    if value.split(" | ").all(one) {
        return Ok(());
    }
    Err(describe_invalid("Debian relation", value, "one like \"python3 (>= 3.11)\" or \"mawk | gawk\""))
}

/// Checks a relation of an RPM package.
pub fn check_relation_rpm(value: &str) -> Verdict {
    text::check_line(value)?;
    let name =
        |n: &str| !n.is_empty() && n.chars().all(|c| c.is_ascii_alphanumeric() || "._+-/():".contains(c));
    let words: Vec<&str> = value.split(' ').collect();
    let fits = match words.as_slice() {
        [n] => name(n),
        [n, op, v] => name(n) && ["<", "<=", "=", ">=", ">"].contains(op) && is_version(v),
        _ => false,
    };
    if fits { Ok(()) } else { Err(describe_invalid("RPM relation", value, "one like \"python3 >= 3.11\"")) }
}
