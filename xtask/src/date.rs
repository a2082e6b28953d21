//! Days: takes `YYYY-MM-DD`, makes the seconds since 1970 and the form that a Debian changelog wants. No clock.

/// A day of the Gregorian calendar, as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    days: u64,
    year: u64,
    month: u64,
    day: u64,
}

impl Date {
    /// Reads `YYYY-MM-DD` from 1970 on.
    pub fn parse(text: &str) -> Option<Date> {
        let parts: Vec<&str> = text.split('-').collect();
        let [year, month, day] = parts.as_slice() else { return None };
        if (year.len(), month.len(), day.len()) != (4, 2, 2) || text.contains('+') {
            return None;
        }
        let (year, month, day): (u64, u64, u64) =
            (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
        if !(1970..=9999).contains(&year)
            || !(1..=12).contains(&month)
            || day < 1
            || day > length(year, month)
        {
            return None;
        }
        let years: u64 = (1970..year).map(|y| if leap(y) { 366 } else { 365 }).sum();
        let months: u64 = (1..month).map(|m| length(year, m)).sum();
        Some(Date { days: years + months + day - 1, year, month, day })
    }

    /// Seconds since 1970 at the day's start.
    pub fn epoch(self) -> u64 {
        self.days * 86_400
    }

    /// `Fri, 20 Nov 2026 00:00:00 +0000`.
    pub fn rfc2822(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let weekday = DAYS[usize::try_from(self.days % 7).expect("below seven")];
        let month = MONTHS[usize::try_from(self.month - 1).expect("below twelve")];
        format!("{weekday}, {:02} {month} {} 00:00:00 +0000", self.day, self.year)
    }
}

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn length(year: u64, month: u64) -> u64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn days_are_counted_as_date_1_counts_them() {
        let day = |text| Date::parse(text).map(|d| (d.epoch(), d.rfc2822()));
        assert_eq!(day("1970-01-01"), Some((0, "Thu, 01 Jan 1970 00:00:00 +0000".to_owned())));
        assert_eq!(day("2024-02-29"), Some((1_709_164_800, "Thu, 29 Feb 2024 00:00:00 +0000".to_owned())));
        assert_eq!(day("2026-11-20"), Some((1_795_132_800, "Fri, 20 Nov 2026 00:00:00 +0000".to_owned())));
        for wrong in ["2026-02-29", "2026-13-01", "26-01-01", "2026-1-01", "2026-01-00", "+026-01-01", ""] {
            assert_eq!(day(wrong), None, "{wrong}");
        }
    }
}
