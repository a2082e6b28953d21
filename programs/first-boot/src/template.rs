//! Fills the templates in `files/`.

/// Replaces each `{name}` by its value; values are not expanded again.
pub(super) fn filled(template: &str, values: &[(&str, &str)]) -> String {
    let mut made = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        made.push_str(before);
        let value = after.split_once('}').and_then(|(name, after)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((value, after))
        });
        match value {
            Some((value, after)) => {
                made.push_str(value);
                rest = after;
            }
            None => {
                made.push('{');
                rest = after;
            }
        }
    }
    made + rest
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_are_taken_literally() {
        assert_eq!(super::filled("a={a}\n{ b } {a}", &[("a", "{a}")]), "a={a}\n{ b } {a}");
    }
}
