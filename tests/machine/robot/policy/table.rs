//! The table of permissions: encodes the results of every user's calls on every suite as one character each,
//! and compares them with a reviewed file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The columns within a cell, in this order.
pub(crate) const WHO: [&str; 6] = ["op", "late", "gone", "other", "rovi", "root"];

const CLASSES: [&str; 8] =
    ["gateway", "running", "stopped", "others", "foreign", "unlisted", "missing", "odd"];

/// Errors after a denial by polkit, or by D-Bus before it.
const DENIED: [&str; 2] = ["AccessDenied", "InteractiveAuthorizationRequired"];

const HEAD: &str = "\
# Who may do what: `cargo test -p machine --test robot policy` makes every call on booted machines and compares.
#
# A cell has one character for each of these, in this order:
#   op     an operator: a member of rovi-ops, logged in
#   late   became a member after the login, in that same session
#   gone   was a member at the login and is no longer, in that same session
#   other  a user without any group
#   rovi   the user that the services run as: an operator, because the UI bridge is one of them
#   root   shows that the call is a real one: `y` is any answer but a denial and `no such call`
#
#   .  denied
#   -  an error that everybody gets, before anybody is asked for a permission
#   e  permitted, and then refused by systemd for another reason
#   y  permitted
#   o  permitted on Debian 12 only (systemd 252, polkit 122)
#   n  permitted on Debian 13 only (systemd 257, polkit 126)
#   ~  not tried: it would end the machine
#   ?  differs in a way that none of these says
#
# The units:
#   gateway   rovi-gateway.service, active
#   running   rovi-nav.service, a stack that runs until one of the calls stops it
#   stopped   rovi-camera.service, a stack that is installed and does not run
#   others    the three other stacks, in one cell
#   foreign   lamp.service, active: it has nothing to do with the package
#   unlisted  rovi-hidden.service, active: somebody's own, with our prefix
#   missing   rovi-evil.service, with our prefix, not installed
#   odd       24 names that only look like a stack's, such as `rovi-nav.service ` and `rovi-nav.timer`, in one cell
";

/// Results of one user's calls on one suite, in order: (class, unit, call) and the result.
pub(crate) type Ends = Vec<((String, String, String), String)>;

/// Parses the output of `calls.py`.
pub(crate) fn ends(printed: &str) -> Ends {
    let line = |line: &str| {
        let [class, unit, call, end] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("no answer of a call: {line}");
        };
        let end = end.rsplit('.').next().unwrap_or(end);
        ((class.to_owned(), unit.to_owned(), call.to_owned()), end.to_owned())
    };
    printed.lines().map(line).collect()
}

/// A table: cells by row and column, with rows in order.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<(bool, String)>,
    cells: BTreeMap<(String, String), String>,
}

impl Table {
    /// Combines the suites, the older one first; each has the results of all users in [`WHO`].
    pub(crate) fn of(suites: &[Vec<Ends>; 2]) -> Self {
        let mut table = Self::default();
        let mut seen = BTreeSet::new();
        let [old, new] = suites.each_ref().map(|ends| letters(ends));
        for ((class, unit, call), _) in &suites[1][0] {
            let key = (class.clone(), unit.clone(), call.clone());
            let cell: String = std::iter::zip(&old[&key], &new[&key]).map(|(o, n)| join(*o, *n)).collect();
            let is_machine = class == "machine";
            if seen.insert((is_machine, call.clone())) {
                table.rows.push((is_machine, call.clone()));
            }
            // Several units of one class: the most permissive result counts.
            table
                .cells
                .entry((call.clone(), class.clone()))
                .and_modify(|known| *known = std::iter::zip(known.chars(), cell.chars()).map(most).collect())
                .or_insert(cell);
        }
        table
    }

    /// Parses the file.
    pub(crate) fn parse(text: &str) -> Self {
        let mut table = Self::default();
        let mut classes: Vec<&str> = Vec::new();
        for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let (label, cells) = line.split_at(line.len().min(LABEL));
            let cells: Vec<&str> = cells.split_whitespace().collect();
            if label.trim() == "call" {
                classes = cells;
                continue;
            }
            table.rows.push((classes == ["machine"], label.trim().to_owned()));
            for (class, cell) in classes.iter().zip(cells).filter(|(_, cell)| *cell != NONE) {
                table.cells.insert((label.trim().to_owned(), (*class).to_owned()), cell.to_owned());
            }
        }
        table
    }

    /// Returns the expected text of the file.
    pub(crate) fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for (is_machine, classes) in [(false, &CLASSES[..]), (true, &["machine"])] {
            let _ = write!(text, "\n{:LABEL$}", "call");
            let _ = writeln!(text, "{}", classes.map_join(str::to_owned));
            for (_, call) in self.rows.iter().filter(|(machine, _)| *machine == is_machine) {
                let cell = |class: &str| self.cell(call, class).unwrap_or(NONE).to_owned();
                let _ = writeln!(text, "{call:LABEL$}{}", classes.map_join(cell).trim_end());
            }
        }
        text
    }

    /// Returns one line for each different character.
    pub(crate) fn differences(&self, expected: &Self) -> Vec<String> {
        let keys: BTreeSet<_> = self.cells.keys().chain(expected.cells.keys()).collect();
        let mut lines = Vec::new();
        for (call, class) in keys {
            let [is, shall] = [self, expected].map(|t| t.cell(call, class).unwrap_or("      "));
            for (who, (is, shall)) in WHO.iter().zip(is.chars().zip(shall.chars())) {
                if is != shall {
                    lines.push(format!("{call} × {class} × {who}: is `{is}`, shall be `{shall}`"));
                }
            }
        }
        lines
    }

    /// Iterates over what a user is permitted: call and class.
    pub(crate) fn permitted<'t>(&'t self, who: &str) -> impl Iterator<Item = (&'t str, &'t str)> {
        let at = WHO.iter().position(|w| *w == who).expect("one of WHO");
        let is_yes = move |cell: &str| cell.chars().nth(at).is_some_and(|c| "eyon?".contains(c));
        self.cells
            .iter()
            .filter(move |(_, cell)| is_yes(cell))
            .map(|((call, class), _)| (call.as_str(), class.as_str()))
    }

    fn cell(&self, call: &str, class: &str) -> Option<&str> {
        self.cells.get(&(call.to_owned(), class.to_owned())).map(String::as_str)
    }
}

/// Width of a row's name.
const LABEL: usize = 48;

/// Marks a call that is not tried for a class of units.
const NONE: &str = "______";

trait MapJoin {
    fn map_join(&self, cell: impl FnMut(&str) -> String) -> String;
}

impl MapJoin for [&str] {
    fn map_join(&self, mut cell: impl FnMut(&str) -> String) -> String {
        let cells: Vec<String> = self.iter().map(|class| format!("{:9}", cell(class))).collect();
        cells.concat().trim_end().to_owned()
    }
}

/// Returns the characters of one suite: for each call, those of all users.
fn letters(suite: &[Ends]) -> BTreeMap<(String, String, String), Vec<char>> {
    let other = &suite[3];
    let of_call = |at: usize| {
        let (key, stranger) = &other[at];
        let cell = std::iter::zip(WHO, suite).map(|(who, ends)| {
            let (same, end) = &ends[at];
            assert_eq!(same, key, "the calls of `{who}` are others");
            match end.as_str() {
                "ok" => 'y',
                "not tried" => '~',
                end if DENIED.contains(&end) => '.',
                // Whether root's call has an effect depends on the previous call.
                "InvalidArgs" | "UnknownMethod" | "hung up" if who == "root" => '-',
                _ if who == "root" => 'y',
                // polkit did not decide: a user without any rights gets the same result.
                end if end == stranger => '-',
                _ => 'e',
            }
        });
        (key.clone(), cell.collect())
    };
    (0..other.len()).map(of_call).collect()
}

/// Combines the characters of both suites.
fn join(old: char, new: char) -> char {
    let is_yes = |c| c == 'y' || c == 'e';
    match (old, new) {
        _ if old == new => old,
        ('y' | 'e', 'y' | 'e') => 'y',
        ('.' | '-', '.' | '-') => '.',
        _ if is_yes(old) && !is_yes(new) => 'o',
        _ if is_yes(new) && !is_yes(old) => 'n',
        _ => '?',
    }
}

/// Returns the character that stands for more permissions.
fn most((a, b): (char, char)) -> char {
    let power = |c| "-.~eony?".find(c).expect("a known character");
    if power(a) >= power(b) { a } else { b }
}
