//! Rules for text that ends up in a unit, an environment file or a script: nothing in it may start a line or a
//! comment of its own there.

/// The outcome of a rule: nothing, or what is wrong.
pub type Verdict = Result<(), String>;

/// One line of text for people or machines: no control characters, nothing at its ends that a parser would eat.
pub fn line(value: &str) -> Verdict {
    if value.is_empty() {
        return Err("is empty".to_owned());
    }
    free(value)?;
    if value.trim() != value {
        return Err("starts or ends with white space, which systemd drops: take it away".to_owned());
    }
    if value.ends_with('\\') {
        return Err("ends with a backslash, which would swallow the next line".to_owned());
    }
    Ok(())
}

/// Text without characters that end a line or a string.
pub fn free(value: &str) -> Verdict {
    match value.chars().find(|c| c.is_control()) {
        None => Ok(()),
        Some('\n') => {
            Err("holds a newline, which would start another line of the file: use one line".to_owned())
        }
        Some('\0') => Err("holds a NUL: take it away".to_owned()),
        Some(c) => Err(format!("holds the control character U+{:04X}: take it away", u32::from(c))),
    }
}

/// Lines of text for people, where newlines are welcome and other control characters are not.
pub fn prose(value: &str) -> Verdict {
    if value.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    value.split('\n').try_for_each(free)
}

/// A directive's value: a line in which nobody hoped to comment.
pub fn setting(value: &str) -> Verdict {
    line(value)?;
    let comment = value
        .char_indices()
        .find(|(i, c)| matches!(c, '#' | ';') && (*i == 0 || value[..*i].ends_with(char::is_whitespace)));
    match comment {
        Some((i, _)) => Err(format!(
            "`{}` would be part of the value, systemd knows no comments at the end of a line: \
             write a comment in the catalog instead",
            &value[i..]
        )),
        None => Ok(()),
    }
}

/// The value of an environment variable that systemd and every shell read as the same text.
pub fn variable(value: &str) -> Verdict {
    free(value)?;
    if value.trim() != value {
        return Err("starts or ends with white space, which an unquoted line loses: take it away".to_owned());
    }
    match value.chars().find(|c| matches!(c, '$' | '`' | '\\')) {
        Some(c) => Err(format!(
            "holds `{c}`, which a shell that reads the file expands and a unit does not: write the final value"
        )),
        None => Ok(()),
    }
}

/// An absolute path without detours.
pub fn path(value: &str) -> Verdict {
    setting(value)?;
    if !value.starts_with('/') && !value.starts_with('%') && !value.starts_with("${") {
        return Err("is not an absolute path".to_owned());
    }
    detours(value)
}

/// A path below some directory, without detours.
pub fn relative_path(value: &str) -> Verdict {
    setting(value)?;
    if value.starts_with('/') {
        return Err("is an absolute path: write it as seen from the home directory".to_owned());
    }
    detours(value)
}

fn detours(value: &str) -> Verdict {
    if value.split('/').any(|part| part == "..") {
        return Err("holds `..`: write the path that is meant".to_owned());
    }
    if value.trim_start_matches('/').split('/').any(|part| part.is_empty() || part == ".") && value != "/" {
        return Err("holds an empty part or `.`: write the path that is meant".to_owned());
    }
    Ok(())
}

/// The `${NAME}`s of a value, in order.
pub fn variables_in(value: &str) -> Vec<&str> {
    value.split("${").skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name)).collect()
}

/// A span of time as systemd reads it.
pub fn time_span(value: &str) -> Verdict {
    const UNITS: [&str; 12] = ["", "us", "ms", "s", "sec", "m", "min", "h", "hr", "d", "day", "w"];
    let wrong = || format!("\"{value}\" is no span of time: write it like 20s, 1min 30s or infinity");
    setting(value)?;
    if value == "infinity" {
        return Ok(());
    }
    value.split_whitespace().try_for_each(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        if digits == 0 || !UNITS.contains(&&part[digits..]) { Err(wrong()) } else { Ok(()) }
    })
}

/// A share of processor time.
pub fn percentage(value: &str) -> Verdict {
    match value.strip_suffix('%').and_then(|n| n.parse::<u32>().ok()) {
        Some(1..) => Ok(()),
        _ => Err(format!("\"{value}\" is no share of a processor: write it like 200%")),
    }
}

/// An amount of memory.
pub fn memory(value: &str) -> Verdict {
    let number = value.trim_end_matches(['K', 'M', 'G', 'T']);
    if value.len() - number.len() <= 1 && number.parse::<u64>().is_ok() {
        return Ok(());
    }
    Err(format!("\"{value}\" is no amount of memory: write it like 512M or 4G"))
}

/// The name of a signal.
pub fn signal(value: &str) -> Verdict {
    const SIGNALS: [&str; 9] =
        ["SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGCONT", "SIGWINCH"];
    if SIGNALS.contains(&value) || value.starts_with("SIGRTMIN+") {
        return Ok(());
    }
    Err(format!("\"{value}\" is no signal that stops a service: {}", crate::finding::known(SIGNALS)))
}
