//! A package's metadata for dnf: takes an rpm, and makes its entry in each of the three lists of a repository.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Result;
use package::rpm::Rpm;

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const SUMMARY: u32 = 1004;
const DESCRIPTION: u32 = 1005;
const BUILD_TIME: u32 = 1006;
const BUILD_HOST: u32 = 1007;
const SIZE: u32 = 1009;
const VENDOR: u32 = 1011;
const LICENSE: u32 = 1014;
const PACKAGER: u32 = 1015;
const GROUP: u32 = 1016;
const URL: u32 = 1020;
const ARCH: u32 = 1022;
const FILE_MODES: u32 = 1030;
const FILE_FLAGS: u32 = 1037;
const SOURCE_RPM: u32 = 1044;
const CHANGELOG: [u32; 3] = [1080, 1081, 1082];
const DIR_INDEXES: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIR_NAMES: u32 = 1118;
/// Each kind of relation: its element in the list, and the tags of its names, flags and versions in the header.
const RELATIONS: [(&str, [u32; 3]); 8] = [
    ("provides", [1047, 1112, 1113]),
    ("requires", [1049, 1048, 1050]),
    ("conflicts", [1054, 1053, 1055]),
    ("obsoletes", [1090, 1114, 1115]),
    ("suggests", [5049, 5051, 5050]),
    ("enhances", [5055, 5057, 5056]),
    ("recommends", [5046, 5048, 5047]),
    ("supplements", [5052, 5054, 5053]),
];
/// Flags of a requirement that must be installed before the package's scripts run.
const BEFORE_SCRIPTS: u64 = 1 << 6 | 1 << 9 | 1 << 10;
const GHOST: u64 = 1 << 6;
const CHANGES: usize = 10;

/// A package's entries in the three lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entries {
    pub(super) primary: String,
    pub(super) filelists: String,
    pub(super) other: String,
}

/// The file of a package in the repository.
pub(super) struct Place<'a> {
    pub(super) href: &'a str,
    pub(super) sha256: &'a str,
    pub(super) size: usize,
    pub(super) time: u64,
}

/// Writes the entries of an rpm.
pub(super) fn write_entries(rpm: &Rpm<'_>, place: &Place<'_>) -> Result<Entries> {
    Ok(Entries {
        primary: write_primary(rpm, place)?,
        filelists: write_filelists(rpm, place)?,
        other: write_other(rpm, place)?,
    })
}

fn write_primary(rpm: &Rpm<'_>, place: &Place<'_>) -> Result<String> {
    let mut out = "<package type=\"rpm\">\n".to_owned();
    let text = |tag| escape(&rpm.text(tag));
    let number = |tag| rpm.numbers(tag).first().copied().unwrap_or_default();
    writeln!(out, "  <name>{}</name>\n  <arch>{}</arch>\n  {}", text(NAME), text(ARCH), version(rpm))?;
    writeln!(out, "  <checksum type=\"sha256\" pkgid=\"YES\">{}</checksum>", place.sha256)?;
    for (name, tag) in
        [("summary", SUMMARY), ("description", DESCRIPTION), ("packager", PACKAGER), ("url", URL)]
    {
        writeln!(out, "  <{name}>{}</{name}>", text(tag))?;
    }
    writeln!(out, "  <time file=\"{}\" build=\"{}\"/>", place.time, number(BUILD_TIME))?;
    let archive = rpm.unpacked().unwrap_or_default();
    writeln!(
        out,
        "  <size package=\"{}\" installed=\"{}\" archive=\"{archive}\"/>",
        place.size,
        number(SIZE)
    )?;
    writeln!(out, "  <location href=\"{}\"/>\n  <format>", escape(place.href))?;
    for (name, tag) in [
        ("license", LICENSE),
        ("vendor", VENDOR),
        ("group", GROUP),
        ("buildhost", BUILD_HOST),
        ("sourcerpm", SOURCE_RPM),
    ] {
        writeln!(out, "    <rpm:{name}>{}</rpm:{name}>", text(tag))?;
    }
    let end = rpm.start + rpm.header.len();
    writeln!(out, "    <rpm:header-range start=\"{}\" end=\"{end}\"/>", rpm.start)?;
    let files = read_files(rpm);
    let primary: Vec<&File> = files.iter().filter(|file| file.is_primary()).collect();
    for (kind, tags) in RELATIONS {
        let own = |name: &str| primary.iter().any(|file| file.path == name);
        let lines = write_relations(rpm, kind, tags, own);
        if !lines.is_empty() {
            writeln!(out, "    <rpm:{kind}>\n{}    </rpm:{kind}>", lines.concat())?;
        }
    }
    for file in primary {
        out.push_str(&file.line("    "));
    }
    out.push_str("  </format>\n</package>\n");
    Ok(out)
}

fn write_filelists(rpm: &Rpm<'_>, place: &Place<'_>) -> Result<String> {
    let mut out = head(rpm, place);
    for file in read_files(rpm) {
        out.push_str(&file.line("  "));
    }
    out.push_str("</package>\n");
    Ok(out)
}

fn write_other(rpm: &Rpm<'_>, place: &Place<'_>) -> Result<String> {
    let mut out = head(rpm, place);
    let [times, names, texts] = CHANGELOG;
    let (times, names, texts) = (rpm.numbers(times), rpm.texts(names), rpm.texts(texts));
    let changes: Vec<_> = times.iter().zip(&names).zip(&texts).take(CHANGES).collect();
    // A header lists the newest change first, dnf's list the oldest.
    for ((time, name), text) in changes.into_iter().rev() {
        let (name, text) = (escape(name), escape(text));
        writeln!(out, "  <changelog author=\"{name}\" date=\"{time}\">{text}</changelog>")?;
    }
    out.push_str("</package>\n");
    Ok(out)
}

fn head(rpm: &Rpm<'_>, place: &Place<'_>) -> String {
    let (name, arch) = (escape(&rpm.text(NAME)), escape(&rpm.text(ARCH)));
    format!("<package pkgid=\"{}\" name=\"{name}\" arch=\"{arch}\">\n  {}\n", place.sha256, version(rpm))
}

fn version(rpm: &Rpm<'_>) -> String {
    let epoch = rpm.numbers(EPOCH).first().copied().unwrap_or_default();
    let (version, release) = (escape(&rpm.text(VERSION)), escape(&rpm.text(RELEASE)));
    format!("<version epoch=\"{epoch}\" ver=\"{version}\" rel=\"{release}\"/>")
}

/// The C library, whose newest version that a package requires implies all others.
const LIBC: &str = "libc.so.6";

/// Writes the relations of a kind, without requirements that rpm or the package itself provides. Like createrepo_c, it
/// drops a relation that repeats the last one with the same name, and has the C library once, at the end.
fn write_relations(rpm: &Rpm<'_>, kind: &str, lists: [u32; 3], own: impl Fn(&str) -> bool) -> Vec<String> {
    let requires = kind == "requires";
    let provided = if requires { read_relations(rpm, RELATIONS[0].1, false) } else { Vec::new() };
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    let mut lines = Vec::new();
    let mut libc: Option<(Vec<u32>, String)> = None;
    for (name, line) in read_relations(rpm, lists, requires) {
        if requires && name.starts_with(LIBC) {
            let version = libc_version(&name);
            if libc.as_ref().is_none_or(|(newest, _)| version > *newest) {
                libc = Some((version, line));
            }
            continue;
        }
        let fulfilled =
            || name.starts_with("rpmlib(") || own(&name) || provided.iter().any(|(_, p)| *p == line);
        if requires && fulfilled() || last.get(&name) == Some(&line) {
            continue;
        }
        last.insert(name, line.clone());
        lines.push(line);
    }
    lines.extend(libc.map(|(_, line)| line));
    lines
}

/// Returns the version in a requirement such as `libc.so.6(GLIBC_2.14)(64bit)`; nothing is older than any version.
fn libc_version(name: &str) -> Vec<u32> {
    let version = name.split(['(', ')']).nth(1).and_then(|inner| inner.strip_prefix("GLIBC_"));
    version.into_iter().flat_map(|version| version.split('.')).map_while(|part| part.parse().ok()).collect()
}

/// Returns the names of relations and their lines.
fn read_relations(
    rpm: &Rpm<'_>,
    [names, flags, versions]: [u32; 3],
    with_scripts: bool,
) -> Vec<(String, String)> {
    let (names, flags, versions) = (rpm.texts(names), rpm.numbers(flags), rpm.texts(versions));
    let line = |(i, name): (usize, String)| {
        let flags = flags.get(i).copied().unwrap_or_default();
        let mut line = format!("      <rpm:entry name=\"{}\"", escape(&name));
        let sense = match flags & 0xe {
            2 => "LT",
            4 => "GT",
            8 => "EQ",
            10 => "LE",
            12 => "GE",
            _ => "",
        };
        let version = versions.get(i).map_or("", String::as_str);
        if !sense.is_empty() && !version.is_empty() {
            let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
            let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
            line += &format!(" flags=\"{sense}\" epoch=\"{epoch}\" ver=\"{}\"", escape(version));
            if !release.is_empty() {
                line += &format!(" rel=\"{}\"", escape(release));
            }
        }
        if with_scripts && flags & BEFORE_SCRIPTS != 0 {
            line += " pre=\"1\"";
        }
        (name, line + "/>\n")
    };
    names.into_iter().enumerate().map(line).collect()
}

struct File {
    path: String,
    kind: &'static str,
}

impl File {
    /// Returns whether the file belongs to `primary`, because packages often require files in such folders.
    fn is_primary(&self) -> bool {
        self.path.starts_with("/etc/") || self.path.contains("bin/") || self.path == "/usr/lib/sendmail"
    }

    fn line(&self, indent: &str) -> String {
        format!("{indent}<file{}>{}</file>\n", self.kind, escape(&self.path))
    }
}

fn read_files(rpm: &Rpm<'_>) -> Vec<File> {
    let (bases, dirs, places) = (rpm.texts(BASE_NAMES), rpm.texts(DIR_NAMES), rpm.numbers(DIR_INDEXES));
    let (modes, flags) = (rpm.numbers(FILE_MODES), rpm.numbers(FILE_FLAGS));
    let at = |list: &[u64], i: usize| list.get(i).copied().unwrap_or_default();
    bases
        .iter()
        .enumerate()
        .map(|(i, base)| {
            let dir = usize::try_from(at(&places, i)).ok().and_then(|place| dirs.get(place));
            let kind = if at(&modes, i) & 0o170_000 == 0o040_000 {
                " type=\"dir\""
            } else if at(&flags, i) & GHOST != 0 {
                " type=\"ghost\""
            } else {
                ""
            };
            File { path: format!("{}{base}", dir.map_or("", String::as_str)), kind }
        })
        .collect()
}

/// Escapes text for XML and drops characters that XML cannot contain.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() && !"\n\t".contains(c) => {}
            c => out.push(c),
        }
    }
    out
}
