//! Times in the format `2026-11-20T10:17:03Z`.

use rustix::time::{ClockId, clock_gettime};

use crate::date::Date;

/// Returns the current time.
pub fn now() -> String {
    utc(clock_gettime(ClockId::Realtime).tv_sec)
}

/// Returns whether a text has this format, and so is safe to display.
pub fn is_one(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit() || "-:.TZ".contains(c))
}

/// Formats microseconds since 1970.
pub fn precise(microseconds: u64) -> String {
    let whole = utc(i64::try_from(microseconds / 1_000_000).unwrap_or_default());
    format!("{}.{:06}Z", whole.trim_end_matches('Z'), microseconds % 1_000_000)
}

/// Returns the seconds since 1970 at the start of a date such as `2026-11-20`.
pub fn day(date: &str) -> Option<u64> {
    Date::parse(date).map(Date::epoch)
}

/// Formats seconds since 1970; what is before that counts as its beginning.
pub fn utc(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", Date::from_epoch(seconds).iso())
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn dates() {
        for date in ["1970-01-01", "2000-02-29", "2026-11-20", "2099-12-31"] {
            assert_eq!(utc(super::day(date).unwrap() as i64), format!("{date}T00:00:00Z"));
        }
        assert_eq!(super::day("soon"), None);
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_795_169_823), "2026-11-20T10:17:03Z");
        assert_eq!(utc(4_102_444_799), "2099-12-31T23:59:59Z");
    }
}
