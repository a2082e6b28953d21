//! Tests the `first-boot` binary: its messages about `custom.toml` files, and how it grows a partition table. `UPDATE=1`
//! rewrites the expected texts of `tests/cases/custom-*`.

use std::fs;
use std::os::unix::fs::FileExt;
use std::process::{Command, Output};
use std::time::Duration;

use first_boot::{mask, settings};
use proptest::collection::vec;
use proptest::prelude::{any, prop_oneof, proptest};
use proptest::sample::select;
use proptest::strategy::Strategy;
use support::command::{both, ok, root, run, sh};
use support::draw_cases;
use support::scratch::scratch;
use testbed::host;

fn first_boot(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_first-boot"));
    command.args(words);
    command
}

#[track_caller]
fn exits(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{}", both(output));
    both(output)
}

/// Each directory holds a file as a user could write it, and all messages about it.
#[test]
fn every_bad_line_is_named_and_costs_no_other() {
    let mut cases: Vec<_> =
        fs::read_dir(root().join("tests/cases")).unwrap().map(|e| e.unwrap().path()).collect();
    cases.retain(|case| case.join("custom.toml").exists());
    assert!(cases.len() >= 5);
    for case in cases {
        let (file, expected) = (case.join("custom.toml"), case.join("expected.txt"));
        let output = run(first_boot(&["check"]).arg(&file));
        let found = String::from_utf8(output.stdout.clone()).unwrap();
        exits(&output, if found.is_empty() { 0 } else { 78 });
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        assert_eq!(found, fs::read_to_string(&expected).unwrap(), "{}", expected.display());
    }
}

#[test]
fn files_that_no_editor_of_this_system_writes() {
    let dir = scratch("custom");
    let file = dir.join("custom.toml");
    let check = |bytes: &[u8], status: i32| -> String {
        fs::write(&file, bytes).unwrap();
        let said = exits(&run(first_boot(&["check"]).arg(&file)), status);
        said.lines().filter(|line| !line.starts_with("error: ")).map(|line| format!("{line}\n")).collect()
    };
    let text = "[wlan]\r\nssid = \"Würstelstand\"\r\npassword = \"correct horse\"\r\n";
    let sixteen: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for good in [
        b"".to_vec(),
        text.into(),
        format!("\u{feff}{text}").into(),
        sixteen,
        text.replace("\r\n", "\r").into(),
    ] {
        assert_eq!(check(&good, 0), "");
    }
    let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
    assert_eq!(check(&latin, 78), "the file: not UTF-8, read as Latin-1: save it as UTF-8\n");
    let none = "the file: not text: nothing was read: save it as UTF-8 without formatting\n";
    assert_eq!(check(b"\x7fELF\0\0", 78), none);
    assert_eq!(check(&[0xff, 0xfe, 0], 78), none);
    let long = "the file: longer than 65536 bytes: nothing was read: replace it with the right file\n";
    assert_eq!(check(&[b'#'; 65_537], 78), long);
    // The worst cases that fit: a fault in every line, and endless lists.
    let worst = "a = [\n".repeat(10_900);
    assert_eq!(check(worst.as_bytes(), 78).lines().count(), 10_900);
    fs::remove_file(&file).unwrap();
    assert!(exits(&run(first_boot(&["check"]).arg(&file)), 1).contains("no such file"));
    assert!(exits(&run(first_boot(&["check"]).arg(&*dir)), 1).contains("is a directory"));
}

/// The password in the generated files.
const SECRET: &str = "S3CRET";

/// For any bytes, masking keeps the length, and masking again changes nothing.
#[track_caller]
fn assert_masked(bytes: &[u8]) -> Vec<u8> {
    settings::read(bytes);
    let masked = mask::masked(bytes);
    assert_eq!(masked.len(), bytes.len());
    assert_eq!(mask::masked(&masked), masked, "of {:?}", String::from_utf8_lossy(bytes));
    masked
}

#[track_caller]
fn assert_no_secret(text: &str) {
    let masked = String::from_utf8(assert_masked(text.as_bytes())).unwrap();
    assert!(!masked.contains(SECRET), "{masked:?} of {text:?}");
}

/// Inputs in which a first pass once left secrets on the card.
#[test]
fn no_password_stays_where_a_line_cannot_be_read() {
    for text in [
        "password =\"\"\"\rpassword=\"S3CRET\"hname= \"\"\"\r",
        "\u{b}password='n\n'S3CRET'\nS3CRET",
        "\u{85}psk=\"\"\"S3CRET\n",
        "a = 1\rpsk = \"\"\"\rS3CRET\r",
        "password = \"\"\"\nS3CRET\\q\n\"\"\"\n",
        "[user] password = \"S3CRET\"\n",
        "password: S3CRET\n",
        "wlan = { ssid = 'x', password = 'S3CRET'\n",
        "networks = [{ ssid = 'x', password = 'S3CRET' }]\n",
        "wlan.password.plain = 'S3CRET'\n",
    ] {
        assert_no_secret(text);
    }
}

fn lines_with_secrets() -> impl Strategy<Value = String> {
    let blank = || {
        select(vec!["", "", "", " ", "\t", "\u{b}", "\u{c}", "\u{85}", "\u{a0}", "\u{2028}", "[user] ", "["])
    };
    let name = select(vec!["password", "psk", "PassWord", "pwd", "wifi_password", "\"password\"", "'psk'"]);
    let sign = select(vec![" = ", "=", " =", "= ", ":", ": ", " =\u{a0}"]);
    let value = select(vec![
        "\"S3CRET\"",
        "'S3CRET'",
        "S3CRET",
        "\"S3CRET",
        "S3CRET'",
        "\"\"\"S3CRET\"\"\"",
        "\"\"\"\nS3CRET\n\"\"\"",
        "'''\n\nS3CRET''' # x",
        "\"\"\"\n\\qS3CRET\n\"\"\"",
        "\"\"\"\nS3CRET",
        "[\"S3CRET\", \"S3CRET\"]",
        "[\n\"S3CRET\",\n \"S3CRET\",\n]",
        "[\n\"S3CRET",
        "{ a = \"S3CRET\" }",
        "{ a = [\"S3CRET\"]",
        "\"\\qS3CRET\"",
        "\"S3CRET\n S3CRET\"",
        "S3CRET = S3CRET",
        "\"\" S3CRET",
        "'*' S3CRET",
    ]);
    let secret = (blank(), name, sign, value)
        .prop_map(|(blank, name, sign, value)| format!("{blank}{name}{sign}{value}"));
    let other = "\\[(user|wlan)\\]|\\[x|name = ?(\"op\"|\"\"\"|'''|\\[|\"|x\"\"\")|# c|\"\"\"|'''|\\]|";
    let end = select(vec!["\n", "\r\n", "\r"]);
    let line = (prop_oneof![secret, other], end).prop_map(|(line, end)| line.replace('\n', end) + end);
    vec(line, 0..8).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(draw_cases(256))]

    #[test]
    fn any_bytes_are_read_and_masked(bytes in prop_oneof![
        any::<Vec<u8>>(),
        "(?s)(\\[(user|wlan)\\]\r?\n|(password|name|ssid|psk) ?= ?(\"[a-zü\\\\\"]*\"?|'.*'|\"\"\"|\\[|x)\r?\n?|.){0,12}".prop_map(String::into_bytes),
    ]) {
        assert_masked(&bytes);
    }

    #[test]
    fn no_password_stays_whatever_surrounds_it(text in lines_with_secrets()) {
        assert_no_secret(&text);
    }
}

#[test]
fn what_is_no_command_line_is_refused() {
    for words in [
        &[][..],
        &["grow", "--partition", "2"],
        &["grow", "x"],
        &["apply", "--disk", "x"],
        &["check"],
        &["check", "a", "b"],
        &["grow", "--disk"],
        &["grow", "--disk", "x", "--partition", "5"],
        &["read-only", "maybe"],
        &["--what"],
        &["check", "--what"],
    ] {
        let said = exits(&run(&mut first_boot(words)), 2);
        assert!(said.starts_with("error: `") && said.lines().count() == 1, "{words:?}: {said}");
    }
    assert!(ok(&mut first_boot(&["--help"])).contains("usage: first-boot apply"));
    assert!(ok(&mut first_boot(&["--version"])).starts_with("first-boot "));
}

/// Creates an image with the partition table of our images, on a 64 MiB card.
const TABLE: &str = "printf 'label: dos\\nlabel-id: 0x524f5649\\nstart=8192, size=8192, type=c\\nstart=16384, size=8192, type=83\\n' |
    sfdisk --quiet card";

#[test]
fn a_partition_grows_to_the_cards_end_whenever_it_is_killed() {
    host::need(&[("sfdisk", "fdisk")]).unwrap();
    let dir = scratch("card");
    sh(&dir, &format!("truncate -s 12M card; {TABLE}; truncate -s 64M card"));
    let card = dir.join("card");
    let table = || {
        let mut table = [0; 512];
        fs::File::open(&card).unwrap().read_exact_at(&mut table, 0).unwrap();
        table
    };
    let card_name = card.to_str().unwrap();
    let grow = || first_boot(&["grow", "--disk", card_name]);
    let old = table();
    assert_eq!(ok(&mut grow()), format!("grew partition 2 of `{card_name}` to 56 MiB\n"));
    let new = table();
    let dump = sh(&dir, "sfdisk --dump card; sfdisk --verify card");
    for line in [
        "label-id: 0x524f5649",
        "start=        8192, size=        8192, type=c",
        "start=       16384, size=      114688, type=83",
        "No errors detected",
    ] {
        assert!(dump.contains(line), "{line}: {dump}");
    }
    assert_eq!(ok(&mut grow()), "");
    assert_eq!(table(), new);
    // Whenever it is killed, the table is either the old or the new one.
    for delay in (0..20).map(|i| Duration::from_micros(i * 100)) {
        fs::OpenOptions::new().write(true).open(&card).unwrap().write_all_at(&old, 0).unwrap();
        let mut child = grow().stdout(std::process::Stdio::null()).spawn().unwrap();
        // The time of the kill is what varies here.
        std::thread::sleep(delay);
        let _ = child.kill();
        child.wait().unwrap();
        assert!([old, new].contains(&table()));
        ok(&mut grow());
        assert_eq!(table(), new);
    }
}

#[test]
fn a_disk_that_is_not_as_it_should_be_is_left_alone() {
    host::need(&[("sfdisk", "fdisk")]).unwrap();
    let dir = scratch("disks");
    let said = |script: &str, partition: &str| {
        sh(&dir, &format!("rm -f card; {script}"));
        let before = fs::read(dir.join("card")).unwrap_or_default();
        let words = ["grow", "--disk", "card", "--partition", partition];
        let said = exits(&run(first_boot(&words).current_dir(&*dir)), 1);
        assert_eq!(fs::read(dir.join("card")).unwrap_or_default(), before);
        assert!(said.starts_with("error: `card`: ") && said.lines().count() == 1, "{said}");
        said
    };
    assert!(said("true", "2").contains("no such file"));
    assert!(said("printf x >card", "2").contains("too short for a partition table"));
    assert!(said("truncate -s 1M card", "2").contains("no MBR partition table"));
    let made = format!("truncate -s 12M card; {TABLE}; truncate -s 64M card");
    assert!(said(&made, "1").contains("partition 2 follows partition 1"));
    assert!(said(&made, "3").contains("partition 3 is not"));
    assert!(said(&format!("{made}; truncate -s 9M card"), "2").contains("smaller than the image"));
    assert!(
        said("truncate -s 12M card; printf 'label: gpt\\nsize=1M\\n' | sfdisk --quiet card", "1")
            .contains("GPT")
    );
}
