//! A malicious image or package: what its scripts try as root and as a regular user, and that they gain no
//! access to the host.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use disk::layout;
use disk::tree::{Content, Kind, Node, Tree};
use image::bake::{Stock, bake};
use support::account::Account;
use support::scratch::scratch;

use crate::bake::tree;
use crate::debian::{EPOCH, layout, native, processor};
use crate::others::{both, command};
use crate::supply::Archive;

/// The script tries one thing per line and prints the result.
const ATTACK: &str = include_str!("attack.pl");
const TRIED: [&str; 16] = [
    "the builder's secret",
    "the builder's home",
    "the way out of a chroot",
    "other processes' roots",
    "the builder's processes",
    "the builder's environment",
    "an inherited environment",
    "the builder's keyring",
    "an open file",
    "another look at a mount",
    "a mount",
    "what lies below a mount",
    "the kernel's core pattern",
    "a host of the network",
    "root's identity",
    "new privileges",
];
const KEY: &str = "a-key-that-nobody-else-has";

/// The user who builds an image: folder, home, and data only this user may see.
struct Builder {
    dir: PathBuf,
    account: Option<Account>,
    /// Root of another system to build on, or `None` for the host.
    host: Option<PathBuf>,
    listener: TcpListener,
}

impl Builder {
    fn new(dir: &Path, account: Option<Account>, host: Option<PathBuf>) -> Builder {
        let dir = account.as_ref().map_or(dir.to_owned(), |account| account.home.clone());
        fs::write(dir.join("secret"), "nobody's business\n").unwrap();
        fs::set_permissions(dir.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Builder { dir, account, host, listener }
    }

    /// Files on the host that must not exist afterwards.
    fn traces(&self) -> [PathBuf; 3] {
        let name = format!("hostile-{}-{}", std::process::id(), self.account.is_some());
        ["/tmp", "/var/tmp", support::command::root().to_str().unwrap()]
            .map(|folder| Path::new(folder).join(&name))
    }

    /// Returns the script for any place.
    fn attack(&self) -> String {
        let traces = self.traces().map(|path| path.display().to_string()).join(" ");
        let secret = self.dir.join("secret").display().to_string();
        let port = self.listener.local_addr().unwrap().port();
        // The number of the system call `keyctl`.
        let keyctl = if cfg!(target_arch = "x86_64") { 250 } else { 219 };
        format!("perl - '{secret}' '{port}' '{KEY}' {keyctl} {traces} <<'END'\n{ATTACK}END\n")
    }

    /// Returns a command that bakes as this user, with a key in the environment, one in the session keyring,
    /// and an open secret file.
    fn command(&self, base: &Tree, deb: &Path) -> Command {
        let image = self.dir.join("base.img");
        layout::write(base, &layout(), &image).unwrap();
        let program = self.dir.join("program");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let words = "keyctl add user hostile sesame @s >/dev/null
            exec \"$0\" --exact --ignored --nocapture hostile::bake_for_another_test 9<secret";
        let mut command = match &self.account {
            Some(account) => {
                let mut owned = Command::new("chown");
                owned.arg("--recursive").arg(format!("{}:", account.name)).arg(&account.home);
                assert!(owned.status().unwrap().success());
                account.command(Path::new("keyctl"))
            }
            None => Command::new("keyctl"),
        };
        command.args(["session", "-", "sh", "-euc", words]).arg(program).current_dir(&self.dir);
        command.env("RUST_BACKTRACE", "0").env("HOME", &self.dir).env("REPO_KEY", KEY);
        command.env("BAKE_DIR", &self.dir).env("BAKE_DEB", deb);
        let mut command = match &self.host {
            Some(root) => on_another_system(&command, root),
            None => command,
        };
        command.stdin(Stdio::null());
        command
    }

    fn bake(&self, base: &Tree, deb: &Path) -> Result<Tree, String> {
        let output = self.command(base, deb).output().unwrap();
        for trace in self.traces() {
            assert!(!trace.exists(), "{} was written", trace.display());
        }
        let met = self.listener.accept();
        assert!(
            met.is_err_and(|error| error.kind() == ErrorKind::WouldBlock),
            "somebody came by the network"
        );
        match output.status.success() {
            true => Ok(tree(&self.dir.join("out.img"))),
            false => Err(both(&output)),
        }
    }
}

/// Run by other tests as another user; not a test of its own.
#[test]
#[ignore = "is run by another one"]
fn bake_for_another_test() {
    let [dir, deb] = ["BAKE_DIR", "BAKE_DEB"].map(|name| PathBuf::from(std::env::var_os(name).unwrap()));
    // An archive of one package, if it exists.
    let stock = match dir.join("archive").exists() {
        true => Archive::found(&dir.join("archive")).stock(),
        false => Stock { suites: Vec::new(), locks: PathBuf::new(), update: None, cache: PathBuf::new() },
    };
    bake(&dir.join("base.img"), &[deb], &stock, None, &dir.join("out.img")).unwrap();
}

/// Makes another system's root the root file system, with the host's accounts and processes and the folders
/// of traces, and runs a command there. (In a chroot, the kernel refuses to create a user namespace.)
const ANOTHER_SYSTEM: &str = "root=$1 checkout=$2; shift 2
    mount -t tmpfs none /run
    mkdir /run/upper /run/work /run/root
    mount -t overlay -o lowerdir=$root,upperdir=/run/upper,workdir=/run/work none /run/root
    cd /run/root
    for folder in /proc /sys /dev /tmp /var/tmp $checkout; do
        mkdir -p .$folder
        mount --rbind $folder .$folder
    done
    for file in passwd group shadow gshadow subuid subgid; do
        touch etc/$file
        mount --bind /etc/$file etc/$file
    done
    mkdir old
    /usr/sbin/pivot_root . old
    umount -l old
    cd \"$BAKE_DIR\"
    exec \"$@\"";

fn on_another_system(inner: &Command, root: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--", "sh", "-euc", ANOTHER_SYSTEM, "sh"]);
    command.arg(root).arg(support::command::root()).arg(inner.get_program()).args(inner.get_args());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap());
    }
    command
}

/// Runs a test as root and as a regular user, on this host and on Debian 13.
fn as_root_and_as_somebody(name: &str, test: impl Fn(&Builder)) {
    testbed::host::need(&[
        ("perl", "perl-base"),
        ("keyctl", "keyutils"),
        ("newuidmap", "uidmap"),
        ("useradd", "passwd"),
    ])
    .unwrap();
    // Requirements of an image build and of these tests.
    let tools = ["curl", "gpgv", "keyutils", "perl-base", "uidmap"].into_iter();
    let tools: Vec<&str> = tools.chain(crate::others::NEEDED.map(|(_, package)| package)).collect();
    let younger = testbed::Machine::on(testbed::Suite::Trixie).with(&tools).root().unwrap();
    for host in [None, Some(younger)] {
        let dir = scratch(&format!("{name}{}", if host.is_some() { "-13" } else { "" }));
        test(&Builder::new(&dir, None, host.clone()));
        test(&Builder::new(&dir, Some(Account::new(name)), host));
    }
}

/// Asserts that everything was tried in that place and refused.
fn assert_in_vain(tree: &Tree, place: &str) {
    let results = String::from_utf8(tree.read("/etc/attack").expect("it was tried")).unwrap();
    let results: BTreeSet<String> = results.lines().map(str::to_owned).collect();
    let mut expected: BTreeSet<String> = TRIED.iter().map(|what| format!("{what}: refused")).collect();
    expected.insert(format!("{place} the image"));
    assert_eq!(results, expected);
}

/// Returns a system with the programs that the script needs.
fn system() -> Tree {
    let mut tree = native();
    let programs = "for name in perl mount umount bash; do
        path=$(command -v $name); echo $path; ldd $path | grep -o '/[^ ]*' || :; done | sort -u";
    let output = command("sh").args(["-euc", programs]).output().unwrap();
    for path in String::from_utf8(output.stdout).unwrap().lines() {
        let inner = if path.starts_with("/usr/") { path.to_owned() } else { format!("/usr{path}") };
        put(&mut tree, &inner, &fs::read(path).unwrap(), 0o755);
    }
    tree
}

fn put(tree: &mut Tree, path: &str, bytes: &[u8], mode: u16) {
    tree.insert(path, Node::new(Kind::File(Content::bytes(bytes.to_vec())), mode, EPOCH)).unwrap();
}

/// Builds a package with a script.
fn package(dir: &Path, control: &str, postinst: &str) -> PathBuf {
    let root = dir.join("robot");
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(root.join("DEBIAN")).unwrap();
    let fields = format!(
        "Package: robot\nVersion: 1.2\nArchitecture: {}\nMaintainer: A <a@example.org>\n{control}Description: r\n",
        processor()
    );
    fs::write(root.join("DEBIAN/control"), fields).unwrap();
    fs::write(root.join("DEBIAN/postinst"), format!("#!/bin/sh\n{postinst}")).unwrap();
    fs::set_permissions(root.join("DEBIAN/postinst"), fs::Permissions::from_mode(0o755)).unwrap();
    let deb = dir.join("robot.deb");
    let built =
        command("dpkg-deb").args(["--root-owner-group", "-Zgzip", "--build"]).arg(&root).arg(&deb).output();
    assert!(built.unwrap().status.success());
    deb
}

#[test]
fn a_package_that_means_harm_gets_nothing_of_this_machine() {
    as_root_and_as_somebody("hostile-deb", |builder| {
        let deb = package(&builder.dir, "", &builder.attack());
        assert_in_vain(&builder.bake(&system(), &deb).unwrap(), "outside of");
    });
}

/// Returns a system with an installed package that runs the script when it is upgraded or removed.
fn system_with(name: &str, builder: &Builder) -> Tree {
    let mut base = system();
    let status = String::from_utf8(base.read("/var/lib/dpkg/status").unwrap()).unwrap();
    let there = format!(
        "Package: {name}\nStatus: install ok installed\nMaintainer: A <a@example.org>\nArchitecture: {}\n\
         Version: 1.1\nDescription: r\n\n",
        processor()
    );
    put(&mut base, "/var/lib/dpkg/status", (status + &there).as_bytes(), 0o644);
    put(&mut base, &format!("/var/lib/dpkg/info/{name}.list"), b"/.\n", 0o644);
    let script = format!("#!/bin/sh\n{}", builder.attack());
    put(&mut base, &format!("/var/lib/dpkg/info/{name}.prerm"), script.as_bytes(), 0o755);
    base
}

#[test]
fn scripts_of_an_image_run_in_it_alone_and_get_nothing_of_this_machine() {
    as_root_and_as_somebody("hostile-base", |builder| {
        let instead_of = "Conflicts: rival\nReplaces: rival\nProvides: rival\n";
        let deb = package(&builder.dir, instead_of, "exit 0\n");
        for name in ["robot", "rival"] {
            assert_in_vain(&builder.bake(&system_with(name, builder), &deb).unwrap(), "inside of");
        }
        // Without a shell, the script cannot run at all.
        let mut base = system_with("robot", builder);
        for shell in ["sh", "dash", "bash"] {
            base.remove(&format!("/usr/bin/{shell}"));
        }
        let error = builder.bake(&base, &deb).unwrap_err();
        assert!(error.contains("cannot install the packages"), "{error}");
    });
}

#[test]
fn programs_of_an_image_get_nothing_of_this_machine() {
    as_root_and_as_somebody("hostile-programs", |builder| {
        let mut base = system();
        for (name, shell) in [("dpkg", "/bin/bash"), ("sh", "/bin/bash")] {
            let path = format!("/usr/bin/{name}");
            let bytes = base.read(&path).unwrap();
            put(&mut base, &format!("{path}.real"), &bytes, 0o755);
            let script = format!("#!{shell}\n{}exec {path}.real \"$@\"\n", builder.attack());
            put(&mut base, &path, script.as_bytes(), 0o755);
        }
        let folder = builder.dir.join("archive");
        let _ = fs::remove_dir_all(&folder);
        let mut archive = Archive::new(&folder);
        archive.put("wheels", "", "");
        archive.stock();
        let deb = package(&builder.dir, "Depends: wheels\n", "exit 0\n");
        assert_in_vain(&builder.bake(&base, &deb).unwrap(), "inside of");
    });
}

#[test]
fn what_a_package_starts_is_nobodys_and_ends_with_the_builder() {
    as_root_and_as_somebody("hostile-life", |builder| {
        let word = format!("goes-on-{}-{}", std::process::id(), builder.account.is_some());
        let script = format!("setsid perl -e 'sleep 9999' {word} &\nperl -e 'sleep 9999' {word}\n");
        let deb = package(&builder.dir, "", &script);
        let mut command = builder.command(&system(), &deb);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let two = until(|| Some(owners(&word)).filter(|owners| owners.len() == 2));
        let child_s = owner(child.id()).unwrap();
        assert!(two.iter().all(|owner| *owner != 0 && *owner != child_s), "{two:?} are on this machine");
        child.kill().unwrap();
        child.wait().unwrap();
        until(|| Some(()).filter(|()| owners(&word).is_empty()));
    });
}

/// Returns the owners of processes that were started with this argument.
fn owners(word: &str) -> Vec<u32> {
    let numbers =
        fs::read_dir("/proc").unwrap().filter_map(|e| e.unwrap().file_name().to_str()?.parse().ok());
    let started = |number: &u32| {
        let words = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        words.starts_with(b"perl\0") && words.split(|byte| *byte == 0).any(|other| other == word.as_bytes())
    };
    numbers.filter(started).filter_map(owner).collect()
}

fn owner(number: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{number}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok())
}

/// Polls until there is a value, as long as a busy machine may take.
fn until<T>(there: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(it) = there() {
            return it;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it did not happen");
        thread::sleep(Duration::from_millis(20));
    }
}
