//! Fetches files from a mirror in parallel with curl, into a cache where each is named by its hash. A file
//! gets that name only if its hash matches, and no more is fetched than the announced size.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fmt, thread};

use anyhow::{Context, Result, bail, ensure};
use common::checksum::sha256_file;
use common::parallel;
use rustix::fs::statvfs;

/// A file to download.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// Its URL.
    pub url: String,
    /// SHA-256, which is its name in the cache.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
    /// Its name in messages.
    pub name: String,
}

/// Parallel downloads: mirrors allow this many, and latency dominates for most packages.
const AT_ONCE: &str = "12";
/// Locked while a folder of partial downloads is created or used.
const LOCK: &str = ".lock";
/// curl's exit status for a file larger than the limit.
const TOO_LARGE: i32 = 63;
/// Limit for curl's error output.
const LONGEST_ERROR: u64 = 64 << 10;
/// Space that must stay free on the disk.
const SPARE: u64 = 16 << 20;

/// The mirror lacks files or has different ones; lists each.
#[derive(Debug)]
pub struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// Fetches the files that the cache lacks; returns the number of bytes fetched.
pub fn fetch(downloads: &[Wanted], cache: &Path) -> Result<u64> {
    fs::create_dir_all(cache).with_context(|| format!("cannot create `{}`", cache.display()))?;
    let missing: BTreeMap<&str, &Wanted> = downloads
        .iter()
        .filter(|w| !cached(cache, &w.sha256).exists())
        .map(|w| (w.sha256.as_str(), w))
        .collect();
    if missing.is_empty() {
        return Ok(0);
    }
    let bytes = missing.values().fold(0_u64, |sum, download| sum.saturating_add(download.size));
    let drafts = Drafts::new(cache)?;
    let room = |needed: u64| -> Result<()> {
        let disk = statvfs(cache)?;
        let free = disk.f_bavail * disk.f_frsize;
        ensure!(
            free >= needed.saturating_add(SPARE),
            "`{}`: no space for {} of downloads, only for {}: free up space on that disk",
            cache.display(),
            megabytes(bytes),
            megabytes(free.saturating_sub(SPARE))
        );
        Ok(())
    };
    room(bytes)?;
    eprintln!("fetching {} files, {}", missing.len(), megabytes(bytes));
    let list: Vec<&Wanted> = missing.into_values().collect();
    let curl_error = curl(&list, &drafts.path)?;
    let faults = Faults::find(&list, &drafts.path, cache)?;
    if !faults.0.is_empty() {
        // Another process may have filled the disk meanwhile.
        room(0)?;
        bail!(Missing(faults.0.join("; ") + &curl_error));
    }
    Ok(bytes)
}

/// Returns the path of a file in the cache.
pub fn cached(cache: &Path, sha256: &str) -> PathBuf {
    cache.join(sha256)
}

/// Fetches a small file without a known hash, of at most `most` bytes.
pub fn text(url: &str, most: u64) -> Result<Vec<u8>> {
    let mut child = Command::new("curl")
        .args(["--fail", "--silent", "--show-error", "--location", "--retry", "3", "--max-time", "60"])
        .args(["--max-filesize", &most.to_string(), url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start `curl`: apt-get install curl")?;
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let mut text = Vec::new();
    let read = output.map_or(Ok(0), |output| output.take(most + 1).read_to_end(&mut text));
    if text.len() as u64 > most {
        child.kill()?;
    }
    let status = child.wait()?;
    let mut stderr = Vec::new();
    errors.map_or(Ok(0), |errors| errors.take(LONGEST_ERROR).read_to_end(&mut stderr))?;
    // Before curl 8.4, curl only enforces the limit if the server announces the length.
    if text.len() as u64 > most || status.code() == Some(TOO_LARGE) {
        bail!("`{url}`: larger than {}, the limit for such a file: use another mirror", megabytes(most));
    }
    if !status.success() {
        let stderr = String::from_utf8_lossy(&stderr);
        bail!("cannot fetch `{url}`: {}", stderr.trim().trim_start_matches("curl: "));
    }
    read?;
    Ok(text)
}

/// Formats a number of bytes in megabytes.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// A folder for partial downloads, removed at the end of the run, or by the next run after a crash.
struct Drafts {
    path: PathBuf,
    _lock: File,
}

impl Drafts {
    fn new(cache: &Path) -> Result<Drafts> {
        let path = cache.join(format!(".{}", std::process::id()));
        let cannot = || format!("cannot create `{}`", path.display());
        // Creating a folder and inspecting those of other runs needs this lock.
        let turn = File::create(cache.join(LOCK)).with_context(cannot)?;
        turn.lock()?;
        for entry in fs::read_dir(cache)? {
            let other = entry?.path();
            if let Ok(lock) = File::open(other.join(LOCK))
                && lock.try_lock().is_ok()
            {
                fs::remove_dir_all(&other)?;
            }
        }
        fs::create_dir_all(&path).with_context(cannot)?;
        let lock = File::create(path.join(LOCK)).with_context(cannot)?;
        lock.lock()?;
        Ok(Drafts { path, _lock: lock })
    }
}

impl Drop for Drafts {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Runs curl on the list; returns its error message if it failed.
fn curl(list: &[&Wanted], drafts: &Path) -> Result<String> {
    let config: Vec<String> = list.iter().map(|download| section(download, drafts)).collect();
    let config = config.join("next\n");
    let largest = list.iter().map(|download| download.size).max().unwrap_or_default();
    // Before curl 8.4, curl does not enforce the limit while receiving; the kernel does.
    let mut child = Command::new("prlimit")
        .arg(format!("--fsize={largest}"))
        .args(["curl", "--silent", "--show-error", "--parallel", "--parallel-max", AT_ONCE, "--config", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start `curl`: apt-get install curl")?;
    let mut input = child.stdin.take().context("no pipe for the stdin of the child")?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        if std::io::stderr().is_terminal() {
            let total = list.iter().fold(0_u64, |sum, download| sum.saturating_add(download.size));
            let done = &done;
            scope.spawn(move || show(drafts, total, done));
        }
        // In a thread, because curl would block if its stderr were not read meanwhile.
        scope.spawn(move || input.write_all(config.as_bytes()));
        let ended = child.wait_with_output();
        done.store(true, Ordering::Relaxed);
        let ended = ended?;
        let stderr = String::from_utf8_lossy(&ended.stderr);
        let last = stderr.lines().rfind(|line| line.starts_with("curl:")).unwrap_or_default();
        Ok(if last.is_empty() { String::new() } else { format!(" ({last})") })
    })
}

/// Returns curl's configuration for one file; options of one file do not apply to the next.
fn section(download: &Wanted, drafts: &Path) -> String {
    let output = drafts.join(&download.sha256);
    format!(
        "url = \"{}\"\noutput = \"{}\"\nmax-filesize = {}\nfail\nlocation\ngloboff\nretry = 3\n\
         connect-timeout = 30\nspeed-limit = 1000\nspeed-time = 60\n",
        quote(&download.url),
        quote(&output.display().to_string()),
        // 0 would mean no limit.
        download.size.max(1)
    )
}

/// Shows the progress on a terminal until the download is done.
fn show(drafts: &Path, total: u64, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        let files = fs::read_dir(drafts).into_iter().flatten().flatten();
        let there: u64 = files.filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum();
        eprint!("\r{} of {} ", megabytes(there), megabytes(total));
        thread::sleep(Duration::from_millis(200));
    }
    eprint!("\r{:32}\r", "");
}

fn quote(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

struct Faults(Vec<String>);

impl Faults {
    /// Moves complete files into the cache and lists the faults of the others.
    fn find(list: &[&Wanted], drafts: &Path, cache: &Path) -> Result<Faults> {
        let sums = parallel::each(list, |download| Ok(sha256_file(&drafts.join(&download.sha256)).ok()))?;
        let mut faults = Vec::new();
        for (download, sum) in list.iter().zip(sums) {
            match sum {
                Some(sum) if sum == download.sha256 => {
                    fs::rename(drafts.join(&download.sha256), cached(cache, &download.sha256))?;
                }
                Some(_) => faults.push(format!(
                    "{}: wrong hash: `{}` is damaged or was replaced",
                    download.name, download.url
                )),
                None => faults.push(format!("cannot fetch {} from `{}`", download.name, download.url)),
            }
        }
        Ok(Faults(faults))
    }
}
