//! Values of a catalog only affect their own fields. Arbitrary text in any field is either rejected, or
//! programs that read the rendered files get exactly that text. xtask never panics.

mod expect;
mod family;
mod fields;
mod systemd;

use std::path::Path;
use std::sync::LazyLock;

use catalog::finding::Findings;
use package::tree::Tree;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::sample::select;
use support::draw_cases;

use fields::{FIELDS, Values};

/// Texts that caused errors before.
const SEEDS: [&str; 62] = [
    "",
    " ",
    " x",
    "x ",
    "\u{a0}x",
    "x\n",
    "x\nUser=root",
    "x\r\n[Service]",
    "x\0y",
    "a\tb",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\u{2028}alert(1)",
    "x\u{2029}y",
    "\u{feff}x",
    "\u{202e}x",
    "\u{fdd0}",
    "x\u{ffff}",
    "\u{10fffe}",
    "\\",
    "x\\",
    "C:\\ x",
    "a\\\\",
    "\\n",
    "\\x41",
    "\"",
    "'",
    "it's",
    "\"a b\"",
    "'a' 'b'",
    "a\"b'c",
    "$HOME",
    "${HOME}",
    "$$",
    "$(id)",
    "`id`",
    "$",
    "%",
    "%%",
    "%h",
    "%n",
    "100 %",
    "%i%",
    "#x",
    "a #b",
    ";",
    "a ; b",
    ";x",
    "x=y",
    "[Service]",
    "-",
    "--",
    "~",
    "*",
    "a,b",
    "../x",
    "/",
    "/srv/../etc",
    "/srv/a b",
    "{name}",
    "ü🤖 “x”",
];

/// Arbitrary text: ordinary words, words from [`SEEDS`], any Unicode, and very long text.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => "[ -~]{0,12}".prop_map(String::from),
        2 => select(&SEEDS[..]).prop_map(String::from),
        1 => any::<String>(),
    ];
    prop_oneof![
        8 => vec(part.clone(), 1..4).prop_map(|parts| parts.concat()),
        // Prefixes that fields require before they accept more.
        6 => (select(&["/", "/srv/", "%t/", "https://a.b/", "man:", "x ", "SIGRTMIN+", "char-", "/dev/", "/home/"][..]), part)
            .prop_map(|(start, rest)| format!("{start}{rest}")),
        1 => (1_usize..6_000, select(&["x", "ü", "x ", "\\", "\"", "%%"][..])).prop_map(|(n, x)| x.repeat(n)),
    ]
}

fn read(catalog: &str) -> Result<Tree, Findings> {
    let product = catalog::read(
        "catalog.toml",
        catalog,
        &super::catalog::PROGRAMS.map(str::to_owned),
        &[],
        &catalog::Given::new(),
    )?;
    Ok(package::render::render(&product, &[]))
}

static ORDINARY: LazyLock<Tree> = LazyLock::new(|| {
    let values = Values::of(&FIELDS.map(|(_, value)| value.to_owned()));
    read(&values.catalog()).unwrap_or_else(|faults| panic!("ordinary values do not fit:\n{faults}"))
});

/// Sets each field to its text; fields that reject it get their default value back.
fn check(texts: &[String]) {
    let mut values = Values::of(texts);
    let tree = loop {
        match read(&values.catalog()) {
            Ok(tree) => break tree,
            Err(faults) => {
                assert!(values.give_way(&faults.to_string()), "a fault where no field is:\n{faults}");
            }
        }
    };
    eprintln!("fields with another value than their ordinary one: {:?}", values.others());
    expect::check(&values, &tree, &ORDINARY);
}

#[test]
fn ordinary_values_are_read_back() {
    check(&FIELDS.map(|(_, value)| value.to_owned()));
}

#[test]
fn text_that_has_gone_wrong_before_stays_in_its_field() {
    for seed in SEEDS {
        check(&FIELDS.map(|_| seed.to_owned()));
        // The text after a required prefix may still cause errors.
        check(&FIELDS.map(|(_, value)| format!("{value}{seed}")));
    }
}

/// systemd rejects a unit with a line of 1 MiB.
#[test]
fn no_line_is_too_long() {
    let long = ["web-description", "argument", "variable-value", "why"];
    check(
        &FIELDS
            .map(|(name, value)| if long.contains(&name) { "x".repeat(1 << 20) } else { value.to_owned() }),
    );
}

proptest! {
    #![proptest_config(draw_cases(100))]

    #[test]
    fn any_text_stays_in_its_field(texts in vec(text(), FIELDS.len())) {
        check(&texts);
    }
}

proptest! {
    #![proptest_config(draw_cases(500))]

    #[test]
    fn no_catalog_makes_it_panic(start in 0..catalogs().len(), changes in vec(change(), 1..6)) {
        let mut lines: Vec<String> = catalogs()[start].lines().map(str::to_owned).collect();
        for change in changes {
            change.make(&mut lines);
        }
        _ = read(&lines.join("\n"));
    }
}

/// The valid cases, and part of an invalid one.
fn catalogs() -> &'static [String] {
    static CATALOGS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        let names =
            ["good-every-field", "good-launch", "good-minimal", "bad-order-two-circles", "bad-use-circle"];
        names.map(|name| std::fs::read_to_string(cases.join(name).join("catalog.toml")).unwrap()).into()
    });
    &CATALOGS
}

/// A change to a catalog's lines.
#[derive(Debug, Clone)]
enum Change {
    Delete(usize),
    Repeat(usize, usize),
    Swap(usize, usize),
    Insert(usize, usize, String),
    Overwrite(usize, usize, String),
    Cut(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let place = || 0_usize..10_000;
    let noise = prop_oneof![
        any::<String>(),
        select(&SEEDS[..]).prop_map(String::from),
        "[\\[\\]{}\"'=.,#\\\\ \n0-9eE+_:TZ-]{1,8}",
        Just("\"\"\"".to_owned()),
        vec(any::<u8>(), 1..20).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ];
    prop_oneof![
        place().prop_map(Change::Delete),
        (place(), place()).prop_map(|(from, to)| Change::Repeat(from, to)),
        (place(), place()).prop_map(|(one, other)| Change::Swap(one, other)),
        (place(), place(), noise.clone()).prop_map(|(line, at, text)| Change::Insert(line, at, text)),
        (place(), place(), noise).prop_map(|(line, at, text)| Change::Overwrite(line, at, text)),
        (place(), place()).prop_map(|(line, at)| Change::Cut(line, at)),
    ]
}

impl Change {
    fn make(self, lines: &mut Vec<String>) {
        if lines.is_empty() {
            return;
        }
        let count = lines.len();
        let place = |line: &str, at: usize| {
            let places: Vec<usize> = line.char_indices().map(|(i, _)| i).chain([line.len()]).collect();
            places[at % places.len()]
        };
        match self {
            Change::Delete(line) => _ = lines.remove(line % count),
            Change::Repeat(from, to) => lines.insert(to % count, lines[from % count].clone()),
            Change::Swap(one, other) => lines.swap(one % count, other % count),
            Change::Insert(line, at, text) => {
                let line = &mut lines[line % count];
                line.insert_str(place(line, at), &text);
            }
            Change::Overwrite(line, at, text) => {
                let line = &mut lines[line % count];
                line.truncate(place(line, at));
                line.push_str(&text);
            }
            Change::Cut(line, at) => {
                let line = &mut lines[line % count];
                line.replace_range(..place(line, at), "");
            }
        }
    }
}
