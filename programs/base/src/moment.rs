//! Times in the format `2026-11-20T10:17:03Z`.

use rustix::time::{ClockId, clock_gettime};

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
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    // Years begin on March 1, as below.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_era = year.rem_euclid(400) * 365 + year.rem_euclid(400) / 4 - year.rem_euclid(400) / 100;
    let days = year.div_euclid(400) * 146_097 + of_era + (153 * month + 2) / 5 + day - 1 - 719_468;
    u64::try_from(days * 86_400).ok()
}

/// Formats seconds since 1970. Years begin on March 1, so that a leap day is the last day of its year.
pub fn utc(seconds: i64) -> String {
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
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
