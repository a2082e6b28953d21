//! Other tools with the same packages, and with our signatures.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use support::command::{dist, ok, run, sh};
use support::scratch::scratch;
use testbed::host;

use super::{key, packages, repo};

#[test]
fn apt_ftparchive_says_the_same_of_every_package_field_by_field() {
    host::need(&[("apt-ftparchive", "apt-utils")]).unwrap();
    let dir = scratch("repo-ftparchive");
    ok(&mut repo(&dist().dir, &dir));
    for processor in ["amd64", "arm64"] {
        let theirs = sh(
            &dir.join("apt"),
            &format!(
                "apt-ftparchive -o APT::FTPArchive::MD5=false -o APT::FTPArchive::SHA1=false \
                 -o APT::FTPArchive::SHA512=false --arch {processor} packages pool/stable"
            ),
        );
        let place = dir.join(format!("apt/dists/stable/main/binary-{processor}"));
        let ours = fs::read_to_string(place.join("Packages")).unwrap();
        let (ours, theirs) = (paragraphs(&ours), paragraphs(&theirs));
        assert!(ours.len() >= 2, "{ours:?}");
        assert_eq!(ours, theirs);
        for packed in ["gzip -dc Packages.gz", "xz -dc Packages.xz"] {
            sh(&place, &format!("{packed} | cmp - Packages"));
        }
    }
    let release = fs::read_to_string(dir.join("apt/dists/stable/Release")).unwrap();
    let theirs = sh(
        &dir.join("apt/dists/stable"),
        "apt-ftparchive -o APT::FTPArchive::Release::MD5=false -o APT::FTPArchive::Release::SHA1=false \
         -o APT::FTPArchive::Release::SHA512=false -o APT::FTPArchive::Release::Patterns::=main/*/Packages* \
         -o APT::FTPArchive::Release::Origin=rovi-services -o APT::FTPArchive::Release::Suite=stable release .",
    );
    let field = |text: &str, name: &str| paragraphs(text)[0].get(name).cloned().unwrap_or_default();
    let files = |text: &str| -> Vec<Vec<String>> {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let mut files: Vec<_> = field(text, "SHA256").lines().map(words).filter(|f| f.len() == 3).collect();
        files.retain(|file| file[2].starts_with("main/") && !file[2].contains("by-hash"));
        files.sort();
        files
    };
    assert_eq!(files(&release).len(), 6);
    assert_eq!(files(&release), files(&theirs));
    for name in ["Origin", "Suite"] {
        assert_eq!(field(&release, name), field(&theirs, name));
    }
}

#[test]
fn createrepo_c_writes_the_same_lists_byte_by_byte() {
    host::need(&[("createrepo_c", "createrepo-c")]).unwrap();
    let dir = scratch("repo-createrepo");
    let (given, out, theirs) = (dir.join("dist"), dir.join("repo"), dir.join("theirs"));
    packages(&given, "wind", &["1.0.0", "1.1.0"]);
    ok(&mut repo(&given, &out));
    ok(&mut repo(&dist().dir, &out));
    fs::create_dir(&theirs).unwrap();
    ok(Command::new("createrepo_c")
        .args(["--quiet", "--no-database", "--outputdir"])
        .arg(&theirs)
        .arg(out.join("rpm/stable")));
    for list in ["primary", "filelists", "other"] {
        let text = |folder: &Path| sh(folder, &format!("gzip -dc repodata/*-{list}.xml.gz"));
        let (ours, theirs) = (text(&out.join("rpm/stable/repodata/..")), text(&theirs));
        // The previous state is kept beside the current one for clients that still read it.
        let present = present(&out, list);
        assert_eq!(present.lines().count(), theirs.lines().count());
        assert_eq!(present, theirs);
        assert!(ours.len() > theirs.len());
    }
}

/// Returns the path of a list from `repomd.xml`.
fn present(out: &Path, list: &str) -> String {
    let index = fs::read_to_string(out.join("rpm/stable/repodata/repomd.xml")).unwrap();
    let (_, rest) = index.split_once(&format!("-{list}.xml.gz")).map(|(before, _)| ((), before)).unwrap();
    let hash = &rest[rest.len() - 64..];
    sh(&out.join("rpm/stable/repodata"), &format!("gzip -dc {hash}-{list}.xml.gz"))
}

#[test]
fn gpg_and_sequoia_verify_every_signature_and_rpm_those_of_packages() {
    host::need(&[("gpg", "gpg"), ("gpgv", "gpgv"), ("sq", "sq"), ("sqv", "sqv"), ("rpmkeys", "rpm")])
        .unwrap();
    let dir = scratch("repo-signatures");
    ok(&mut repo(&dist().dir, &dir));
    let script = "
        export GNUPGHOME=$PWD/gnupg; mkdir -m 700 gnupg
        gpg --quiet --batch --import rovi-services.asc
        gpg --quiet --batch --export >keys.gpg
        # sq's options have other names since 1.0.
        by=--signer-cert; of=--detached; inline=
        if sq verify --help | grep -q -- --signer-file; then
            by=--signer-file; of=--signature-file; inline=--cleartext
        fi
        for pair in 'apt/dists/stable/Release.gpg apt/dists/stable/Release' \
            'rpm/stable/repodata/repomd.xml.asc rpm/stable/repodata/repomd.xml'; do
            gpgv --quiet --keyring ./keys.gpg $pair; sqv --keyring rovi-services.asc $pair
            sq verify $by=rovi-services.asc $of=$pair
        done
        sq verify $by=rovi-services.asc $inline apt/dists/stable/InRelease >/dev/null
        gpgv --quiet --keyring ./keys.gpg --output signed.txt apt/dists/stable/InRelease
        cmp signed.txt apt/dists/stable/Release
        rpmkeys --dbpath $PWD/rpmdb --import rovi-services.asc
        rpmkeys --dbpath $PWD/rpmdb --checksig --verbose rpm/stable/packages/*.rpm";
    let said = sh(&dir, script);
    let packages = fs::read_dir(dir.join("rpm/stable/packages")).unwrap().count();
    assert_eq!(said.matches("RSA/SHA512 Signature, key ID").count(), packages, "{said}");
    assert!(!said.contains("NOKEY") && !said.contains("NOT OK"), "{said}");
    // The files from `dist` are unchanged: their bytes are the same on every machine.
    sh(&dist().dir, "sha256sum --quiet --strict --check SHA256SUMS");
}

#[test]
fn a_key_goes_to_gpg_and_comes_back() {
    host::need(&[("gpg", "gpg")]).unwrap();
    let dir = scratch("repo-key");
    let shown = run(support::command::xtask(&["key", "show"]).arg(key()).env("HOME", &*dir));
    let fingerprint = String::from_utf8(shown.stderr).unwrap();
    let fingerprint = fingerprint.trim().strip_prefix("fingerprint: ").unwrap();
    let script = format!(
        "export GNUPGHOME=$PWD/gnupg; mkdir -m 700 gnupg
         gpg --quiet --batch --import {0}
         gpg --batch --with-colons --list-secret-keys | grep -q '^fpr:::::::::{fingerprint}:$'
         echo text >text; gpg --quiet --batch --detach-sign text; gpg --quiet --verify text.sig text 2>&1
         (umask 077; gpg --batch --armor --export-secret-keys >back; gpg --batch --export-secret-keys >binary)
         # One with a subkey, as gpg makes them for people.
         gpg --quiet --batch --passphrase '' --quick-generate-key 'Bo <bo@example.org>' rsa3072 sign never
         bo=$(gpg --batch --with-colons --list-secret-keys bo | sed -n 's/^fpr:*\\(.*\\):$/\\1/p')
         gpg --quiet --batch --passphrase '' --quick-add-key $bo rsa3072 encrypt never
         (umask 077; gpg --batch --armor --export-secret-keys bo >subkey)",
        key().display()
    );
    let said = sh(&dir, &script);
    assert!(said.contains("Good signature"), "{said}");
    for file in ["back", "binary"] {
        let again = ok(support::command::xtask(&["key", "show"]).arg(dir.join(file)));
        assert_eq!(again, String::from_utf8(shown.stdout.clone()).unwrap(), "{file}");
    }
    let out = dir.join("repo");
    let mut command = repo(&dir.join("none"), &out);
    command.arg("--key").arg(dir.join("subkey"));
    ok(&mut command);
    sh(
        &out,
        "export GNUPGHOME=$PWD/../gnupg; gpg --quiet --batch --export >keys.gpg
         gpgv --keyring ./keys.gpg apt/dists/stable/InRelease 2>&1 | grep -c 'Good signature' | grep -qx 2",
    );
}

/// Returns the paragraphs of an index with their fields.
fn paragraphs(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut paragraphs: Vec<BTreeMap<String, String>> = text
        .split("\n\n")
        .filter(|paragraph| !paragraph.trim().is_empty())
        .map(|paragraph| {
            let mut fields = BTreeMap::new();
            let mut name = String::new();
            for line in paragraph.lines() {
                match line.split_once(':') {
                    Some((field, value)) if !line.starts_with(' ') => {
                        name = field.to_owned();
                        fields.insert(name.clone(), value.trim().to_owned());
                    }
                    _ => {
                        let value: &mut String = fields.get_mut(&name).unwrap();
                        value.push('\n');
                        value.push_str(line);
                    }
                }
            }
            fields
        })
        .collect();
    paragraphs.sort_by_key(|fields| fields.get("Filename").cloned());
    paragraphs
}

#[test]
fn the_page_has_the_lines_of_the_docs() {
    let dir = scratch("repo-page");
    ok(repo(&dist().dir, &dir).arg("rovi"));
    let page = fs::read_to_string(dir.join("index.html")).unwrap();
    let docs = fs::read_to_string(support::command::root().join("docs/repositories.md")).unwrap();
    let boxes: Vec<&str> =
        page.split("<pre>\n").skip(1).map(|rest| rest.split("</pre>").next().unwrap()).collect();
    assert_eq!(boxes.len(), 2);
    for lines in boxes {
        assert!(docs.contains(&format!("```sh\n{lines}```\n")), "{lines}");
    }
    let shown = run(support::command::xtask(&["key", "show"]).arg(key()));
    let fingerprint = String::from_utf8(shown.stderr).unwrap().trim().replace("fingerprint: ", "");
    assert!(page.replace(' ', "").contains(&fingerprint), "{page}");
    // The same key everywhere.
    let key = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(fs::read_to_string(dir.join("rovi-services.asc")).unwrap(), key);
    let sources = fs::read_to_string(dir.join("apt/rovi-services.sources")).unwrap();
    assert!(key.lines().filter(|line| !line.is_empty()).all(|line| sources.contains(line)));
}

#[test]
fn lintian_says_nothing_of_the_package_of_keys() {
    host::need(&[("lintian", "lintian")]).unwrap();
    let dir = scratch("repo-lintian");
    ok(&mut repo(&dir.join("none"), &dir));
    let said = sh(
        &dir,
        "lintian --pedantic -I -E --fail-on pedantic,info,experimental,warning,error --allow-root \
         apt/pool/stable/r/*/*.deb 2>&1
         dpkg-deb --contents apt/pool/stable/r/*/*.deb | grep -c ' ./etc/.*[^/]$'
         rpm --query --package --configfiles rpm/stable/packages/*.rpm 2>/dev/null",
    );
    assert_eq!(said, "1\n/etc/yum.repos.d/rovi-services.repo\n");
}
