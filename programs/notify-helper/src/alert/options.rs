//! The options of `alert` and `mail`.

use std::ffi::OsString;
use std::path::PathBuf;

use base::failure::Failure;
use base::probe::options::usage;

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
    pub(crate) fn parse(mut args: impl Iterator<Item = OsString>) -> Result<Options, Failure> {
        let mut options = Options::default();
        let mut only_unit = false;
        let mut unit = None;
        while let Some(arg) = args.next() {
            let shown = arg.to_string_lossy().into_owned();
            let mut path = || {
                let value = args.next().filter(|v| !v.is_empty());
                value.map(PathBuf::from).ok_or_else(|| usage(&format!("`{shown}`"), "file name is missing"))
            };
            match &*shown {
                "--" if !only_unit => only_unit = true,
                "--user" if !only_unit => options.user = true,
                "--config" if !only_unit => options.config.push(path()?),
                "--leave-mail" if !only_unit => options.leave_mail = Some(path()?),
                _ if shown.starts_with('-') && !only_unit => {
                    return Err(usage(&format!("`{}`", shown.escape_debug()), "unknown option of `alert`"));
                }
                _ if unit.is_some() => {
                    return Err(usage(&format!("`{}`", shown.escape_debug()), "`alert` takes one unit"));
                }
                _ => unit = Some(arg),
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

/// Parses the arguments of `mail`: configuration files and the mail file.
pub(crate) fn mail(mut args: impl Iterator<Item = OsString>) -> Result<(Vec<PathBuf>, PathBuf), Failure> {
    let mut config = Vec::new();
    while let Some(arg) = args.next() {
        match (arg.to_str(), args.next().filter(|v| !v.is_empty())) {
            (Some("--config"), Some(file)) => config.push(file.into()),
            (Some("--"), Some(file)) | (Some(""), Some(file)) => return one(file, args).map(|f| (config, f)),
            (_, None) if !arg.is_empty() => return Ok((config, arg.into())),
            _ => {
                return Err(usage(
                    &format!("`{}`", arg.to_string_lossy().escape_debug()),
                    "unknown option of `mail`",
                ));
            }
        }
    }
    Err(usage("`mail`", "file name is missing"))
}

fn one(file: OsString, mut rest: impl Iterator<Item = OsString>) -> Result<PathBuf, Failure> {
    match rest.next() {
        Some(more) => {
            Err(usage(&format!("`{}`", more.to_string_lossy().escape_debug()), "`mail` takes one file"))
        }
        None => Ok(file.into()),
    }
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
