//! The Gregorian calendar from 1970 on: days as people write them, counted from 1970-01-01. No clock, no time zones.

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Days since 1970-01-01.
    days: u64,
    year: u64,
    month: u64,
    day: u64,
}

impl Date {
    /// Parses `YYYY-MM-DD`, from 1970 on.
    pub fn parse(text: &str) -> Option<Date> {
        let mut parts = text.split('-');
        let mut number = |digits: usize| {
            let part = parts.next()?;
            let plain = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
            if plain { part.parse::<u64>().ok() } else { None }
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        if parts.next().is_some() || year < 1970 || !(1..=12).contains(&month) {
            return None;
        }
        // A day that its month does not have is another day when it is counted.
        let date = Date::from_days(count_days(year, month, day)?);
        (date.parts() == (year, month, day)).then_some(date)
    }

    /// Returns the day that a moment belongs to, in seconds since 1970.
    pub fn from_epoch(seconds: u64) -> Date {
        Date::from_days(seconds / 86_400)
    }

    fn from_days(days: u64) -> Date {
        let shifted = days + DAYS_BEFORE_1970;
        let (era, of_era) = (shifted / DAYS_PER_ERA, shifted % DAYS_PER_ERA);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Date { days, year: year_of_era + era * 400 + u64::from(month <= 2), month, day }
    }

    /// Returns year, month and day, months and days counted from 1.
    pub fn parts(self) -> (u64, u64, u64) {
        (self.year, self.month, self.day)
    }

    /// Formats the day as `YYYY-MM-DD`.
    pub fn iso(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// Returns the start of the day, in seconds since 1970.
    pub fn epoch(self) -> u64 {
        self.days * 86_400
    }

    /// Formats the start of the day as Debian changelogs do: `Fri, 20 Nov 2026 00:00:00 +0000`.
    pub fn rfc2822(self) -> String {
        format!("{} 00:00:00 +0000", self.with_weekday())
    }

    fn with_weekday(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let weekday = DAYS[usize::try_from(self.days % 7).expect("below seven")];
        let month = MONTHS[usize::try_from(self.month - 1).expect("below twelve")];
        format!("{weekday}, {:02} {month} {}", self.day, self.year)
    }
}

/// Formats a moment, in seconds since 1970, as package indices do: `Fri, 20 Nov 2026 13:30:00 UTC`.
pub fn format_timestamp(epoch: u64) -> String {
    let (day, seconds) = (Date::from_epoch(epoch).with_weekday(), epoch % 86_400);
    format!("{day} {:02}:{:02}:{:02} UTC", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

// Years begin on the 1st of March here, so that a leap day is the last of its year; 400 of them are an era.
const DAYS_PER_ERA: u64 = 146_097;
/// From the 1st of March of the year 0.
const DAYS_BEFORE_1970: u64 = 719_468;

fn count_days(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let year_of_era = year % 400;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * month + 2) / 5 + day;
    (year / 400 * DAYS_PER_ERA + of_era).checked_sub(DAYS_BEFORE_1970 + 1)
}

#[cfg(test)]
mod tests {
    use super::{Date, format_timestamp};

    #[test]
    fn days_are_counted_as_date_1_counts_them() {
        let day = |text| Date::parse(text).map(|d| (d.epoch(), d.rfc2822()));
        assert_eq!(day("1970-01-01"), Some((0, "Thu, 01 Jan 1970 00:00:00 +0000".to_owned())));
        assert_eq!(day("2024-02-29"), Some((1_709_164_800, "Thu, 29 Feb 2024 00:00:00 +0000".to_owned())));
        assert_eq!(day("2026-11-20"), Some((1_795_132_800, "Fri, 20 Nov 2026 00:00:00 +0000".to_owned())));
        for text in [
            "1970-01-01",
            "1999-12-31",
            "2000-02-29",
            "2000-03-01",
            "2026-11-20",
            "2100-02-28",
            "2100-03-01",
            "9999-12-31",
        ] {
            let date = Date::parse(text).expect("a day");
            assert_eq!((Date::from_epoch(date.epoch() + 86_399), date.iso()), (date, text.to_owned()));
        }
        assert_eq!(format_timestamp(1_795_181_430), "Fri, 20 Nov 2026 13:30:30 UTC");
        for wrong in [
            "2026-02-29",
            "2100-02-29",
            "2026-04-31",
            "2026-13-01",
            "2026-00-01",
            "26-01-01",
            "2026-1-01",
            "2026-01-00",
            "2026-01-99",
            "1970-01-00",
            "1969-12-31",
            "+026-01-01",
            "2026-01-01-01",
            "2026-01",
            "",
        ] {
            assert_eq!(day(wrong), None, "{wrong}");
        }
    }
}
