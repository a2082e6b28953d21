//! Parses custom.toml into [`Settings`] and reports errors by line. The same code runs on the machine and for
//! `first-boot check`.

use std::collections::BTreeMap;

use crate::document::{self, Entry, Fault, MASK, Value};
use crate::encoding::Decoded;
use crate::rule::{self, Verdict};

/// Largest file that is read.
pub const LONGEST: usize = 1 << 16;

/// All keys by section.
const KEYS: [(&str, &[&str]); 7] = [
    ("", &["config_version"]),
    ("system", &["hostname", "read_only"]),
    ("user", &["name", "password", "password_encrypted"]),
    ("ssh", &["enabled", "authorized_keys", "password_authentication"]),
    ("wlan", &["ssid", "password", "password_encrypted", "hidden", "country"]),
    ("locale", &["keymap", "timezone", "language"]),
    ("robot", &["role", "workspace"]),
];

/// The result of reading a file.
#[derive(Debug, Default)]
pub struct Reading {
    /// The valid settings.
    pub settings: Settings,
    /// The errors.
    pub faults: Vec<Fault>,
}

/// The requested settings; `None` leaves the machine unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Host name.
    pub hostname: Option<String>,
    /// Whether the root file system is read-only.
    pub read_only: Option<bool>,
    /// The administrator.
    pub user: Option<User>,
    /// SSH settings.
    pub ssh: Ssh,
    /// Wi-Fi settings.
    pub wlan: Option<Wlan>,
    /// Keyboard layout.
    pub keymap: Option<String>,
    /// Time zone.
    pub timezone: Option<String>,
    /// Locale.
    pub language: Option<String>,
    /// Role of the machine.
    pub role: Option<String>,
    /// Path of the workspace.
    pub workspace: Option<String>,
}

/// The administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// `None` leaves the password unchanged.
    pub password: Option<Password>,
}

/// A password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// In plain text.
    Plain(String),
    /// As a hash.
    Hash(String),
}

/// SSH settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ssh {
    /// Whether the server is enabled.
    pub enabled: Option<bool>,
    /// Public keys of the user.
    pub keys: Vec<String>,
    /// Whether password login is allowed.
    pub passwords: Option<bool>,
}

/// A Wi-Fi network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wlan {
    /// Name of the network.
    pub ssid: String,
    /// How to authenticate.
    pub secret: Secret,
    /// Whether the network hides its name.
    pub hidden: bool,
    /// Country code, which determines the allowed channels.
    pub country: Option<String>,
}

/// How to authenticate to a Wi-Fi network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// Open network.
    Open,
    /// Keep the saved password.
    Kept,
    /// Password in plain text.
    Passphrase(String),
    /// Derived key.
    Psk(String),
}

/// Parses the content of a file.
pub fn read(bytes: &[u8]) -> Reading {
    let whole =
        |what: &str| Reading { faults: vec![Fault { line: 0, what: what.to_owned() }], ..Reading::default() };
    if bytes.len() > LONGEST {
        return whole("longer than 65536 bytes: nothing was read: replace it with the right file");
    }
    let Some(decoded) = Decoded::read(bytes) else {
        return whole("not text: nothing was read: save it as UTF-8 without formatting");
    };
    let document = document::read(&decoded.text);
    let mut form = Form { faults: document.faults, ..Form::default() };
    if decoded.guessed() {
        form.fault(0, "not UTF-8, read as Latin-1: save it as UTF-8");
    }
    for entry in document.entries {
        form.add(entry);
    }
    let settings = form.settings();
    form.faults.sort_by_key(|fault| fault.line);
    Reading { settings, faults: form.faults }
}

/// The parsed entries; each is removed when it is used.
#[derive(Default)]
struct Form {
    entries: BTreeMap<(String, String), Entry>,
    faults: Vec<Fault>,
}

impl Form {
    fn fault(&mut self, line: usize, what: &str) {
        self.faults.push(Fault { line, what: what.to_owned() });
    }

    fn add(&mut self, entry: Entry) {
        let (section, key) = match entry.path.as_slice() {
            [key] => (String::new(), key.clone()),
            [section, key] => (section.clone(), key.clone()),
            path => {
                let what =
                    format!("{}: tables inside a section are not supported: remove it", path.join("."));
                return self.fault(entry.line, &what);
            }
        };
        let at = place(&section, &key);
        let Some((_, keys)) = KEYS.iter().find(|(name, _)| *name == section) else {
            let known: Vec<&str> = KEYS.iter().map(|(name, _)| *name).filter(|n| !n.is_empty()).collect();
            let what = format!("{at}: unknown section: expected one of {}", known.join(", "));
            return self.fault(entry.line, &what);
        };
        if !keys.contains(&key.as_str()) {
            let what = format!("{at}: unknown key: expected one of {}", keys.join(", "));
            return self.fault(entry.line, &what);
        }
        if let Some(first) = self.entries.get(&(section.clone(), key.clone())) {
            let what = format!("{at}: already set in line {}: remove one of them", first.line);
            return self.fault(entry.line, &what);
        }
        self.entries.insert((section, key), entry);
    }

    fn settings(&mut self) -> Settings {
        match self.take("", "config_version") {
            None | Some(Entry { value: Value::Number(1), .. }) => {}
            Some(entry) => self.fault(entry.line, "config_version: unsupported version: write 1"),
        }
        let hostname = self.text("system", "hostname", rule::hostname);
        Settings {
            hostname: hostname.map(|name| name.to_ascii_lowercase()),
            read_only: self.switch("system", "read_only"),
            user: self.user(),
            ssh: self.ssh(),
            wlan: self.wlan(),
            keymap: self.text("locale", "keymap", rule::keymap),
            timezone: self.text("locale", "timezone", rule::timezone),
            language: self.text("locale", "language", rule::language),
            role: self.text("robot", "role", rule::role),
            workspace: self.text("robot", "workspace", rule::directory),
        }
    }

    fn user(&mut self) -> Option<User> {
        let hashed = self.switch("user", "password_encrypted").unwrap_or(false);
        let line = self.line("user", "password");
        let password = self.text("user", "password", |value| match (value, hashed) {
            (MASK, _) => Ok(()),
            (value, true) => rule::hash(value),
            (value, false) => rule::password(value),
        });
        let given = self.line("user", "name").is_some();
        let Some(name) = self.text("user", "name", rule::user) else {
            if let (Some(line), false) = (line, given) {
                self.fault(line, "[user] password: there is no user name: add name = \"…\"");
            }
            return None;
        };
        let password = password.filter(|password| password != MASK);
        let password = password.map(|p| if hashed { Password::Hash(p) } else { Password::Plain(p) });
        Some(User { name, password })
    }

    fn ssh(&mut self) -> Ssh {
        let (enabled, passwords) =
            (self.switch("ssh", "enabled"), self.switch("ssh", "password_authentication"));
        let mut keys = Vec::new();
        if let Some(entry) = self.take("ssh", "authorized_keys") {
            let list = match entry.value {
                Value::List(list) => list,
                one => vec![one],
            };
            for (at, value) in list.into_iter().enumerate() {
                let at = format!("[ssh] authorized_keys: key {}", at + 1);
                match value {
                    Value::Text(text) => match rule::key(text.trim()) {
                        Ok(()) => keys.push(text.trim().to_owned()),
                        Err(what) => self.fault(entry.line, &format!("{at}: {what}")),
                    },
                    other => self.fault(
                        entry.line,
                        &format!("{at}: expected text, found {}: write it in quotes", other.kind()),
                    ),
                }
            }
        }
        Ssh { enabled, keys, passwords }
    }

    fn wlan(&mut self) -> Option<Wlan> {
        let hidden = self.switch("wlan", "hidden").unwrap_or(false);
        let country = self.text("wlan", "country", rule::country);
        let encrypted = self.switch("wlan", "password_encrypted").unwrap_or(false);
        let line = self.line("wlan", "password");
        let password = self.text("wlan", "password", |value| match (value, encrypted) {
            (MASK, _) => Ok(()),
            (value, true) => rule::psk(value),
            (value, false) => rule::passphrase(value),
        });
        let given = self.line("wlan", "ssid").is_some();
        let Some(ssid) = self.text("wlan", "ssid", rule::ssid) else {
            if let (Some(line), false) = (line, given) {
                self.fault(line, "[wlan] password: there is no network name: add ssid = \"…\"");
            }
            return None;
        };
        let secret = match (password, line) {
            (Some(kept), _) if kept == MASK => Secret::Kept,
            (Some(psk), _) if encrypted => Secret::Psk(psk.to_ascii_lowercase()),
            (Some(phrase), _) => Secret::Passphrase(phrase),
            // A network without its password cannot be joined, and it must not become an open one.
            (None, Some(_)) => return None,
            (None, None) => Secret::Open,
        };
        Some(Wlan { ssid, secret, hidden, country })
    }

    fn take(&mut self, section: &str, key: &str) -> Option<Entry> {
        self.entries.remove(&(section.to_owned(), key.to_owned()))
    }

    fn line(&self, section: &str, key: &str) -> Option<usize> {
        self.entries.get(&(section.to_owned(), key.to_owned())).map(|entry| entry.line)
    }

    fn text(&mut self, section: &str, key: &str, rule: impl Fn(&str) -> Verdict) -> Option<String> {
        let entry = self.take(section, key)?;
        let at = place(section, key);
        match entry.value {
            Value::Text(text) => match rule(&text) {
                Ok(()) => return Some(text),
                Err(what) => self.fault(entry.line, &format!("{at}: {what}")),
            },
            other => self.fault(
                entry.line,
                &format!("{at}: expected text, found {}: write it in quotes", other.kind()),
            ),
        }
        None
    }

    fn switch(&mut self, section: &str, key: &str) -> Option<bool> {
        let entry = self.take(section, key)?;
        if let Value::Switch(switch) = entry.value {
            return Some(switch);
        }
        let what = format!(
            "{}: expected true or false, found {}: write true or false without quotes",
            place(section, key),
            entry.value.kind()
        );
        self.fault(entry.line, &what);
        None
    }
}

fn place(section: &str, key: &str) -> String {
    let short = |text: &str| text.chars().filter(|c| !c.is_control()).take(40).collect::<String>();
    if section.is_empty() { short(key) } else { format!("[{}] {}", short(section), short(key)) }
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "text",
            Value::Switch(_) => "true or false",
            Value::Number(_) => "a number",
            Value::List(_) => "a list",
            Value::Other(kind) => kind,
        }
    }
}
