//! What the repository says of itself.

use std::fs;

use crate::command::root;

/// Files below a folder, with their text.
fn texts(folder: &str) -> Vec<(String, String)> {
    let list =
        crate::command::sh(root(), &format!("git ls-files --cached --others --exclude-standard {folder}"));
    list.lines()
        .filter_map(|path| Some((path.to_owned(), fs::read_to_string(root().join(path)).ok()?)))
        .collect()
}

#[test]
fn the_toolchain_knows_no_products_name() {
    let products: Vec<String> = texts("catalog")
        .into_iter()
        .filter_map(|(path, _)| Some(path.strip_prefix("catalog/")?.strip_suffix(".toml")?.to_owned()))
        .collect();
    assert!(!products.is_empty());
    for (path, text) in texts("xtask/src units polkit env packaging src/table.rs") {
        for (number, line) in text.lines().enumerate() {
            // The repository's own name, and the name of a program, are no product's.
            let line = line.replace("rovi-services", "").replace("rovi_services", "").replace("bin/rovi", "");
            for product in &products {
                let word =
                    line.split(|c: char| !c.is_alphanumeric()).any(|w| w.eq_ignore_ascii_case(product));
                assert!(!word, "{path}:{}: {line}", number + 1);
            }
        }
    }
}
