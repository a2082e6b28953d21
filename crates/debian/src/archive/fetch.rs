//! Files from a mirror: several at once, by curl, into a cache where each is called by its hash. What is not what its
//! hash says never gets that name, and nothing is fetched beyond the size that was announced.

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

/// A file to be had.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// Where it is.
    pub url: String,
    /// Its hash, by which it is called in the cache.
    pub sha256: String,
    /// Its size.
    pub size: u64,
    /// What it is to a person.
    pub name: String,
}

/// How many come at once: mirrors bear this, and a package is mostly smaller than the way to it is long.
const AT_ONCE: &str = "12";
/// Held while a folder of drafts is in use, and while one is made.
const LOCK: &str = ".lock";
/// curl's exit status for a file that is larger than it may be.
const TOO_LARGE: i32 = 63;
/// What is read of its errors.
const LONGEST_ERROR: u64 = 64 << 10;
/// What is left free on a disk, for whatever else is written there.
const SPARE: u64 = 16 << 20;

/// The mirror has something else or nothing, one after the other.
#[derive(Debug)]
pub struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// Makes sure that all are in the folder; returns how many bytes had to come.
pub fn fetch(wanted: &[Wanted], cache: &Path) -> Result<u64> {
    fs::create_dir_all(cache).with_context(|| format!("`{}`: cannot be made", cache.display()))?;
    let missing: BTreeMap<&str, &Wanted> = wanted
        .iter()
        .filter(|w| !cached(cache, &w.sha256).exists())
        .map(|w| (w.sha256.as_str(), w))
        .collect();
    if missing.is_empty() {
        return Ok(0);
    }
    let bytes = missing.values().fold(0_u64, |sum, wanted| sum.saturating_add(wanted.size));
    let drafts = Drafts::new(cache)?;
    let room = |needed: u64| -> Result<()> {
        let disk = statvfs(cache)?;
        let free = disk.f_bavail * disk.f_frsize;
        ensure!(
            free >= needed.saturating_add(SPARE),
            "`{}`: {} have to be fetched, and there is room for {}: make room on that disk",
            cache.display(),
            megabytes(bytes),
            megabytes(free.saturating_sub(SPARE))
        );
        Ok(())
    };
    room(bytes)?;
    eprintln!("fetching {} files, {}", missing.len(), megabytes(bytes));
    let list: Vec<&Wanted> = missing.into_values().collect();
    let said = curl(&list, &drafts.path)?;
    let faults = Faults::find(&list, &drafts.path, cache)?;
    if !faults.0.is_empty() {
        // Somebody else may have filled it meanwhile.
        room(0)?;
        bail!(Missing(faults.0.join("; ") + &said));
    }
    Ok(bytes)
}

/// A file's place in the cache.
pub fn cached(cache: &Path, sha256: &str) -> PathBuf {
    cache.join(sha256)
}

/// A small file that has no hash yet, of at most that many bytes.
pub fn text(url: &str, most: u64) -> Result<Vec<u8>> {
    let mut child = Command::new("curl")
        .args(["--fail", "--silent", "--show-error", "--location", "--retry", "3", "--max-time", "60"])
        .args(["--max-filesize", &most.to_string(), url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("`curl` does not start: apt-get install curl")?;
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let mut text = Vec::new();
    let read = output.map_or(Ok(0), |output| output.take(most + 1).read_to_end(&mut text));
    if text.len() as u64 > most {
        child.kill()?;
    }
    let status = child.wait()?;
    let mut said = Vec::new();
    errors.map_or(Ok(0), |errors| errors.take(LONGEST_ERROR).read_to_end(&mut said))?;
    // curl itself only knows before it begins, where the server says how long the file is.
    if text.len() as u64 > most || status.code() == Some(TOO_LARGE) {
        bail!("`{url}`: is longer than {}, which no such file is: use another mirror", megabytes(most));
    }
    if !status.success() {
        let said = String::from_utf8_lossy(&said);
        bail!("`{url}`: cannot be fetched: {}", said.trim().trim_start_matches("curl: "));
    }
    read?;
    Ok(text)
}

/// Bytes as people read them.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Where files grow until they are whole; gone with the run, or with the next one if that was killed.
struct Drafts {
    path: PathBuf,
    _lock: File,
}

impl Drafts {
    fn new(cache: &Path) -> Result<Drafts> {
        let path = cache.join(format!(".{}", std::process::id()));
        let cannot = || format!("`{}`: cannot be made", path.display());
        // Whoever makes one, or looks at those of others, does so alone.
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

/// Lets curl get them; what it says when it does not get all.
fn curl(list: &[&Wanted], drafts: &Path) -> Result<String> {
    let config: Vec<String> = list.iter().map(|wanted| section(wanted, drafts)).collect();
    let config = config.join("next\n");
    let largest = list.iter().map(|wanted| wanted.size).max().unwrap_or_default();
    // curl looks at what has come only from 8.4 on, and the kernel always does.
    let mut child = Command::new("prlimit")
        .arg(format!("--fsize={largest}"))
        .args(["curl", "--silent", "--show-error", "--parallel", "--parallel-max", AT_ONCE, "--config", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("`curl` does not start: apt-get install curl")?;
    let mut input = child.stdin.take().context("curl has no input")?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        if std::io::stderr().is_terminal() {
            let total = list.iter().fold(0_u64, |sum, wanted| sum.saturating_add(wanted.size));
            let done = &done;
            scope.spawn(move || show(drafts, total, done));
        }
        // Beside the reading of what it says, or both would wait for the other.
        scope.spawn(move || input.write_all(config.as_bytes()));
        let ended = child.wait_with_output();
        done.store(true, Ordering::Relaxed);
        let ended = ended?;
        let said = String::from_utf8_lossy(&ended.stderr);
        let last = said.lines().rfind(|line| line.starts_with("curl:")).unwrap_or_default();
        Ok(if last.is_empty() { String::new() } else { format!(" ({last})") })
    })
}

/// What curl is told of one file: options of one do not hold for the next.
fn section(wanted: &Wanted, drafts: &Path) -> String {
    let output = drafts.join(&wanted.sha256);
    format!(
        "url = \"{}\"\noutput = \"{}\"\nmax-filesize = {}\nfail\nlocation\ngloboff\nretry = 3\n\
         connect-timeout = 30\nspeed-limit = 1000\nspeed-time = 60\n",
        quote(&wanted.url),
        quote(&output.display().to_string()),
        // 0 would be no bound.
        wanted.size.max(1)
    )
}

/// Shows a person how much is there, until all is.
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
    /// Gives every whole file its name, and says what is wrong with the others.
    fn find(list: &[&Wanted], drafts: &Path, cache: &Path) -> Result<Faults> {
        let sums = parallel::each(list, |wanted| Ok(sha256_file(&drafts.join(&wanted.sha256)).ok()))?;
        let mut faults = Vec::new();
        for (wanted, sum) in list.iter().zip(sums) {
            match sum {
                Some(sum) if sum == wanted.sha256 => {
                    fs::rename(drafts.join(&wanted.sha256), cached(cache, &wanted.sha256))?;
                }
                Some(_) => faults.push(format!(
                    "{}: is not what its hash says: `{}` is damaged or was replaced",
                    wanted.name, wanted.url
                )),
                None => faults.push(format!("{}: cannot be fetched from `{}`", wanted.name, wanted.url)),
            }
        }
        Ok(Faults(faults))
    }
}
