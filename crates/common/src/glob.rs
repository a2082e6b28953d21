//! Glob patterns in which `*` matches any text, including slashes. dpkg's `path-exclude` and kernel module aliases use
//! this form.

/// Returns whether the text matches the pattern.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_is_anything() {
        for (pattern, text) in
            [("a*c", "abc"), ("a*c", "ac"), ("*", ""), ("a*b*c", "a/b/b/c"), ("a*", "a/b"), ("a", "a")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a*c", "abd"), ("a", "ab"), ("ab*b", "ab"), ("a*b*c", "ac"), ("*b", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
