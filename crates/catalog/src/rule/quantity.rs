//! Rules for amounts as systemd reads them: time spans, shares, memory, counts and signals. systemd ignores a value that
//! it cannot read, and uses its default instead.

use crate::finding::{describe_invalid, describe_unknown, find_near, quote};
use crate::rule::text::{self, Verdict};

const SECOND: u64 = 1_000_000;

/// Units of time, in microseconds.
const UNITS: [(&str, u64); 12] = [
    ("", SECOND),
    ("us", 1),
    ("ms", 1_000),
    ("s", SECOND),
    ("sec", SECOND),
    ("m", 60 * SECOND),
    ("min", 60 * SECOND),
    ("h", 3_600 * SECOND),
    ("hr", 3_600 * SECOND),
    ("d", 86_400 * SECOND),
    ("day", 86_400 * SECOND),
    ("w", 604_800 * SECOND),
];

/// Checks a time span, which may be 0 or infinite.
pub fn check_time_span(value: &str) -> Verdict {
    parse_microseconds(value).map(|_| ())
}

/// Checks a time to wait for something: systemd reads 0 as infinite.
pub fn check_timeout(value: &str) -> Verdict {
    match parse_microseconds(value)? {
        0 => Err(format!("{} would mean no limit: write a time, or infinity", quote(value))),
        _ => Ok(()),
    }
}

/// Checks the time in which starts are counted: with 0, nothing is counted.
pub fn check_interval(value: &str) -> Verdict {
    match parse_microseconds(value)? {
        0 => {
            Err(format!("{} would switch the limit off: write a time, or remove `start-limit`", quote(value)))
        }
        _ => Ok(()),
    }
}

/// Checks a period: neither 0 nor an infinite one ever elapses.
pub fn check_period(value: &str) -> Verdict {
    match parse_microseconds(value)? {
        0 | u64::MAX => Err(format!("{} would switch it off: write a time, or remove it", quote(value))),
        _ => Ok(()),
    }
}

fn parse_microseconds(value: &str) -> Result<u64, String> {
    text::check_setting(value)?;
    if value == "infinity" {
        return Ok(u64::MAX);
    }
    let wrong = || describe_invalid("time span", value, "one like 20s, 1min 30s or infinity");
    value.split(' ').try_fold(0_u64, |sum, part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, unit) = part.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let time = number.checked_mul(*factor).and_then(|time| time.checked_add(sum));
        // systemd counts microseconds in 64 bits, and the highest number is infinity.
        time.filter(|time| *time < u64::MAX / 2)
            .ok_or_else(|| format!("{} is too long: write a shorter time, or infinity", quote(value)))
    })
}

/// Checks a share of processor time.
pub fn check_percentage(value: &str) -> Verdict {
    match value.strip_suffix('%').and_then(parse_number) {
        Some(1..=100_000) => Ok(()),
        _ => Err(describe_invalid("CPU quota", value, "1% to 100000%, such as 200% for two processors")),
    }
}

/// Checks an amount of memory.
pub fn check_memory(value: &str) -> Verdict {
    let (digits, factor) = match value.chars().last() {
        Some('K') => (&value[..value.len() - 1], 1 << 10),
        Some('M') => (&value[..value.len() - 1], 1 << 20),
        Some('G') => (&value[..value.len() - 1], 1 << 30),
        Some('T') => (&value[..value.len() - 1], 1 << 40),
        _ => (value, 1),
    };
    match parse_number(digits).and_then(|n| n.checked_mul(factor)) {
        Some(1..=0x7fff_ffff_ffff_ffff) => Ok(()),
        _ => Err(describe_invalid("amount of memory", value, "one like 512M or 4G")),
    }
}

/// Checks a limit that must not be 0.
pub fn check_count(value: u32) -> Verdict {
    if value == 0 { Err("is 0, so nothing could run: write at least 1".to_owned()) } else { Ok(()) }
}

/// Checks a signal that can stop a service.
pub fn check_signal(value: &str) -> Verdict {
    const SIGNALS: [&str; 9] =
        ["SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGCONT", "SIGWINCH"];
    let real_time = value.strip_prefix("SIGRTMIN+").and_then(parse_number).is_some_and(|n| n <= 30);
    if SIGNALS.contains(&value) || real_time {
        return Ok(());
    }
    if find_near(value, &SIGNALS).is_some() {
        return Err(describe_unknown("signal", value, SIGNALS));
    }
    let expected = format!("{} or SIGRTMIN+0 to SIGRTMIN+30", SIGNALS.join(", "));
    Err(describe_invalid("signal", value, &expected))
}

/// Parses digits only: `parse` alone accepts a sign.
fn parse_number(text: &str) -> Option<u64> {
    if text.chars().all(|c| c.is_ascii_digit()) { text.parse().ok() } else { None }
}
