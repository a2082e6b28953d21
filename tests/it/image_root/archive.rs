//! The archive that an image is built from: which data is trusted, and the errors for the rest.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use support::command::{dist, program, root, sh};
use support::scratch::{Scratch, scratch};
use testbed::host;

use super::{TOOLS, failure};

/// The packages that an image needs.
const ALL: [&str; 5] = ["a", "passwd", "systemd", "systemd-timesyncd", "tzdata"];
/// Start of the distribution's release file.
const OURS: &str = "Suite: stable\nCodename: tiny\nDate: Sat, 12 Sep 2026 07:55:41 UTC\n";

/// A distribution of a few packages, signed by its own key.
struct Distribution {
    dir: Scratch,
}

impl Distribution {
    fn new(name: &str) -> Distribution {
        let dir = scratch(&format!("image-archive-{name}"));
        let here = dir.display().to_string();
        sh(
            &dir,
            "mkdir -m 700 gpg; export GNUPGHOME=$PWD/gpg
             gpg --batch --quiet --passphrase '' --quick-generate-key tiny rsa2048 2>/dev/null
             gpg --batch --quiet --export > keys.gpg
             mkdir -p checkout/image/suites checkout/image/boards checkout/image/files/none checkout/catalog checkout/programs
             touch checkout/image/files/none/x",
        );
        fs::copy(root().join("catalog/first-boot.toml"), dir.join("checkout/catalog/first-boot.toml"))
            .unwrap();
        sh(root(), &format!("cp --parents programs/*/src/main.rs {here}/checkout/"));
        let write = |path: &str, text: &str| fs::write(dir.join("checkout").join(path), text).unwrap();
        write("image/image.toml", "product = \"first-boot\"\nbeside = []\n");
        let suite = format!(
            "distribution = \"tiny\"\n[archive]\nkeyring = \"{here}/keys.gpg\"\ncomponents = [\"main\"]\n[[archive.pocket]]\nsuite = \"tiny\"\n\
             mirror = \"file://{here}/mirror\"\n[system]\npackages = [\"a\"]\nenable = []\nremove = []\nleave-out = []\n\
             keep = []\n[stand-ins]\npackages = []\ninterpreters = []\nnever = []\nanswer-yes = []\nfor-initramfs = []\n"
        );
        write("image/suites/tiny.toml", &suite);
        let board = "description = \"a board\"\narchitecture = \"arm64\"\nsuite = \"tiny\"\npackages = []\n\
                     files = [\"none\"]\nconsole = []\n[initramfs]\nmodules = []\n";
        write("image/boards/b.toml", board);
        Distribution { dir }
    }

    /// Publishes packages with these names and the content `x`.
    fn publish(&self, names: &[&str]) {
        self.publish_as(OURS, names);
    }

    /// Publishes packages in a release file with this start.
    fn publish_as(&self, head: &str, names: &[&str]) {
        let sum = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
        let stanza = |name: &&str| {
            format!(
                "Package: {name}\nVersion: 1\nArchitecture: all\nFilename: pool/{name}.deb\nSize: 1\nSHA256: {sum}\n\n"
            )
        };
        let mirror = self.dir.join("mirror/dists/tiny");
        let _ = fs::remove_dir_all(&mirror);
        let mut release = format!("{head}SHA256:\n");
        for architecture in ["amd64", "arm64"] {
            let folder = mirror.join(format!("main/binary-{architecture}/by-hash/SHA256"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("index"), names.iter().map(stanza).collect::<String>()).unwrap();
            let line = sh(
                &folder,
                "xz index; set -- $(sha256sum index.xz); mv index.xz $1; echo $1 $(stat -c %s $1)",
            );
            release.push_str(&format!(" {} main/binary-{architecture}/Packages.xz\n", line.trim()));
        }
        fs::write(mirror.join("Release"), release).unwrap();
        self.sign();
    }

    fn sign(&self) {
        sh(
            &self.dir.join("mirror/dists/tiny"),
            "export GNUPGHOME=$PWD/../../../gpg; gpg --batch --yes --quiet --clear-sign --output InRelease Release",
        );
    }

    /// Returns the last error line of building an image, with a gigabyte of memory.
    fn said(&self, update: &[&str]) -> String {
        let mut command = Command::new("prlimit");
        command
            .arg(format!("--as={}", 1 << 30))
            .arg(program())
            .args(["image", "--board", "b", "--format", "img", "--out"])
            .arg(self.dir.join("out"))
            .args(update);
        command.arg("--deb").arg(dist().package("rovi-first-boot_", "arm64.deb"));
        command
            .env("CARGO_MANIFEST_DIR", self.dir.join("checkout"))
            .env("XDG_CACHE_HOME", self.dir.join("cache"));
        let stderr = failure(&self.dir, &mut command);
        let last = stderr.lines().last().unwrap_or_default().to_owned();
        assert!(stderr.lines().filter(|line| line.starts_with("error: ")).count() == 1, "{stderr}");
        last
    }
}

#[test]
fn an_archive_is_believed_as_far_as_its_signature_goes() {
    host::need(&TOOLS).unwrap();
    let tiny = Distribution::new("believed");
    assert_eq!(tiny.said(&[]), "error: `image/tiny-arm64.lock`: no such lock file: run again with --update");
    tiny.publish(&["a"]);
    assert_eq!(
        tiny.said(&["--update"]),
        "error: passwd: not in tiny's archive; systemd or systemd-standalone-sysusers or systemd-sysusers: not in tiny's \
         archive; systemd-timesyncd or time-daemon: not in tiny's archive; tzdata: not in tiny's archive"
    );
    tiny.publish(&ALL);
    let release = tiny.dir.join("mirror/dists/tiny/InRelease");
    let signed = fs::read_to_string(&release).unwrap();

    fs::write(&release, signed.replace("2026", "2027")).unwrap();
    let error_line = tiny.said(&["--update"]);
    assert!(error_line.contains(": not signed by a key of `DIR/keys.gpg`: BAD signature"), "{error_line}");
    fs::write(&release, "Date: today\n").unwrap();
    let error_line = tiny.said(&["--update"]);
    assert!(error_line.contains(": not signed by a key of `DIR/keys.gpg`"), "{error_line}");
    fs::write(&release, &signed).unwrap();
    fs::rename(tiny.dir.join("keys.gpg"), tiny.dir.join("own.gpg")).unwrap();
    fs::copy("/usr/share/keyrings/debian-archive-keyring.gpg", tiny.dir.join("keys.gpg")).unwrap();
    let error_line = tiny.said(&["--update"]);
    assert!(error_line.contains(": not signed by a key of `DIR/keys.gpg`"), "{error_line}");
    fs::rename(tiny.dir.join("own.gpg"), tiny.dir.join("keys.gpg")).unwrap();

    let _ = fs::remove_dir_all(tiny.dir.join("cache"));
    let index = "mirror/dists/tiny/main/binary-arm64/by-hash/SHA256";
    sh(
        &tiny.dir.join(index),
        "cp -a . ../kept; for file in *; do echo more | cat - ../kept/$file >$file; done",
    );
    let error_line = tiny.said(&["--update"]);
    assert!(error_line.contains(": wrong hash: "), "{error_line}");
    sh(&tiny.dir.join(index), "cp ../kept/* .");
    assert!(
        !tiny.dir.join("checkout/image/tiny-arm64.lock").exists(),
        "a lock was written of what was not believed"
    );

    let gone = "error: cannot fetch the locked packages: a mirror keeps only the newest version of each: run again with --update to lock \
                those: ";
    // Lock files in another folder, and then those of the checkout.
    let error_line = tiny.said(&["--update", "--locks", tiny.dir.join("locks").to_str().unwrap()]);
    assert!(error_line.starts_with(gone) && tiny.dir.join("locks/tiny-arm64.lock").exists(), "{error_line}");
    assert!(!tiny.dir.join("checkout/image/tiny-arm64.lock").exists());
    let error_line = tiny.said(&["--update"]);
    assert!(error_line.starts_with(gone), "{error_line}");
    assert!(
        error_line.contains("cannot fetch tzdata 1 from `file://DIR/mirror/pool/tzdata.deb`"),
        "{error_line}"
    );
    let lock = fs::read_to_string(tiny.dir.join("checkout/image/tiny-arm64.lock")).unwrap();
    let head =
        "Suite: tiny\nArchitecture: arm64\nDate: 1789199741\nIndices:\n tiny 1789199741\n\nPackage: a\n";
    assert!(lock.starts_with(head), "{lock}");

    fs::create_dir_all(tiny.dir.join("mirror/pool")).unwrap();
    sh(
        &tiny.dir.join("mirror/pool"),
        "for name in a passwd systemd systemd-timesyncd tzdata; do printf y > $name.deb; done",
    );
    let error_line = tiny.said(&[]);
    assert!(
        error_line.contains("tzdata 1: wrong hash: `file://DIR/mirror/pool/tzdata.deb` is damaged"),
        "{error_line}"
    );
    // A package that cannot be unpacked is named, and there is no image.
    sh(
        &tiny.dir.join("mirror/pool"),
        "for name in a passwd systemd systemd-timesyncd tzdata; do printf x > $name.deb; done",
    );
    let error_line = tiny.said(&[]);
    assert!(error_line.ends_with(": no ar header"), "{error_line}");
    assert_eq!(
        sh(&tiny.dir, "ls -A out; ls -A cache/rovi-services/image/roots | grep -v 'lock$' || true"),
        ""
    );
}

/// All signatures are valid: the mirror serves data signed at another time or for another suite.
#[test]
fn an_index_of_another_suite_or_another_day_is_refused() {
    host::need(&TOOLS).unwrap();
    let tiny = Distribution::new("older");
    let update = |head: &str| {
        tiny.publish_as(head, &ALL);
        tiny.said(&["--update"])
    };
    let release = "error: `file://DIR/mirror/dists/tiny/InRelease`: ";
    assert_eq!(
        update(&OURS.replace("tiny", "large")),
        format!("{release}is for suite `large` (`stable`), not `tiny`: use another mirror")
    );
    let error_line = update(&format!("{OURS}Valid-Until: Sun, 13 Sep 2026 07:55:41 UTC\n"));
    let expired = format!("{release}expired on Sun, 13 Sep 2026 07:55:41 UTC, and the clock says ");
    assert!(
        error_line.starts_with(&expired)
            && error_line.ends_with(": use another mirror, or set this machine's clock"),
        "{error_line}"
    );
    let error_line = update(&OURS.replace("2026", "2099"));
    assert!(
        error_line
            .starts_with(&format!("{release}signed on Sat, 12 Sep 2099 07:55:41 UTC, but the clock says ")),
        "{error_line}"
    );
    let lock = tiny.dir.join("checkout/image/tiny-arm64.lock");
    assert!(!lock.exists(), "a lock was written of what was not believed");

    let refused_download = "error: cannot fetch the locked packages: ";
    // Not expired yet.
    let error_line = update(&format!("{OURS}Valid-Until: Sun, 13 Sep 2099 07:55:41 UTC\n"));
    assert!(error_line.starts_with(refused_download), "{error_line}");
    let before = fs::read_to_string(&lock).unwrap();
    let older = OURS.replace("Sat, 12 Sep", "Fri, 11 Sep");
    assert_eq!(
        update(&older),
        format!(
            "{release}signed on Fri, 11 Sep 2026 07:55:41 UTC, but the lock is from Sat, 12 Sep 2026 07:55:41 UTC: \
             use another mirror, or remove the lock to go back"
        )
    );
    // Older locks do not record the time of each index.
    fs::write(&lock, before.replace("Indices:\n tiny 1789199741\n", "")).unwrap();
    assert_eq!(
        update(&older),
        "error: `image/tiny-arm64.lock`: dated Sat, 12 Sep 2026 07:55:41 UTC, but the archive's newest index is of Fri, 11 Sep \
         2026 07:55:41 UTC: use another mirror, or remove the lock to go back"
    );
    assert!(!fs::read_to_string(&lock).unwrap().contains("Indices"), "the lock was changed");
    // The same index again is not older.
    assert!(update(OURS).starts_with(refused_download));
    assert_eq!(fs::read_to_string(&lock).unwrap(), before);
    // The index of the other processor, too.
    sh(&tiny.dir.join("checkout/image"), "rm *.lock");
    let error_line = update(&older);
    assert!(error_line.starts_with(refused_download), "{error_line}");
}

/// A gigabyte of memory, the limit here, is not enough for any of them.
#[test]
fn what_has_no_end_is_refused_before_the_memory_is_full() {
    host::need(&TOOLS).unwrap();
    let tiny = Distribution::new("endless");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let mirror = format!("http://{}", server.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in server.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(b"HTTP/1.0 200 OK\r\n\r\n-----BEGIN PGP SIGNED MESSAGE-----\n");
            // Until the reader closes the connection.
            while connection.write_all(&[b'x'; 1 << 16]).is_ok() {}
        }
    });
    let suite = tiny.dir.join("checkout/image/suites/tiny.toml");
    let ours = fs::read_to_string(&suite).unwrap();
    let file = format!("file://{}/mirror", tiny.dir.display());
    fs::write(&suite, ours.replace(&file, &mirror)).unwrap();
    assert_eq!(
        tiny.said(&["--update"]),
        format!(
            "error: `{mirror}/dists/tiny/InRelease`: larger than 4.2 MB, the limit for such a file: use another mirror"
        )
    );

    // The release is valid, but the index never ends.
    fs::write(&suite, &ours).unwrap();
    tiny.publish(&ALL);
    let release = fs::read(tiny.dir.join("mirror/dists/tiny/InRelease")).unwrap();
    let folder = tiny.dir.join("mirror/dists/tiny/main");
    sh(
        &folder,
        "for index in binary-*/by-hash/SHA256/*; do printf more >$index; truncate -s 10G $index; done",
    );
    let error_line = tiny.said(&["--update"]);
    assert!(error_line.starts_with("error: "), "{error_line}");
    assert!(error_line.contains("tiny's main/binary-arm64/Packages.xz"), "{error_line}");
    assert_eq!(sh(&tiny.dir, "find cache -size +1M"), "");
    assert_eq!(release, fs::read(tiny.dir.join("mirror/dists/tiny/InRelease")).unwrap());

    // 1 GB of zeros, compressed, whatever size the release states.
    for further in ["", &format!(" {} 1000 main/binary-arm64/Packages\n", "0".repeat(64))] {
        tiny.publish(&ALL);
        let bomb = sh(
            &tiny.dir.join("mirror/dists/tiny/main/binary-arm64/by-hash/SHA256"),
            "head -c 1G /dev/zero | xz -0 -T2 >index; set -- $(sha256sum index); mv index $1; echo $1 $(stat -c %s $1)",
        );
        let release = tiny.dir.join("mirror/dists/tiny/Release");
        let line = format!(" {} main/binary-arm64/Packages.xz\n", bomb.trim());
        fs::write(&release, format!("{OURS}SHA256:\n{line}{further}")).unwrap();
        tiny.sign();
        let most = if further.is_empty() { 256 << 20 } else { 1000 };
        assert_eq!(
            tiny.said(&["--update"]),
            format!(
                "error: cannot decompress tiny's main/binary-arm64/Packages.xz: unpacks to more than the limit of {most} \
                 bytes"
            )
        );
    }
    assert!(!tiny.dir.join("checkout/image/tiny-arm64.lock").exists());
}
