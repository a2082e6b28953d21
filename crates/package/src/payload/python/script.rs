//! Commands of an environment: small scripts whose first line names the interpreter at its final path.

/// Returns the script of a command, whose object is `MODULE:NAME` as `entry_points.txt` has it.
pub(super) fn command(interpreter: &str, object: &str) -> Option<String> {
    // Extras in brackets have no meaning for an installed command.
    let object = object.split('[').next().unwrap_or_default().trim();
    let (module, name) = object.split_once(':').map(|(module, name)| (module.trim(), name.trim()))?;
    let is_name = |text: &str| {
        !text.is_empty()
            && text.split('.').all(|part| {
                part.starts_with(|c: char| c.is_alphabetic() || c == '_')
                    && part.chars().all(|c| c.is_alphanumeric() || c == '_')
            })
    };
    if !is_name(module) || !is_name(name) {
        return None;
    }
    let first = name.split('.').next().unwrap_or(name);
    Some(format!(
        "#!{interpreter}\nimport sys\n\nfrom {module} import {first}\n\nif __name__ == \"__main__\":\n    sys.exit({name}())\n"
    ))
}

/// Returns a script of a wheel with the interpreter in its first line, if it asks for one with `#!python`.
pub(super) fn with_interpreter(script: &[u8], interpreter: &str) -> Option<Vec<u8>> {
    let end = script.iter().position(|byte| *byte == b'\n').unwrap_or(script.len());
    script[..end]
        .starts_with(b"#!python")
        .then(|| [format!("#!{interpreter}").as_bytes(), &script[end..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_calls_its_object() {
        let text = command("/x/bin/python3", "ovos.core:Main.run [extra]").unwrap_or_default();
        assert!(text.starts_with("#!/x/bin/python3\n"), "{text}");
        assert!(
            text.contains("from ovos.core import Main\n") && text.ends_with("sys.exit(Main.run())\n"),
            "{text}"
        );
        for object in ["module", "a:b;import os", "a b:c", ":c", "a:", "a:b()", "../a:b"] {
            assert_eq!(command("/x", object), None, "{object}");
        }
    }

    #[test]
    fn only_a_script_that_asks_for_it_gets_the_interpreter() {
        for script in ["#!python\nx", "#!pythonw -E\nx"] {
            assert_eq!(with_interpreter(script.as_bytes(), "/p"), Some(b"#!/p\nx".to_vec()), "{script}");
        }
        assert_eq!(with_interpreter(b"#!/bin/sh\nx", "/p"), None);
    }
}
