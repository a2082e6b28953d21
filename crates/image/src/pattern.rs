//! Path filters with the semantics of dpkg's `path-exclude` and `path-include`.

use common::glob::matches;

/// Paths to leave out of a root file system, as dpkg decides it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter<'a> {
    /// Patterns to leave out.
    pub(crate) leave_out: &'a [String],
    /// Patterns to keep among those.
    pub(crate) keep: &'a [String],
}

impl Filter<'_> {
    /// Returns whether a path is left out.
    pub(crate) fn skips(&self, path: &str, folder_or_link: bool) -> bool {
        if !self.leave_out.iter().any(|pattern| matches(pattern, path)) {
            return false;
        }
        let kept = |pattern: &String| {
            // A folder stays if something below it may be kept; dpkg compares the same prefix.
            let plain = pattern.split('*').next().unwrap_or_default().trim_end_matches('/');
            matches(pattern, path) || (folder_or_link && path.starts_with(plain))
        };
        !self.keep.iter().any(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::Filter;

    #[test]
    fn what_is_kept_wins() {
        let (leave_out, keep) = (["/usr/share/doc/*".to_owned()], ["/usr/share/doc/*/copyright".to_owned()]);
        let filter = Filter { leave_out: &leave_out, keep: &keep };
        assert!(filter.skips("/usr/share/doc/a/changelog.gz", false));
        assert!(!filter.skips("/usr/share/doc/a/copyright", false));
        assert!(!filter.skips("/usr/share/doc/a", true));
        assert!(!filter.skips("/usr/share/man/a", false));
    }
}
