//! Time spans in the format of systemd units: `90`, `1min 30s`, `500ms`.

use std::time::Duration;

const UNITS: [(&str, u64); 8] = [
    ("ms", 1),
    ("sec", 1_000),
    ("s", 1_000),
    ("min", 60_000),
    ("m", 60_000),
    ("hours", 3_600_000),
    ("hour", 3_600_000),
    ("h", 3_600_000),
];

/// Parses a span: numbers with units are added up, a number alone means seconds. Zero is invalid.
pub fn parse(text: &str) -> Option<Duration> {
    let mut sum: u64 = 0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit =
            if letters == 0 { 1_000 } else { UNITS.iter().find(|(name, _)| *name == &rest[..letters])?.1 };
        sum = sum.checked_add(number.checked_mul(unit)?)?;
        rest = rest[letters..].trim_start();
    }
    // At most one year, so that sums never overflow.
    (1..=31_536_000_000).contains(&sum).then(|| Duration::from_millis(sum))
}

/// Formats a span for people, with tenths of a second below 10 s.
pub fn describe(span: Duration) -> String {
    if span < Duration::from_secs(10) && span.subsec_millis() >= 50 {
        let tenths = (span.as_millis() + 50) / 100;
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else {
        format!("{} s", span.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (text, milliseconds) in
            [("90", 90_000), ("1min 30s", 90_000), ("500ms", 500), ("2 h", 7_200_000), ("1m1s", 61_000)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "0", "s", "1x", "-1", "1.5", "99999999999999999999", "9999999h", "1 s s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn people() {
        assert_eq!(describe(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(describe(Duration::from_millis(12_900)), "12 s");
        assert_eq!(describe(Duration::from_millis(3_001)), "3 s");
    }
}
