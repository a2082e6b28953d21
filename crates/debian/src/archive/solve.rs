//! Chooses the packages of an image: takes the available packages and a request, and returns the closure in
//! installation order, or all reasons why there is none.
//!
//! This is not a solver. A stable release has one version of almost everything, so the first available
//! alternative is enough, as it is for apt. The result is checked, so a wrong choice is reported.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Result, bail};
use common::glob::matches;

use super::package::Package;
use super::relation::{Relation, describe};
use super::version::compare;

/// A request for packages.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Requested packages, each with alternatives as in `Depends:`.
    pub packages: Vec<Vec<Relation>>,
    /// Whether to include all essential packages.
    pub essential: bool,
    /// Pockets that are used on request only: pocket name, and patterns of package names such as `linux-*`.
    pub on_request: BTreeMap<String, Vec<String>>,
    /// Installed packages, which are neither chosen nor replaced.
    pub there: Vec<Package>,
}

/// Returns the closure of a request, dependencies first.
pub fn solve<'a>(packages: &'a [Package], wish: &Wish, of: &str) -> Result<Vec<&'a Package>> {
    let names = candidates(packages, wish);
    let mut provided: HashMap<&str, Vec<&Package>> = HashMap::new();
    for package in names.values() {
        for relation in &package.provides {
            provided.entry(relation.name.as_str()).or_default().push(package);
        }
    }
    for providers in provided.values_mut() {
        // Among several providers, prefers the one with the priority that Debian installs everywhere.
        providers
            .sort_by_key(|p| (!p.essential, p.priority != "required", p.priority != "important", &p.name));
    }
    let world = World { names, provided };
    let mut chosen: BTreeMap<&str, &Package> = BTreeMap::new();
    let mut faults = BTreeSet::new();
    let mut queue: Vec<&Package> = Vec::new();
    if wish.essential {
        let mut essential: Vec<&Package> = world.names.values().copied().filter(|p| p.essential).collect();
        essential.sort_by_key(|p| &p.name);
        queue.extend(essential);
    }
    for group in &wish.packages {
        match world.first(group) {
            Some(package) => queue.push(package),
            None => drop(faults.insert(format!("{}: not in {of}", describe(group)))),
        }
    }
    // Explicitly requested packages come first, so that they satisfy alternatives of others.
    chosen.extend(queue.iter().map(|p| (p.name.as_str(), *p)));
    let mut next = 0;
    while let Some(package) = queue.get(next).copied() {
        next += 1;
        for group in package.needs() {
            let all = chosen.values().copied().chain(&wish.there);
            if group.iter().any(|r| all.clone().any(|p| p.satisfies(r))) {
                continue;
            }
            match world.first(group) {
                Some(needed) => {
                    chosen.insert(&needed.name, needed);
                    queue.push(needed);
                }
                None => {
                    faults.insert(format!("{} needs {}: not in {of}", package.name, describe(group)));
                }
            }
        }
    }
    for package in chosen.values() {
        for other in chosen.values().copied().filter(|other| package.is_against(other)) {
            faults.insert(format!("{} and {} cannot be installed together", package.name, other.name));
        }
        for there in &wish.there {
            if package.is_against(there) || there.is_against(package) {
                faults.insert(format!("{} cannot be installed beside {}", package.name, there.name));
            }
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.into_iter().collect::<Vec<_>>().join("; "));
    }
    Ok(order(&chosen))
}

struct World<'a> {
    names: HashMap<&'a str, &'a Package>,
    provided: HashMap<&'a str, Vec<&'a Package>>,
}

impl<'a> World<'a> {
    /// Returns the first available alternative.
    fn first(&self, group: &[Relation]) -> Option<&'a Package> {
        group.iter().find_map(|relation| {
            let named = self.names.get(relation.name.as_str()).copied();
            named.filter(|p| relation.allows(&p.version)).or_else(|| {
                let providers = self.provided.get(relation.name.as_str()).into_iter().flatten();
                providers.copied().find(|p| p.stands_for(relation))
            })
        })
    }
}

/// Returns the newest version of each name from the pockets that may provide it.
fn candidates<'a>(packages: &'a [Package], wish: &Wish) -> HashMap<&'a str, &'a Package> {
    let mut names: HashMap<&str, &Package> = HashMap::new();
    for package in packages {
        let may = wish.on_request.get(&package.pocket);
        if may.is_some_and(|patterns| !patterns.iter().any(|pattern| matches(pattern, &package.name)))
            || wish.there.iter().any(|there| there.name == package.name)
        {
            continue;
        }
        names
            .entry(&package.name)
            .and_modify(|known| {
                if compare(&package.version, &known.version).is_gt() {
                    *known = package;
                }
            })
            .or_insert(package);
    }
    names
}

/// Sorts dependencies first. A cycle starts with the package that is met first, which is deterministic.
fn order<'a>(chosen: &BTreeMap<&str, &'a Package>) -> Vec<&'a Package> {
    fn visit<'a>(
        package: &'a Package,
        chosen: &BTreeMap<&str, &'a Package>,
        seen: &mut BTreeSet<&'a str>,
        order: &mut Vec<&'a Package>,
    ) {
        if !seen.insert(&package.name) {
            return;
        }
        for group in package.needs() {
            for relation in group {
                for needed in chosen.values().filter(|p| p.satisfies(relation)) {
                    visit(needed, chosen, seen, order);
                }
            }
        }
        order.push(package);
    }
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    let (essential, others): (Vec<&Package>, Vec<&Package>) = chosen.values().partition(|p| p.essential);
    for package in essential.into_iter().chain(others) {
        visit(package, chosen, &mut seen, &mut order);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::{Wish, solve};
    use crate::archive::package::Package;
    use crate::archive::relation::groups;
    use crate::stanza::stanzas;

    fn universe(text: &str) -> Vec<Package> {
        let rest = format!("Architecture: all\nFilename: pool/x\nSize: 1\nSHA256: {}", "0".repeat(64));
        let text: Vec<String> = text.split("\n\n").map(|s| format!("{}\n{rest}", s.trim())).collect();
        let text = text.join("\n\n");
        stanzas(&text).map(|s| Package::read(s, None).expect("a package")).collect()
    }

    fn names(packages: &str, wish: &str) -> Result<Vec<String>, String> {
        let wish = Wish {
            packages: groups(wish),
            essential: true,
            on_request: [("new".to_owned(), vec!["kernel*".to_owned()])].into(),
            there: Vec::new(),
        };
        solved(&universe(packages), &wish)
    }

    fn solved(packages: &[Package], wish: &Wish) -> Result<Vec<String>, String> {
        let solved = solve(packages, wish, "the archive").map_err(|e| e.to_string())?;
        Ok(solved.iter().map(|p| format!("{}={}", p.name, p.version)).collect())
    }

    #[test]
    fn a_closure_has_what_is_needed_before_what_needs_it() {
        let packages = "Package: base\nVersion: 1\nPocket: old\nEssential: yes\nPre-Depends: awk\n
Package: mawk\nVersion: 1\nPocket: old\nProvides: awk\nPriority: required\n
Package: gawk\nVersion: 1\nPocket: old\nProvides: awk\n
Package: kernel\nVersion: 1\nPocket: old\n
Package: kernel\nVersion: 2\nPocket: new\nDepends: tool (>= 1)\n
Package: tool\nVersion: 1\nPocket: old\nDepends: kernel\n
Package: tool\nVersion: 2\nPocket: new\n
Package: bad\nVersion: 1\nPocket: old\nDepends: nothing | tool (>> 2)\nConflicts: tool";
        assert_eq!(names(packages, "kernel").expect("solved"), ["mawk=1", "base=1", "tool=1", "kernel=2"]);
        assert_eq!(names(packages, "gawk").expect("solved"), ["gawk=1", "base=1"]);
        assert_eq!(
            names(packages, "bad, tool, absent").expect_err("no closure"),
            "absent: not in the archive; bad and tool cannot be installed together; \
             bad needs nothing or tool (>> 2): not in the archive"
        );
    }

    #[test]
    fn what_is_there_is_neither_chosen_nor_changed() {
        let there = "Package: base\nVersion: 1\nPocket: old\n
Package: mawk\nVersion: 1\nPocket: old\nProvides: awk\nBreaks: rival";
        let archive = universe(
            "Package: base\nVersion: 2\nPocket: old\n
Package: gawk\nVersion: 1\nPocket: old\nProvides: awk\n
Package: tool\nVersion: 1\nPocket: old\nDepends: gawk | awk, base\n
Package: young\nVersion: 1\nPocket: old\nDepends: base (>= 2)\n
Package: rival\nVersion: 1\nPocket: old\n
Package: foe\nVersion: 1\nPocket: old\nConflicts: awk",
        );
        let add = |wish: &str| {
            solved(&archive, &Wish { packages: groups(wish), there: universe(there), ..Wish::default() })
        };
        assert_eq!(add("tool").expect("solved"), ["tool=1"]);
        assert_eq!(
            add("young, rival, foe").expect_err("no closure"),
            "foe cannot be installed beside mawk; rival cannot be installed beside mawk; young needs base (>= 2): not in \
             the archive"
        );
    }
}
