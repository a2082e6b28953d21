//! Which wheels run on a machine, and which is the best of them.

use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};
use workspace::target::Target;

/// A machine that a wheel must fit: a processor, a version of Python, and the C library of the release that has it.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    /// Processor as Python names it.
    pub processor: &'static str,
    /// Processor in Debian's spelling, for messages.
    pub name: &'static str,
    /// Version of Python.
    pub version: (u32, u32),
    glibc: u32,
}

/// The C library of the oldest release with each version of Python: Debian 12, Ubuntu 24.04, Debian 13.
const GLIBC: [((u32, u32), u32); 3] = [((3, 11), 36), ((3, 12), 39), ((3, 13), 41)];
/// Names of platforms before their version was a part of the name.
const OLD: [(&str, u32); 3] = [("manylinux1_", 5), ("manylinux2010_", 12), ("manylinux2014_", 17)];

impl Machine {
    pub(super) fn new(target: Target, version: (u32, u32)) -> Machine {
        // A version that is older than all of them is in older releases as well.
        let glibc = GLIBC.iter().rev().find(|(known, _)| *known <= version).map_or(31, |(_, glibc)| *glibc);
        Machine { processor: target.rpm, name: target.deb, version, glibc }
    }

    /// Returns the machines of these targets, with every version of Python for each.
    pub(super) fn all(targets: &[Target], versions: &[(u32, u32)]) -> Vec<Machine> {
        let of = |target: &Target| {
            versions.iter().map(|version| Machine::new(*target, *version)).collect::<Vec<_>>()
        };
        targets.iter().flat_map(of).collect()
    }

    /// Returns whether its Python is in a range. The third number is not known, so any will do.
    pub(super) fn is_in(&self, range: &VersionSpecifiers) -> bool {
        let (major, minor) = (u64::from(self.version.0), u64::from(self.version.1));
        [0, 99].iter().any(|patch| range.contains(&Version::new([major, minor, *patch])))
    }

    /// Returns how well a wheel fits, or `None` if it does not run there.
    pub(super) fn rank(&self, file: &str) -> Option<(u32, u32)> {
        let stem = file.strip_suffix(".whl")?;
        let parts: Vec<&str> = stem.rsplitn(4, '-').collect();
        let [platform, abi, python, _] = parts[..] else { return None };
        let platform = platform.split('.').filter_map(|one| self.rank_platform(one)).max()?;
        let mut best = None;
        for abi in abi.split('.') {
            for python in python.split('.') {
                best = best.max(self.rank_python(python, abi));
            }
        }
        Some((best?, platform))
    }

    /// Ranks a platform: 0 for any, more for a newer C library.
    fn rank_platform(&self, platform: &str) -> Option<u32> {
        if platform == "any" {
            return Some(0);
        }
        let of_processor = platform.strip_suffix(self.processor)?;
        // Without a promise on the C library; only a wheel of the team's own has this.
        if of_processor == "linux_" {
            return Some(1);
        }
        let glibc = match OLD.iter().find(|(name, _)| *name == of_processor) {
            Some((_, glibc)) => *glibc,
            None => {
                let version = of_processor.strip_prefix("manylinux_")?.strip_suffix('_')?;
                let (major, minor) = version.split_once('_')?;
                (major == "2").then_some(minor.parse().ok()?)?
            }
        };
        (glibc <= self.glibc).then_some(2 + glibc)
    }

    /// Ranks the interpreter and its binary interface: the most specific is the best.
    fn rank_python(&self, python: &str, abi: &str) -> Option<u32> {
        let (major, minor) = self.version;
        let number = |text: &str| -> Option<(u32, u32)> {
            let (first, rest) = text.split_at_checked(1)?;
            Some((first.parse().ok()?, if rest.is_empty() { 0 } else { rest.parse().ok()? }))
        };
        if let Some(version) = python.strip_prefix("cp").and_then(number) {
            return match abi {
                "abi3" if version <= self.version => Some(1000 + version.1),
                "none" if version == self.version => Some(500),
                abi if version == self.version && abi == format!("cp{major}{minor}") => Some(2000),
                _ => None,
            };
        }
        let version = number(python.strip_prefix("py")?)?;
        (abi == "none" && version.0 == major && version <= self.version).then_some(1 + version.1)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.version;
        write!(f, "Python {major}.{minor} on {}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use workspace::target;

    use super::*;

    #[test]
    fn the_best_wheel_is_the_most_specific_one_that_runs() {
        let amd64 = Machine::new(target::ALL[0], (3, 11));
        let order = [
            "x-1-cp311-cp311-manylinux_2_28_x86_64.whl",
            "x-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "x-1-cp311-abi3-manylinux2014_x86_64.whl",
            "x-1-cp37-abi3-manylinux2014_x86_64.whl",
            "x-1-py3-none-manylinux_2_5_x86_64.manylinux1_x86_64.whl",
            "x-1-py3-none-any.whl",
        ];
        let ranks: Vec<_> = order.iter().map(|file| amd64.rank(file)).collect();
        assert!(ranks.iter().all(Option::is_some), "{ranks:?}");
        assert!(ranks.windows(2).all(|pair| pair[0] > pair[1]), "{ranks:?}");
        for file in [
            "x-1-cp311-cp311-manylinux_2_38_x86_64.whl",
            "x-1-cp311-cp311-manylinux_2_17_aarch64.whl",
            "x-1-cp311-cp311-musllinux_1_1_x86_64.whl",
            "x-1-cp312-abi3-manylinux2014_x86_64.whl",
            "x-1-cp311-cp311t-manylinux2014_x86_64.whl",
            "x-1-cp310-cp310-manylinux2014_x86_64.whl",
            "x-1-py2-none-any.whl",
            "x-1-cp311-cp311-win_amd64.whl",
            "x-1-cp311-cp311-macosx_11_0_arm64.whl",
            "x.whl",
            "x-1-py3-none-any.zip",
        ] {
            assert_eq!(amd64.rank(file), None, "{file}");
        }
    }
}
