//! Indices that grow: other readers can read an index that was compressed piece by piece, and its bytes are the same as
//! those of an index that was written at once.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use repo_index::{Form, Kind, List, Packed, unpack, versions};

const HEAD: &str = "<metadata packages=\"N\">\n";
const TAIL: &str = "</metadata>";

#[test]
fn one_entry_among_ten_thousand_changes_one_piece() {
    let all: BTreeMap<String, String> = (0..10_000).map(|i| paragraph(i, 1)).collect();
    let packed = write(Kind::Packages, &all, None);
    let [pieces, _] = packed.pieces[0];
    assert!((40..160).contains(&pieces), "{pieces}");
    assert_eq!(packed.pieces, [[pieces, pieces], [pieces, pieces]]);

    let (place, entry) = paragraph(5_000, 2);
    let mut list = List::read(Kind::Packages, packed.text.clone());
    insert(&mut list, &place, &entry);
    let grown = pack(&list, &packed, "", "");
    assert!(grown.pieces.iter().all(|[_, fresh]| (1..=2).contains(fresh)), "{:?}", grown.pieces);
    let mut more = all.clone();
    more.insert(place.clone(), entry);
    assert_same(&grown, &write(Kind::Packages, &more, None));

    // After the entry is removed, the index is the same as before.
    let mut list = List::read(Kind::Packages, grown.text.clone());
    list.remove(list.find(place.as_bytes()).unwrap());
    let back = pack(&list, &grown, "", "");
    assert!(back.pieces.iter().all(|[_, fresh]| (1..=2).contains(fresh)), "{:?}", back.pieces);
    assert_same(&back, &packed);
    // Replacing an entry by itself compresses nothing.
    let mut list = List::read(Kind::Packages, back.text.clone());
    list.replace(7, list.get(7).to_vec().as_slice());
    assert_eq!(pack(&list, &back, "", "").pieces, [[pieces, 0], [pieces, 0]]);
}

#[test]
fn the_same_entries_give_the_same_bytes_in_any_order() {
    for kind in [Kind::Packages, Kind::Primary] {
        let mut random = 1_u32;
        let mut next = |below: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) % below
        };
        let mut entries = BTreeMap::new();
        let mut published = write(kind, &entries, None);
        for _ in 0..16 {
            let mut list = List::read(kind, published.text.clone());
            for _ in 0..next(40) {
                let (place, entry) = entry_of(kind, next(2_000), next(3));
                match list.find(place.as_bytes()) {
                    Ok(i) if next(2) == 0 => {
                        list.remove(i);
                        entries.remove(&place);
                    }
                    _ => {
                        insert(&mut list, &place, &entry);
                        entries.insert(place, entry);
                    }
                }
            }
            let (head, tail) = if kind == Kind::Primary { (HEAD, TAIL) } else { ("", "") };
            let head = head.replace('N', &entries.len().to_string());
            published = pack(&list, &published, &head, tail);
            assert_same(&published, &write(kind, &entries, Some((&head, tail))));
        }
        assert!(entries.len() > 100, "{}", entries.len());
    }
}

#[test]
fn foreign_compressed_forms_are_replaced() {
    let all: BTreeMap<String, String> = (0..1_000).map(|i| paragraph(i, 1)).collect();
    let packed = write(Kind::Packages, &all, None);
    let list = List::read(Kind::Packages, packed.text.clone());
    // Written by other tools, truncated, of another index, or not compressed data at all.
    let mut whole = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut whole, &packed.text).unwrap();
    let whole = whole.finish().unwrap();
    let other = write(Kind::Packages, &(0..1_001).map(|i| paragraph(i, 1)).collect(), None);
    let cut: Vec<&[u8]> = packed.forms.iter().map(|form| &form[..form.len() - 3]).collect();
    for (gz, xz) in [
        (&whole[..], &whole[..]),
        (cut[0], cut[1]),
        (&other.forms[0], &other.forms[1]),
        (&other.forms[1], &other.forms[0]),
        (&[0; 11], &[0; 40]),
        (&[], &[]),
    ] {
        assert_same(&list.pack(b"", b"", &[(Form::Gz, gz), (Form::Xz, xz)]).unwrap(), &packed);
    }
}

#[test]
fn a_version_is_listed_once_with_all_its_processors() {
    let both: BTreeMap<String, String> = (0..3).map(|i| paragraph(i, 1)).collect();
    let mut arm = both.clone();
    let (place, entry) = paragraph(2, 9);
    arm.insert(
        place,
        entry.replace("Architecture: all", "Architecture: arm64\nPhased-Update-Percentage: 10"),
    );
    let lists =
        [both, arm].map(|entries| List::read(Kind::Packages, write(Kind::Packages, &entries, None).text));
    let rpm = List::read(Kind::Primary, write(Kind::Primary, &[rpm(2, 9)].into(), Some((HEAD, TAIL))).text);
    let lines: Vec<String> = versions(lists.iter().chain([&rpm]))
        .iter()
        .map(|v| format!("{} {} {} {:?}", v.name, v.version, v.processors.join(","), v.phase))
        .collect();
    assert_eq!(
        lines,
        [
            "load-00000 1 all None",
            "load-00001 1 all None",
            "load-00002 1 all None",
            "load-00002 9 arm64,noarch Some(\"10\")"
        ]
    );
    assert_eq!(lists[1].positions("load-00002", "9"), [3]);
    assert_eq!(rpm.positions("load-00002", "9"), [0]);
    assert!(List::empty(Kind::Primary).is_empty() && rpm.len() == 1);
}

fn entry_of(kind: Kind, number: u32, version: u32) -> (String, String) {
    if kind == Kind::Primary { rpm(number, version) } else { paragraph(number, version) }
}

fn paragraph(number: u32, version: u32) -> (String, String) {
    let (name, hash) = (format!("load-{number:05}"), hash(number, version));
    let place = format!("pool/stable/l/{name}/{name}_{version}_all.deb");
    let text = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nDescription: something to load\n \
         Filename: none\nFilename: {place}\nSize: 1{number}\nSHA256: {hash}\n\n"
    );
    (place, text)
}

fn rpm(number: u32, version: u32) -> (String, String) {
    let (name, hash) = (format!("load-{number:05}"), hash(number, version));
    let place = format!("packages/{name}-{version}-1.noarch.rpm");
    let text = format!(
        "<package type=\"rpm\">\n  <name>{name}</name>\n  <arch>noarch</arch>\n  <version epoch=\"0\" \
         ver=\"{version}\" rel=\"1\"/>\n  <checksum type=\"sha256\" pkgid=\"YES\">{hash}</checksum>\n  \
         <location href=\"{place}\"/>\n</package>\n"
    );
    (place, text)
}

/// Returns 64 digits that look random.
fn hash(number: u32, version: u32) -> String {
    let mut state = u64::from(number) << 8 | u64::from(version);
    (0..4)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{:016x}", state ^ state >> 33)
        })
        .collect()
}

fn insert(list: &mut List, place: &str, entry: &str) {
    match list.find(place.as_bytes()) {
        Ok(i) => list.replace(i, entry.as_bytes()),
        Err(i) => list.insert(i, entry.as_bytes()),
    }
}

/// Writes an index at once.
fn write(kind: Kind, entries: &BTreeMap<String, String>, edges: Option<(&str, &str)>) -> Packed {
    let mut list = List::empty(kind);
    for (i, (place, entry)) in entries.iter().enumerate() {
        assert_eq!(list.find(place.as_bytes()), Err(i));
        list.insert(i, entry.as_bytes());
    }
    let (head, tail) = edges.unwrap_or_default();
    let nothing = Packed { text: Vec::new(), forms: vec![Vec::new(), Vec::new()], pieces: Vec::new() };
    pack(&list, &nothing, head, tail)
}

/// Packs a list, and reads the result with ordinary decompressors.
fn pack(list: &List, before: &Packed, head: &str, tail: &str) -> Packed {
    let forms = [(Form::Gz, &before.forms[0][..]), (Form::Xz, &before.forms[1][..])];
    let packed = list.pack(head.as_bytes(), tail.as_bytes(), &forms).unwrap();
    assert_eq!(unpack(&packed.forms[0]).unwrap(), packed.text);
    let mut text = Vec::new();
    MultiGzDecoder::new(&packed.forms[0][..]).read_to_end(&mut text).unwrap();
    assert_eq!(text, packed.text);
    text.clear();
    // There is one stream, and nothing after it.
    let mut rest = &packed.forms[1][..];
    XzReader::new(&mut rest, false).read_to_end(&mut text).unwrap();
    assert_eq!((text, rest.len()), (packed.text.clone(), 0));
    packed
}

#[track_caller]
fn assert_same(a: &Packed, b: &Packed) {
    assert_eq!(String::from_utf8_lossy(&a.text), String::from_utf8_lossy(&b.text));
    assert!(a.forms == b.forms, "compressed forms differ");
}
