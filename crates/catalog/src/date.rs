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

    /// The day of a moment, in seconds since 1970.
    pub fn of(epoch: u64) -> Date {
        let days = epoch / 86_400;
        let (mut year, mut rest) = (1970, days);
        while rest >= 365 + u64::from(leap(year)) {
            rest -= 365 + u64::from(leap(year));
            year += 1;
        }
        let mut month = 1;
        while rest >= length(year, month) {
            rest -= length(year, month);
            month += 1;
        }
        Date { days, year, month, day: rest + 1 }
    }

    /// Year, month and day, each from 1 on.
    pub fn parts(self) -> (u64, u64, u64) {
        (self.year, self.month, self.day)
    }

    /// `YYYY-MM-DD`.
    pub fn iso(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
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

/// A moment in the form that indices have: `Fri, 20 Nov 2026 13:30:00 UTC`.
pub fn moment(epoch: u64) -> String {
    let (date, seconds) = (Date::of(epoch), epoch % 86_400);
    let day = date.rfc2822();
    let day = day.strip_suffix(" 00:00:00 +0000").unwrap_or(&day);
    format!("{day} {:02}:{:02}:{:02} UTC", seconds / 3600, seconds / 60 % 60, seconds % 60)
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
    use super::{Date, moment};

    #[test]
    fn days_are_counted_as_date_1_counts_them() {
        let day = |text| Date::parse(text).map(|d| (d.epoch(), d.rfc2822()));
        assert_eq!(day("1970-01-01"), Some((0, "Thu, 01 Jan 1970 00:00:00 +0000".to_owned())));
        assert_eq!(day("2024-02-29"), Some((1_709_164_800, "Thu, 29 Feb 2024 00:00:00 +0000".to_owned())));
        assert_eq!(day("2026-11-20"), Some((1_795_132_800, "Fri, 20 Nov 2026 00:00:00 +0000".to_owned())));
        for text in
            ["1970-01-01", "1999-12-31", "2000-02-29", "2000-03-01", "2026-11-20", "2100-02-28", "2100-03-01"]
        {
            let date = Date::parse(text).expect("a day");
            assert_eq!((Date::of(date.epoch() + 86_399), date.iso()), (date, text.to_owned()));
        }
        assert_eq!(moment(1_795_181_430), "Fri, 20 Nov 2026 13:30:30 UTC");
        for wrong in ["2026-02-29", "2026-13-01", "26-01-01", "2026-1-01", "2026-01-00", "+026-01-01", ""] {
            assert_eq!(day(wrong), None, "{wrong}");
        }
    }
}
