//! Template filters. Each one writes a value in the syntax of one file format.

use minijinja::Environment;
use minijinja::value::ViaDeserialize;

pub(super) fn add_to(env: &mut Environment<'static>) {
    env.add_filter("js", js);
    env.add_filter("regex", regex);
    env.add_filter("roff", roff);
    env.add_filter("lines", lines);
    env.add_filter("paragraphs", paragraphs);
    env.add_filter("bullet", bullet);
    env.add_filter("package_version", catalog::model::package_version);
}

/// Writes a JavaScript literal.
fn js(value: ViaDeserialize<serde_json::Value>) -> String {
    serde_json::to_string(&value.0).expect("a template's value has only text keys")
}

/// Escapes text for a Perl regular expression.
fn regex(text: &str) -> String {
    text.chars().flat_map(|c| (!c.is_ascii_alphanumeric()).then_some('\\').into_iter().chain([c])).collect()
}

/// Escapes text for troff, in the middle or at the start of a line.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

/// Wraps text at 100 characters.
fn lines(text: &str) -> Vec<String> {
    text.lines().flat_map(|line| wrap(line, 100)).collect()
}

/// Writes the body of a field of a Debian control file: every line is indented, and a dot marks an empty line.
fn paragraphs(text: &str) -> String {
    let lines =
        text.trim_end().lines().flat_map(|l| if l.is_empty() { vec![".".to_owned()] } else { wrap(l, 78) });
    lines.map(|line| format!(" {line}")).collect::<Vec<_>>().join("\n")
}

/// Writes an entry of a Debian changelog.
fn bullet(text: &str) -> String {
    let lines = wrap(text, 74);
    let mark = |(i, line): (usize, &String)| format!("  {} {line}", if i == 0 { "*" } else { " " });
    lines.iter().enumerate().map(mark).collect::<Vec<_>>().join("\n")
}

/// Wraps text into lines of at most `width` characters.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is always a line");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
