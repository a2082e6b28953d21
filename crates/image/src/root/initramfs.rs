//! Builds the initramfs with the distribution's own tool inside the root, with only the modules that the
//! board needs.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use common::glob::matches;
use walkdir::WalkDir;

use super::chroot::Chroot;
use super::processor::Processor;
use super::{Plan, devicetree};

/// Makes the initramfs small and reproducible. Later ones, built on the machine, use Debian's defaults.
pub(crate) const CONFIGURATION: &str = include_str!("../../../../image/initramfs.conf");

/// Builds the initramfs; returns the requested modules.
pub(super) fn make(chroot: &mut Chroot<'_>, root: &Path, plan: &Plan, work: &Path) -> Result<Vec<String>> {
    let kernel = kernel(root)?;
    let modules = modules(root, &kernel, plan)?;
    let folder = work.join("initramfs-tools");
    copy(&root.join("etc/initramfs-tools"), &folder)?;
    fs::write(folder.join("conf.d/image"), CONFIGURATION)?;
    fs::write(folder.join("modules"), modules.join("\n") + "\n")?;
    chroot.overlay(&folder, "etc/initramfs-tools")?;
    chroot.real("update-initramfs")?;
    // Hooks of the kernel packages check this variable.
    let mut environment = vec![("DEB_MAINT_PARAMS", "'configure'".to_owned())];
    chroot.stand_in_for(&plan.for_initramfs)?;
    environment.extend(chroot.hide_libraries()?);
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    chroot.run(&["update-initramfs", "-c", "-k", &kernel], &environment)?;
    nothing_foreign(chroot, root, &kernel, plan, &environment)?;
    Ok(modules)
}

/// Returns the version of the only kernel.
pub(super) fn kernel(root: &Path) -> Result<String> {
    let mut kernels = Vec::new();
    for entry in fs::read_dir(root.join("usr/lib/modules")).context("no kernel is installed")? {
        kernels.push(entry?.file_name().to_string_lossy().into_owned());
    }
    match kernels.as_slice() {
        [kernel] => Ok(kernel.clone()),
        _ => bail!("expected one kernel, found {}: {}", kernels.len(), kernels.join(", ")),
    }
}

fn modules(root: &Path, kernel: &str, plan: &Plan) -> Result<Vec<String>> {
    let initramfs = &plan.initramfs;
    let mut modules: BTreeSet<String> = initramfs.modules.iter().cloned().collect();
    if initramfs.device_trees.is_empty() {
        return Ok(modules.into_iter().collect());
    }
    let path = root.join(format!("usr/lib/modules/{kernel}/modules.alias"));
    let aliases = fs::read_to_string(&path).with_context(|| format!("`{}`", path.display()))?;
    let mut trees = 0;
    for folder in [format!("usr/lib/linux-image-{kernel}"), format!("usr/lib/modules/{kernel}/dtb")] {
        for entry in WalkDir::new(root.join(folder)).into_iter().filter_map(Result::ok) {
            let name = entry.file_name().to_string_lossy();
            if initramfs.device_trees.iter().any(|pattern| tree_matches(pattern, &name)) {
                let blob = fs::read(entry.path())?;
                let tree_modules = devicetree::modules(&blob, &aliases, &initramfs.nodes);
                modules.extend(tree_modules.with_context(|| format!("`{name}`"))?);
                trees += 1;
            }
        }
    }
    ensure!(
        trees > 0,
        "kernel {kernel} has no device tree that matches {}",
        initramfs.device_trees.join(", ")
    );
    Ok(modules.into_iter().collect())
}

fn tree_matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_suffix(".dtb"), name.strip_suffix(".dtb")) {
        (Some(pattern), Some(name)) => matches(pattern, name),
        _ => false,
    }
}

/// A host program in the initramfs would not run there, and the mistake would only show when the board does
/// not boot.
fn nothing_foreign(
    chroot: &mut Chroot<'_>,
    root: &Path,
    kernel: &str,
    plan: &Plan,
    environment: &[(&str, &str)],
) -> Result<()> {
    let here = Processor::find_host()?;
    if here == Processor::find(&plan.architecture)? {
        return Ok(());
    }
    // unmkinitramfs handles any number of archives, packed or not.
    chroot.run(&["unmkinitramfs", &format!("/boot/initrd.img-{kernel}"), "/tmp/initramfs"], environment)?;
    let folder = root.join("tmp/initramfs");
    for entry in WalkDir::new(&folder) {
        let entry = entry?;
        let mut start = [0; 20];
        let whole = entry.file_type().is_file() && File::open(entry.path())?.read_exact(&mut start).is_ok();
        if whole && start.starts_with(b"\x7fELF") && start[18..20] == here.elf.to_le_bytes() {
            let path = entry.path().strip_prefix(&folder)?.display();
            bail!(
                "the initramfs contains a program for {}, `{path}`: a stand-in was copied into it",
                here.deb
            );
        }
    }
    Ok(fs::remove_dir_all(&folder)?)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let target = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(fs::create_dir_all(to.join("conf.d"))?)
}
