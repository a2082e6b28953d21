//! Relations between packages, such as `Depends:` (deb-control(5)).

use std::fmt;

use super::version::compare;

/// A package in a relation: a name and an optional version bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Package name.
    pub name: String,
    /// Operator and version.
    pub bound: Option<(String, String)>,
}

/// Parses a field into groups of alternatives.
pub fn groups(field: &str) -> Vec<Vec<Relation>> {
    let groups = field.split(',').map(|group| group.split('|').filter_map(relation).collect::<Vec<_>>());
    groups.filter(|group| !group.is_empty()).collect()
}

impl Relation {
    /// Returns whether a version satisfies the bound.
    pub fn allows(&self, version: &str) -> bool {
        let Some((sign, bound)) = &self.bound else { return true };
        let order = compare(version, bound);
        match sign.as_str() {
            "<<" => order.is_lt(),
            "<=" | "<" => order.is_le(),
            "=" => order.is_eq(),
            ">=" | ">" => order.is_ge(),
            ">>" => order.is_gt(),
            _ => false,
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.bound {
            Some((sign, version)) => write!(f, "{} ({sign} {version})", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Formats a group for a message.
pub fn describe(group: &[Relation]) -> String {
    group.iter().map(Relation::to_string).collect::<Vec<_>>().join(" or ")
}

/// Parses `name`, `name:any` or `name (>= 1)`.
fn relation(text: &str) -> Option<Relation> {
    let text = text.split('[').next()?.trim();
    let (name, bound) = match text.split_once('(') {
        Some((name, bound)) => (name.trim(), Some(bound.trim_end().trim_end_matches(')').trim())),
        None => (text, None),
    };
    let name = name.split(':').next()?.trim();
    let bound = bound.map(|bound| {
        let sign = bound.find(|c: char| !"<=>".contains(c)).unwrap_or(bound.len());
        (bound[..sign].to_owned(), bound[sign..].trim().to_owned())
    });
    (!name.is_empty()).then(|| Relation { name: name.to_owned(), bound })
}

#[cfg(test)]
mod tests {
    use super::groups;

    #[test]
    fn alternatives_and_bounds_are_read() {
        let read = groups("libc6 (>= 2.38), perl:any | perl-base (<<5.42),\n awk, a (= 1:2)");
        assert_eq!(read.len(), 4);
        assert!(read[0][0].allows("2.41-12") && !read[0][0].allows("2.36"));
        assert_eq!((read[1][0].name.as_str(), read[1][1].name.as_str()), ("perl", "perl-base"));
        assert!(read[1][1].allows("5.40.1") && !read[1][1].allows("5.42"));
        assert!(read[3][0].allows("1:2") && !read[3][0].allows("2"));
        assert!(groups("").is_empty());
    }
}
