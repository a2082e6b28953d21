//! `cargo xtask lock`, with the real index of Python packages.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use support::command::{both, run};
use support::scratch::scratch;

use crate::payload::REST;
use crate::repo::toolchain;

fn write(dir: &Path, requirements: &str) {
    let table = format!(
        "[payload.env]\npython = {{ lock = \"pylock.toml\", versions = [\"3.11\", \"3.13\"], requirements = \
         [{requirements}] }}\n"
    );
    fs::write(dir.join("catalog.toml"), table + REST).unwrap();
}

fn lock(dir: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(toolchain());
    command.current_dir(dir).env("CARGO_TARGET_DIR", dir.join("target"));
    run(command.args(["lock", "--catalog", "catalog.toml"]).args(more))
}

#[test]
fn a_lock_has_a_wheel_for_every_machine_and_stays_as_it_is() {
    let dir = scratch("lock");
    let text = || fs::read_to_string(dir.join("pylock.toml")).unwrap_or_default();
    // This package has wheels for each version of Python, this one nothing but its source, and this one is for Python 3.11.
    write(&dir, "\"markupsafe==3.0.1\", \"combo-lock==0.3.1\", \"colorama; python_version < '3.12'\"");
    let made = lock(&dir, &[]);
    let output = both(&made);
    assert!(made.status.success(), "{output}");
    let stdout = String::from_utf8_lossy(&made.stdout);
    assert_eq!(stdout, "pylock.toml\nwheels/combo_lock-0.3.1-py3-none-any.whl\n", "{output}");
    assert!(output.contains("building a wheel of combo-lock 0.3.1\n"), "{output}");
    assert!(output.contains("add markupsafe 3.0.1\n") && output.contains("add filelock "), "{output}");
    let first = text();
    for wheel in ["cp311-cp311-manylinux", "cp313-cp313-manylinux"] {
        let lines: Vec<&str> =
            first.lines().filter(|line| line.contains("MarkupSafe-3.0.1") && line.contains(wheel)).collect();
        assert_eq!(lines.len(), 2, "{first}");
    }
    assert!(first.contains("{ path = \"wheels/combo_lock-0.3.1-py3-none-any.whl\", size = "), "{first}");
    let only = "marker = \"(python_version == '3.11' and platform_machine == 'x86_64' and sys_platform == 'linux') or \
                (python_version == '3.11' and platform_machine == 'aarch64' and sys_platform == 'linux')\"";
    assert!(first.contains(&format!("name = \"colorama\"\nversion = \"0.4.6\"\n{only}\n")), "{first}");
    for foreign in ["musllinux", "win_amd64", "macosx", "cp312", ".tar.gz"] {
        assert!(!first.contains(foreign), "{foreign}: {first}");
    }

    // The wheels are in the cache now, and no network is needed any more.
    let mut offline = Command::new("unshare");
    offline.current_dir(&*dir).env("CARGO_TARGET_DIR", dir.join("target")).arg("--net").arg(toolchain());
    let made = run(offline.args(["dist", "--catalog", "catalog.toml", "--out", "out"]));
    assert!(made.status.success(), "{}", both(&made));

    // Again: the same, from the wheel that is there.
    let again = lock(&dir, &[]);
    assert!(
        both(&again).contains("no package changes") && !both(&again).contains("building"),
        "{}",
        both(&again)
    );
    assert_eq!(text(), first);

    // Versions stay where they can, until a person asks for new ones.
    write(&dir, "\"markupsafe\", \"combo-lock==0.3.1\"");
    let output = both(&lock(&dir, &[]));
    assert!(output.contains("remove colorama 0.4.6\n") && !output.contains("markupsafe"), "{output}");
    let output = both(&lock(&dir, &["--upgrade", "markupsafe"]));
    assert!(output.contains("change markupsafe 3.0.1 to ") && !output.contains("filelock"), "{output}");

    // After a merge with conflicts, the lock is made anew.
    fs::write(dir.join("pylock.toml"), format!("<<<<<<< ours\n{}", text())).unwrap();
    let output = both(&lock(&dir, &[]));
    assert!(output.contains("add markupsafe ") && text().starts_with("# Made by"), "{output}");

    // After a failure, the lock is as it was.
    let before = text();
    for (requirements, status, words) in [
        (
            "\"markupsafe==99\"",
            1,
            "error: uv finds no versions for `requirements`:\n  error: No solution found",
        ),
        (
            "\"webrtcvad==2.0.10\"",
            78,
            "error: catalog.toml:1: payload.env: `webrtcvad` 2.0.10 has no wheel for Python 3.11 on amd64, Python 3.13 on \
             amd64, Python 3.11 on arm64, Python 3.13 on arm64, and is not pure Python: choose another version or package \
             in `requirements`, or build the wheels yourself and put them into `wheels`\n",
        ),
        (
            "",
            78,
            "error: catalog.toml:1: payload.env: the lock `pylock.toml` is not made from here: write what to lock in \
             `requirements`\n",
        ),
    ] {
        write(&dir, requirements);
        let refused = lock(&dir, &[]);
        assert_eq!(refused.status.code(), Some(status), "{requirements}: {}", both(&refused));
        assert!(both(&refused).contains(words), "{requirements}: {}", both(&refused));
        assert_eq!(text(), before, "{requirements}");
    }
    fs::write(dir.join("catalog.toml"), REST).unwrap();
    let nothing = lock(&dir, &[]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(both(&nothing).contains("error: nothing to lock: no payload of the catalog has `python`"));
}

/// Faults that are only found in the wheels are reported as soon as the lock is made.
#[test]
fn a_lock_is_checked_when_it_is_made() {
    let dir = scratch("lock-checked");
    let wheels = dir.join("wheels");
    fs::create_dir(&wheels).unwrap();
    let script = "from wheel import *; wheel('secret_thing', '2.0', [('secret_thing.py', '')], license='')";
    let support = Path::new(env!("CARGO_MANIFEST_DIR")).join("support");
    let mut python = Command::new("python3");
    let made = run(python.args(["-B", "-c", script]).current_dir(&wheels).env("PYTHONPATH", support));
    assert!(made.status.success(), "{}", both(&made));
    write(&dir, "\"secret-thing\"");
    let output = lock(&dir, &[]);
    assert_eq!(output.status.code(), Some(78), "{}", both(&output));
    let words = "`secret-thing` 2.0 does not say its license: write it in `licenses`, such as \"secret-thing\" = \"MIT\"";
    assert!(both(&output).contains(words), "{}", both(&output));
    let text = fs::read_to_string(dir.join("pylock.toml")).unwrap();
    assert!(text.contains("{ path = \"wheels/secret_thing-2.0-py3-none-any.whl\""), "{text}");
}
