//! Packages that a payload needs, because its programs need their shared libraries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use catalog::model::Payload;

use super::Faults;
use super::elf::Elf;

/// The relations of a package that follow from its programs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Debian relations.
    pub deb: BTreeSet<String>,
    /// RPM relations.
    pub rpm: BTreeSet<String>,
}

/// Debian's packages by the name of a shared library.
static LIBRARIES: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let lines = include_str!("libraries.txt").lines().map(|line| {
        let mut words = line.split(' ');
        (words.next().unwrap_or_default(), words.collect())
    });
    lines.collect()
});

/// The version of gcc whose libstdc++ has these symbols. Older ones are in every supported release.
const STDCXX: [(u32, &str); 7] =
    [(28, "10"), (29, "11"), (30, "12"), (31, "13.1"), (32, "13.2"), (33, "14"), (34, "15")];

/// Collects the needs of programs. `there` are the names of the files of the package.
pub(super) fn collect(
    payload: &Payload,
    programs: &[(&str, Elf)],
    there: &BTreeSet<&str>,
    needs: &mut Needs,
    report: Faults<'_>,
) {
    let mut glibc = (0, 0);
    let mut stdcxx = 0;
    for (path, elf) in programs {
        let foreign = elf.needed.iter().filter(|library| !there.contains(library.as_str()));
        for library in foreign {
            match find_packages(payload, library) {
                Some(package) => _ = needs.deb.insert(package),
                None => {
                    let todo = "bring the library in a payload, or write its package in `libraries`";
                    report(
                        payload,
                        format!("`{path}` needs `{library}`, which no package of Debian has: {todo}"),
                    );
                }
            }
            let versions: Vec<&str> = elf
                .versions
                .iter()
                .filter(|(of, _)| of == library)
                .map(|(_, version)| version.as_str())
                .collect();
            needs.rpm.insert(format!("{library}()(64bit)"));
            needs.rpm.extend(versions.iter().map(|version| format!("{library}({version})(64bit)")));
            for version in versions {
                if let Some(version) = version.strip_prefix("GLIBC_") {
                    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
                    glibc = glibc.max((parts.next().unwrap_or(0), parts.next().unwrap_or(0)));
                } else if let Some(version) = version.strip_prefix("GLIBCXX_3.4.") {
                    stdcxx = stdcxx.max(version.parse().unwrap_or(0));
                }
            }
        }
    }
    let mut raise = |package: &str, version: String| {
        if needs.deb.remove(package) {
            needs.deb.insert(format!("{package} (>= {version})"));
        }
    };
    if glibc > (0, 0) {
        raise("libc6", format!("{}.{}", glibc.0, glibc.1));
    }
    if let Some((_, version)) = STDCXX.iter().rev().find(|(symbols, _)| *symbols <= stdcxx) {
        raise("libstdc++6", (*version).to_owned());
    }
}

/// Returns the Debian relation for a library: a package, or the packages of several releases, the newest first.
fn find_packages(payload: &Payload, library: &str) -> Option<String> {
    if let Some((_, package)) = payload.libraries.iter().find(|(name, _)| name == library) {
        return Some(package.clone());
    }
    // The loader itself.
    if library.starts_with("ld-linux") {
        return Some("libc6".to_owned());
    }
    let mut packages = LIBRARIES.get(library)?.clone();
    packages.reverse();
    Some(packages.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_in_the_packages_of_every_release() {
        let payload = Payload {
            name: "p".to_owned(),
            at: (String::new(), 1),
            dir: String::new(),
            kind: catalog::model::Kind::Binary(Vec::new()),
            libraries: vec![("libown.so.1".to_owned(), "libown1".to_owned())],
            user: None,
            mode: None,
        };
        for (library, relation) in [
            ("libc.so.6", Some("libc6")),
            ("ld-linux-aarch64.so.1", Some("libc6")),
            ("libssl.so.3", Some("libssl3t64 | libssl3")),
            ("libown.so.1", Some("libown1")),
            ("libnobody-has-this.so.1", None),
        ] {
            assert_eq!(find_packages(&payload, library).as_deref(), relation, "{library}");
        }
    }
}
