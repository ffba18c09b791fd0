//! `strftime_now`: the date in the machine's own time zone, as Python's `datetime.now().strftime` writes it.

use std::fmt::Write;

use chrono::format::{Item, StrftimeItems};
use chrono::{Local, NaiveDateTime};

/// Which time it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Now {
    /// What the clock says.
    Clock,
    /// A fixed time, for tests.
    #[cfg(test)]
    Fixed(NaiveDateTime),
}

impl Now {
    fn time(self) -> NaiveDateTime {
        match self {
            Now::Clock => Local::now().naive_local(),
            #[cfg(test)]
            Now::Fixed(time) => time,
        }
    }

    /// The time in `format`; `None` where that has a directive that is not known.
    pub fn written(self, format: &str) -> Option<String> {
        // Python's time has no zone, so these are empty; its fraction has six digits.
        let mut known = String::with_capacity(format.len());
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            match (letter, if letter == '%' { letters.next() } else { None }) {
                ('%', Some('z' | 'Z')) => {}
                ('%', Some('f')) => known.push_str("%6f"),
                ('%', Some(directive)) => known.extend(['%', directive]),
                (other, _) => known.push(other),
            }
        }
        let items: Vec<Item<'_>> = StrftimeItems::new(&known).collect();
        if items.contains(&Item::Error) {
            return None;
        }
        let mut text = String::new();
        write!(text, "{}", self.time().format_with_items(items.iter())).ok()?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_python_writes_them() {
        let time = chrono::NaiveDate::from_ymd_opt(2024, 7, 6).and_then(|day| day.and_hms_micro_opt(9, 5, 7, 1_234));
        let now = Now::Fixed(time.expect("a time"));
        // datetime(2024, 7, 6, 9, 5, 7, 1234).strftime(…), CPython 3.11 with glibc
        for (format, expected) in [
            ("%d %b %Y", "06 Jul 2024"),
            ("%-d %B %y", "6 July 24"),
            ("%A, %a %I:%M %p", "Saturday, Sat 09:05 AM"),
            ("%Y-%m-%dT%H:%M:%S.%f%z|%Z|", "2024-07-06T09:05:07.001234||"),
            ("%j %U %W %w %u 100%%", "188 26 27 6 6 100%"),
            ("%F %T é", "2024-07-06 09:05:07 é"),
        ] {
            assert_eq!(now.written(format).as_deref(), Some(expected), "{format}");
        }
        assert_eq!(now.written("%Q"), None);
        assert!(Now::Clock.written("%Y").is_some_and(|year| year.as_str() > "2024"));
    }
}
