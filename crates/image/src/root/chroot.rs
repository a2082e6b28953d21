//! The root file system while package scripts run in it, each of them confined. It has a few devices and, for
//! a foreign processor, host programs in place of its own. [`Chroot::leave`] removes everything that was
//! added.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};

use super::Plan;
use super::enter::CONFINE;
use super::processor::Processor;

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Where host programs are mounted inside the root.
const STAND_INS: &str = "/.stand-ins";
/// First folder in `PATH`.
const FIRST: &str = "/.first";

/// A root file system that programs can run in.
pub(super) struct Chroot<'a> {
    root: &'a Path,
    plan: &'a Plan,
    log: File,
    mounted: Vec<PathBuf>,
    added: Vec<PathBuf>,
}

impl<'a> Chroot<'a> {
    /// Prepares the root; `stand_ins` is a folder with host programs.
    pub(super) fn enter(root: &'a Path, stand_ins: Option<&Path>, plan: &'a Plan, log: File) -> Result<Self> {
        let mut chroot = Self { root, plan, log, mounted: Vec::new(), added: Vec::new() };
        for folder in ["proc", "dev", "sys", "run", "tmp"] {
            fs::create_dir_all(root.join(folder))?;
        }
        for device in DEVICES {
            let path = format!("dev/{device}");
            fs::write(root.join(&path), "")?;
            chroot.added.push(root.join(&path));
            chroot.bind(&Path::new("/dev").join(device), &path)?;
        }
        chroot.script("usr/sbin/policy-rc.d", include_str!("../../../../image/policy-rc.d"))?;
        let first = chroot.folder(&FIRST[1..])?;
        for name in &plan.answer_yes {
            symlink("/usr/bin/true", first.join(name))?;
        }
        if let Some(stand_ins) = stand_ins {
            chroot.stand_in(stand_ins, &first)?;
        }
        Ok(chroot)
    }

    /// Puts host programs first in `PATH` and over the root's interpreters.
    fn stand_in(&mut self, stand_ins: &Path, first: &Path) -> Result<()> {
        let here = Processor::find_host()?;
        self.folder(&STAND_INS[1..])?;
        self.bind(stand_ins, &STAND_INS[1..])?;
        // Each processor has its own library folder, so both can be present.
        let libraries = here.libraries.trim_start_matches('/');
        self.folder(libraries)?;
        self.bind(&stand_ins.join(libraries), libraries)?;
        if let Some((link, target)) = here.link {
            // The same link that base-files creates.
            self.folder(target)?;
            let link = self.root.join(link.trim_start_matches('/'));
            symlink(target, &link)?;
            self.added.push(link);
        }
        let loader = self.root.join(here.loader.trim_start_matches('/'));
        symlink(format!("{STAND_INS}{}", here.loader), &loader)?;
        self.added.push(loader);
        for folder in ["usr/bin", "usr/sbin"] {
            for entry in fs::read_dir(stand_ins.join(folder))? {
                let entry = entry?;
                let name = entry.file_name();
                let text = name.to_string_lossy();
                let plan = self.plan;
                let own = plan.never.iter().any(|n| *n == text) || plan.answer_yes.iter().any(|n| *n == text);
                let over = plan.interpreters.iter().any(|path| path.ends_with(&format!("/{text}")));
                if !own && !over && is_program(&entry.path()) {
                    let _ = fs::remove_file(first.join(&name));
                    symlink(format!("{STAND_INS}/{folder}/{text}"), first.join(&name))?;
                }
            }
        }
        for path in &self.plan.interpreters {
            let inner = path.trim_start_matches('/');
            if stand_ins.join(inner).exists() && self.root.join(inner).exists() {
                self.bind(&stand_ins.join(inner), inner)?;
            }
        }
        Ok(())
    }

    /// Runs a program in the root. Its output goes to the log, whose end becomes part of an error.
    pub(super) fn run(&mut self, words: &[&str], environment: &[(&str, &str)]) -> Result<()> {
        let from = self.log.seek(SeekFrom::End(0))?;
        writeln!(self.log, "+ {}", words.join(" "))?;
        let status = self.command(words, environment)?.status();
        let status =
            status.with_context(|| format!("cannot start `{}` in the root file system", words[0]))?;
        if !status.success() {
            bail!("`{}` failed in the root file system:\n{}", words.join(" "), self.tail(from)?);
        }
        Ok(())
    }

    fn command(&self, words: &[&str], environment: &[(&str, &str)]) -> Result<Command> {
        let chroot = ["/usr/sbin/chroot", "/usr/bin/chroot", "/sbin/chroot"]
            .into_iter()
            .find(|p| Path::new(p).exists());
        let chroot = chroot.context("`chroot` is missing: apt-get install coreutils")?;
        let path = format!("{FIRST}:/usr/sbin:/usr/bin");
        let epoch = self.plan.epoch.to_string();
        let every = [
            ("PATH", path.as_str()),
            ("HOME", "/root"),
            ("LC_ALL", "C.UTF-8"),
            ("DEBIAN_FRONTEND", "noninteractive"),
            ("DEBCONF_NONINTERACTIVE_SEEN", "true"),
            ("SOURCE_DATE_EPOCH", &epoch),
            // Otherwise the kernel package would build an initramfs, and later packages would rebuild it.
            ("INITRD", "No"),
        ];
        let variables = every.iter().chain(environment).map(|(name, value)| format!("{name}={value}"));
        let mut command = Command::new(CONFINE);
        command.arg(self.root).args(["env", "-i"]).args(variables);
        command.arg(chroot).arg(self.root).args(words);
        command.stdin(Stdio::null()).stdout(self.log.try_clone()?).stderr(self.log.try_clone()?);
        Ok(command)
    }

    /// Returns the last lines of the log.
    fn tail(&mut self, from: u64) -> Result<String> {
        self.log.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        self.log.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        Ok(lines[lines.len().saturating_sub(25)..].join("\n"))
    }

    /// Makes a program real again that so far was replaced by `true`.
    pub(super) fn real(&mut self, name: &str) -> Result<()> {
        Ok(fs::remove_file(self.root.join(&FIRST[1..]).join(name))?)
    }

    /// Mounts some host programs over the root's own.
    pub(super) fn stand_in_for(&mut self, names: &[String]) -> Result<()> {
        let folder = self.root.join(&STAND_INS[1..]);
        for name in names {
            let inner = format!("usr/bin/{name}");
            let (program, own) = (folder.join(&inner), self.root.join(&inner));
            // An alternative such as `awk` is a link in both systems.
            if is_program(&program) && !program.is_symlink() && own.is_file() && !own.is_symlink() {
                self.bind(&program, &inner)?;
            }
        }
        Ok(())
    }

    /// Unmounts the host's libraries from the path that all programs see; only host programs still find them.
    /// An initramfs hook copies every match of `/usr/lib/*/libkmod.so.*`, for any processor.
    pub(super) fn hide_libraries(&mut self) -> Result<Vec<(&'static str, String)>> {
        let folder = Processor::find_host()?.libraries;
        let path = self.root.join(folder.trim_start_matches('/'));
        let Some(at) = self.mounted.iter().position(|mounted| *mounted == path) else {
            return Ok(Vec::new());
        };
        unmount(&path, UnmountFlags::DETACH)?;
        self.mounted.remove(at);
        self.added.retain(|added| *added != path);
        fs::remove_dir(&path)?;
        let moved = format!("{STAND_INS}{folder}");
        Ok(vec![("PERL5LIB", format!("{moved}/perl-base")), ("LD_LIBRARY_PATH", moved)])
    }

    /// Mounts a build folder over one of the root.
    pub(super) fn overlay(&mut self, source: &Path, inner: &str) -> Result<()> {
        self.bind(source, inner)
    }

    /// Removes everything that was added.
    pub(super) fn leave(mut self) -> Result<()> {
        while let Some(path) = self.mounted.pop() {
            unmount(&path, UnmountFlags::DETACH).with_context(|| format!("`{}`", path.display()))?;
        }
        while let Some(path) = self.added.pop() {
            let is_folder = fs::symlink_metadata(&path)?.is_dir();
            if is_folder { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
        }
        Ok(())
    }

    fn folder(&mut self, inner: &str) -> Result<PathBuf> {
        let path = self.root.join(inner);
        fs::create_dir(&path).with_context(|| format!("`/{inner}`"))?;
        self.added.push(path.clone());
        Ok(path)
    }

    fn script(&mut self, inner: &str, text: &str) -> Result<()> {
        let path = self.root.join(inner);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        self.added.push(path);
        Ok(())
    }

    fn bind(&mut self, source: &Path, inner: &str) -> Result<()> {
        let target = self.root.join(inner);
        mount_bind(source, &target)
            .with_context(|| format!("cannot mount `{}` over `/{inner}`", source.display()))?;
        self.mounted.push(target);
        Ok(())
    }
}

/// Registers an emulator for a foreign processor's programs in this namespace, unless the host's kernel
/// already has one.
pub(super) fn emulate(processor: Processor, emulator: Option<&Path>, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let Some(emulator) = emulator else {
        bail!("cannot run programs for {0} here: apt-get install qemu-user-static", processor.deb)
    };
    // Since Linux 6.7, every user namespace has its own binfmt_misc; before, there is only the host's.
    if mount("binfmt_misc", folder, "binfmt_misc", MountFlags::empty(), None).is_err() {
        let host = format!("/proc/sys/fs/binfmt_misc/qemu-{}", processor.machine);
        let known = fs::read_to_string(&host).unwrap_or_default();
        if known.starts_with("enabled") && known.lines().any(|l| l.starts_with("flags:") && l.contains('F')) {
            return Ok(());
        }
        bail!(
            "cannot run programs for {} here: the kernel is older than 6.7 and cannot register an emulator for a \
             namespace: as root run `apt-get install qemu-user-static binfmt-support`",
            processor.deb
        );
    }
    let line = processor.registration(emulator);
    fs::write(folder.join("register"), line.as_encoded_bytes()).context("cannot register the emulator")
}

fn is_program(path: &Path) -> bool {
    let mut start = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"\x7fELF"
}
