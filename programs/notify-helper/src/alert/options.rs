//! The options of `alert` and `mail`.

use std::ffi::OsString;
use std::path::PathBuf;

use base::arguments::describe;
use base::failure::Failure;
use base::probe::options::usage;
use lexopt::Arg::{Long, Value};

/// systemd's limit for unit names.
const LONGEST: usize = 255;

/// Options of `alert`.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub unit: String,
    /// Whether the unit belongs to the user's own service manager.
    pub user: bool,
    /// Configuration files; the first that exists is used.
    pub config: Vec<PathBuf>,
    /// File for the mail, which `mail` sends later.
    pub leave_mail: Option<PathBuf>,
}

impl Options {
    /// Parses all arguments up to the unit.
    pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Options, Failure> {
        let mut options = Options::default();
        let mut unit = None;
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(argument) = parser.next().map_err(wrong)? {
            match argument {
                Long("user") => options.user = true,
                Long("config") => options.config.push(path(&mut parser, "--config")?),
                Long("leave-mail") => options.leave_mail = Some(path(&mut parser, "--leave-mail")?),
                Value(name) if unit.is_none() => unit = Some(name),
                Value(name) => {
                    let name = name.to_string_lossy().escape_debug().to_string();
                    return Err(usage(&format!("`{name}`"), "`alert` takes one unit"));
                }
                other => return Err(wrong(other.unexpected())),
            }
        }
        let unit = unit.filter(|u| !u.is_empty()).ok_or_else(|| usage("`alert`", "unit name is missing"))?;
        let shown = unit.to_string_lossy().into_owned();
        if !is_unit(&shown) {
            let cut: String = shown.chars().take(80).flat_map(char::escape_debug).collect();
            return Err(usage(&format!("`{cut}`"), "invalid unit name, expected for example `ssh.service`"));
        }
        options.unit = shown;
        Ok(options)
    }
}

/// Accepts systemd's unit names: none contains characters that are special in a shell, header or path, except
/// the backslash of systemd's own escapes.
fn is_unit(name: &str) -> bool {
    let kinds = [
        "service",
        "socket",
        "mount",
        "automount",
        "swap",
        "target",
        "timer",
        "path",
        "slice",
        "scope",
        "device",
    ];
    let Some((first, kind)) = name.rsplit_once('.') else { return false };
    let fits = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    name.len() <= LONGEST && !first.is_empty() && kinds.contains(&kind) && first.chars().all(fits)
}

/// Parses the command line of `mail`: the configuration files, and the file that holds the mail.
pub(crate) fn mail(args: impl Iterator<Item = OsString>) -> Result<(Vec<PathBuf>, PathBuf), Failure> {
    let (mut config, mut mail) = (Vec::new(), None);
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(argument) = parser.next().map_err(wrong)? {
        match argument {
            Long("config") => config.push(path(&mut parser, "--config")?),
            Value(file) if mail.is_none() => mail = Some(file.into()),
            Value(file) => {
                let file = file.to_string_lossy().escape_debug().to_string();
                return Err(usage(&format!("`{file}`"), "`mail` takes one file"));
            }
            other => return Err(wrong(other.unexpected())),
        }
    }
    mail.map(|mail| (config, mail)).ok_or_else(|| usage("`mail`", "file name is missing"))
}

fn path(parser: &mut lexopt::Parser, option: &str) -> Result<PathBuf, Failure> {
    let value = parser.value().ok().filter(|value| !value.is_empty());
    value.map(PathBuf::from).ok_or_else(|| usage(&format!("`{option}`"), "file name is missing"))
}

fn wrong(error: lexopt::Error) -> Failure {
    Failure::usage(format!("{}: see `notify-helper --help`", describe(&error)))
}

#[cfg(test)]
mod tests {
    use super::is_unit;

    #[test]
    fn units() {
        for unit in ["a.service", "a@b.service", "-.mount", "dev-disk\\x2duuid.swap", "a@b@c:d_e.f.service"] {
            assert!(is_unit(unit), "{unit}");
        }
        for no in
            ["", "a", ".service", "a.b", "a b.service", "a\n.service", "../a.service", "ä.service", "a.conf"]
        {
            assert!(!is_unit(no), "{no}");
        }
        assert!(!is_unit(&format!("{}.service", "a".repeat(248))));
    }
}
