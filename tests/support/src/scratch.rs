//! A directory for each test, removed when it is dropped.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::command::tmp;

/// The directory.
pub struct Scratch(PathBuf);

/// Creates a directory; `name` is for a person who looks while the test runs.
pub fn scratch(name: &str) -> Scratch {
    let path = tmp().join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    Scratch(path)
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
