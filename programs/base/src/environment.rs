//! The environment of a launch: this process's environment, then the environment file, then the changes of
//! setup scripts.
//!
//! Names and values are bytes, not necessarily UTF-8.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::failure::{Failure, reason};
use crate::{bounded, env_file};

/// Variables between the service manager and this process; the launch must not answer for it.
const OURS: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];

/// Variables of the shell itself: changes to them by setup scripts are not for the launch.
const THE_SHELLS: [&str; 6] = ["_", "SHLVL", "OLDPWD", "BASH_ENV", "SHELLOPTS", "BASHOPTS"];

/// Variables by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Returns this process's environment without the variables that only this process needs.
    pub fn inherited() -> Environment {
        let all = std::env::vars_os().filter(|(name, _)| !OURS.iter().any(|ours| name == ours));
        Environment(all.collect())
    }

    /// Returns the value of a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.insert(name.into(), value.into());
    }

    /// Reads an environment file. Its values override the environment as in the unit, unless `keep` is set.
    /// Returns the names of variables that differ.
    pub fn load(&mut self, path: &Path, keep: bool) -> Result<Vec<String>, Failure> {
        let content = bounded::read(path, bounded::ENVIRONMENT).map_err(|e| {
            let todo = "reinstall the package that ships it, or restore it from a backup";
            Failure::configuration(format!("`{}`: {}: {todo}", path.display(), reason(&e)))
        })?;
        let file: BTreeMap<_, _> = env_file::parse(&content).into_iter().collect();
        let mut differ = Vec::new();
        for (name, value) in file {
            if self.0.get(&name).is_some_and(|own| *own != value) {
                differ.push(name.to_string_lossy().into_owned());
                if keep {
                    continue;
                }
            }
            self.0.insert(name, value);
        }
        Ok(differ)
    }

    /// Replaces every `${NAME}` in `text`; the error is the first name that is unset or empty.
    pub fn expand(&self, text: &str) -> Result<OsString, String> {
        self.replace(text, |name| match self.get(name) {
            Some(value) if !value.is_empty() => Ok(value.as_bytes().to_vec()),
            _ => Err(name.to_owned()),
        })
    }

    /// Replaces every `${NAME}` for people; unset variables stay as written.
    pub fn expand_shown(&self, text: &str) -> String {
        let shown = self.replace::<()>(text, |name| match self.get(name) {
            Some(value) => Ok(value.as_bytes().to_vec()),
            None => Ok(format!("${{{name}}}").into_bytes()),
        });
        shown.unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Returns this environment without variables that change how a shell reads scripts.
    pub fn for_a_shell(&self) -> Environment {
        let mut shell = self.clone();
        shell.0.retain(|name, _| !["BASH_ENV", "SHELLOPTS", "BASHOPTS"].iter().any(|n| name == n));
        shell
    }

    /// Returns this environment after setup scripts; `dump` contains `NAME=value`, each ended by NUL.
    pub fn after_setup(&self, dump: &[u8]) -> Environment {
        let entries = dump.split(|&b| b == 0).filter_map(|entry| {
            let equals = entry.iter().position(|&b| b == b'=').filter(|&at| at > 0)?;
            Some((OsString::from_vec(entry[..equals].into()), OsString::from_vec(entry[equals + 1..].into())))
        });
        let mut after: BTreeMap<_, _> = entries.collect();
        for name in THE_SHELLS {
            match self.0.get(OsStr::new(name)) {
                Some(before) => after.insert(name.into(), before.clone()),
                None => after.remove(OsStr::new(name)),
            };
        }
        if self.get("PWD").is_none() {
            after.remove(OsStr::new("PWD"));
        }
        Environment(after)
    }

    /// Returns all variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// Converts to the format of `execve`. No entry can contain NUL: each was a C string or was split at NUL.
    pub fn to_c_strings(&self) -> Vec<CString> {
        let entry = |(name, value): (&OsStr, &OsStr)| [name.as_bytes(), b"=", value.as_bytes()].concat();
        self.iter().map(entry).filter_map(|bytes| CString::new(bytes).ok()).collect()
    }

    fn replace<E>(&self, text: &str, value: impl Fn(&str) -> Result<Vec<u8>, E>) -> Result<OsString, E> {
        let mut made = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, tail)) = after.split_once('}') else { break };
            made.extend_from_slice(before.as_bytes());
            made.extend(value(name)?);
            rest = tail;
        }
        made.extend_from_slice(rest.as_bytes());
        Ok(OsString::from_vec(made))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(entries: &[(&str, &str)]) -> Environment {
        Environment(entries.iter().map(|(n, v)| (n.into(), v.into())).collect())
    }

    #[test]
    fn expansion() {
        let env = environment(&[("A", "x"), ("EMPTY", "")]);
        assert_eq!(env.expand("/${A}/${A}b"), Ok("/x/xb".into()));
        assert_eq!(env.expand("/${B}"), Err("B".to_owned()));
        assert_eq!(env.expand("/${EMPTY}/setup"), Err("EMPTY".to_owned()));
        assert_eq!(env.expand("$A ${A"), Ok("$A ${A".into()));
        assert_eq!(env.expand_shown("build ${A} in ${B}"), "build x in ${B}");
    }

    #[test]
    fn a_dump_keeps_lines_and_loses_what_is_the_shells_own() {
        let before = environment(&[("SHLVL", "3"), ("PATH", "/bin"), ("GONE", "1"), ("PWD", "/")]);
        let after =
            before.after_setup(b"PATH=/x:/bin\0LINES=a\nb=c\0SHLVL=4\0_=/usr/bin/env\0OLDPWD=/\0PWD=/w\0");
        let expected = [("LINES", "a\nb=c"), ("PATH", "/x:/bin"), ("PWD", "/w"), ("SHLVL", "3")];
        assert_eq!(after, environment(&expected));
        assert_eq!(environment(&[]).after_setup(b"PWD=/\0A=\0"), environment(&[("A", "")]));
    }
}
