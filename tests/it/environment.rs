//! The Python environments of the products: made here for every processor, without running Python.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use support::command::{dist, root, sh};
use support::scratch::scratch;
use walkdir::WalkDir;

/// `e_machine` of an ELF file.
const MACHINES: [(&str, u16); 2] = [("amd64.deb", 62), ("arm64.deb", 183)];
const PRODUCTS: [(&str, usize); 3] = [("hakuriver", 8), ("home-lab", 4), ("mycroft", 12)];

#[test]
fn an_environment_is_for_its_processor_and_knows_nothing_of_this_machine() {
    let build = root().to_str().unwrap().as_bytes();
    let home = std::env::home_dir().unwrap();
    for (product, most) in PRODUCTS {
        let mut shared: Vec<BTreeMap<String, Vec<u8>>> = Vec::new();
        for (ending, machine) in MACHINES {
            let dir = scratch(&format!("environment-{product}-{ending}"));
            let deb = dist().package(&format!("{product}-services"), ending);
            sh(&dir, &format!("dpkg-deb --extract {} .", deb.display()));
            let venv = dir.join(format!("usr/lib/{product}/venv"));
            let (mut programs, mut modules) = (0, BTreeMap::new());
            for file in WalkDir::new(&venv).into_iter().map(Result::unwrap) {
                let below = file.path().strip_prefix(&venv).unwrap();
                let path = format!("{product} {ending} {}", below.display());
                assert!(!below.to_string_lossy().contains("__pycache__"), "{path}");
                if !file.file_type().is_file() {
                    continue;
                }
                let bytes = fs::read(file.path()).unwrap();
                for place in [build, home.join(".cache").to_str().unwrap().as_bytes()] {
                    assert!(!bytes.windows(place.len()).any(|part| part == place), "{path}");
                }
                if bytes.starts_with(b"\x7fELF") {
                    programs += 1;
                    assert_eq!(u16::from_le_bytes([bytes[18], bytes[19]]), machine, "{path}");
                } else if below.starts_with("bin") {
                    let start = format!("#!/usr/lib/{product}/venv/bin/python3\n");
                    assert!(bytes.starts_with(start.as_bytes()), "{path}");
                }
                if below.starts_with("lib/shared") && below.extension().is_some_and(|end| end == "py") {
                    modules.insert(below.to_str().unwrap().to_owned(), bytes);
                }
            }
            assert!(programs >= most, "{product}: {programs} programs");
            for (link, target) in
                [("bin/python3", "/usr/bin/python3"), ("bin/python", "python3"), ("lib64", "lib")]
            {
                assert_eq!(fs::read_link(venv.join(link)).unwrap(), Path::new(target), "{product} {link}");
            }
            shared.push(modules);
        }
        // The modules are the same for both.
        assert!(shared[0] == shared[1] && !shared[0].is_empty(), "{product}");
    }
}
