//! When a failed request is tried again, and how long that may go on. Pure functions of the answer and the time.

use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

/// Tries of one request.
pub(super) const TRIES: u32 = 6;
/// First pause; each next one is twice as long.
const PAUSE: Duration = Duration::from_millis(150);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// A request that brings nothing new for so long fails. At least: one wait must have its time, and another try after it.
const PATIENCE: Duration = Duration::from_secs(28);
/// And one that brings less than [`LEAST_BYTES`] in this time.
const RATE_WINDOW: Duration = Duration::from_secs(25);
/// 1 KiB a second.
const LEAST_BYTES: u64 = 25 << 10;

/// Whether an answer with this status may be another one next time.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// The pause before try `number` (from 1), with full jitter: clients that failed together do not come back together.
pub(super) fn pause(number: u32) -> Duration {
    let most = PAUSE.saturating_mul(1 << (number.saturating_sub(1)).min(8)).min(LONGEST_PAUSE);
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    // From a quarter to the whole: never at once.
    most.mul_f64(0.25 + 0.75 * (random % 1024) as f64 / 1023.0)
}

/// How long the Hub asks to wait: `Retry-After` in seconds or as a date, or the reset time `t=` of an exhausted `RateLimit`.
pub(super) fn asked_to_wait(
    retry_after: Option<&str>,
    date: Option<&str>,
    rate_limit: Option<&str>,
) -> Option<Duration> {
    if let Some(text) = retry_after {
        if let Ok(seconds) = text.trim().parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        // Against the server's own clock: ours may be wrong.
        if let (Some(then), Some(now)) = (seconds_of(text), date.and_then(seconds_of)) {
            return Some(Duration::from_secs(then.saturating_sub(now)));
        }
    }
    let limit = rate_limit?;
    let field = |name: &str| {
        limit
            .split(';')
            .find_map(|part| part.trim().strip_prefix(name))
            .and_then(|value| value.trim().parse::<u64>().ok())
    };
    (field("r=")? == 0).then(|| field("t=").map(Duration::from_secs)).flatten()
}

/// Seconds of an HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`) since 1970.
fn seconds_of(date: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = date.trim().split([' ', ':']).skip(1);
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year: u64 = words.next()?.parse().ok().filter(|year| (1970..10_000).contains(year))?;
    let [hour, minute, second] =
        [words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?];
    // Days since the epoch of the proleptic Gregorian calendar, with years that begin in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    let times: [u64; 3] = [hour, minute, second];
    Some(days * 86_400 + times[0] * 3600 + times[1] * 60 + times[2])
}

/// How long a request, with all its tries, may go on: silence adds up until something new comes, bytes must come at a
/// minimum rate, and only a few tries in a row may bring nothing new.
#[derive(Debug)]
pub(super) struct Patience {
    /// The end of the whole, where the caller could do without.
    end: Option<Instant>,
    whole: Duration,
    /// When the last byte came.
    since: Instant,
    /// Silence before that, since something new came.
    silence: Duration,
    window: Instant,
    bytes: u64,
    furthest: u64,
    tries: u32,
}

impl Patience {
    /// `limit` where the caller can do without, and does not wait as long as usual; `least` where a single wait is long.
    pub fn new(limit: Option<Duration>, least: Duration) -> Self {
        let now = Instant::now();
        Patience {
            end: limit.map(|limit| now + limit),
            whole: PATIENCE.max(least),
            since: now,
            silence: Duration::ZERO,
            window: now,
            bytes: 0,
            furthest: 0,
            tries: 0,
        }
    }

    /// A try has failed. Gives how many have since the request came further last.
    pub fn failed(&mut self) -> u32 {
        self.tries += 1;
        self.tries
    }

    /// Tries that failed since the request came further last.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// What came since there were so many failed tries is thrown away, and was no progress.
    pub fn take_back(&mut self, tries: u32) {
        self.tries = tries;
    }

    /// `bytes` came, and now `position` of them are here. `false` once too few have come for too long.
    pub fn progress(&mut self, bytes: u64, position: u64) -> bool {
        let gap = self.since.elapsed();
        self.since = Instant::now();
        self.bytes += bytes;
        // What a broken connection brings again is no reason for another try, nor does it make up for silence.
        if position > self.furthest {
            (self.furthest, self.tries, self.silence) = (position, 0, Duration::ZERO);
        } else if gap > PAUSE {
            self.silence += gap;
        }
        if self.window.elapsed() < RATE_WINDOW {
            return true;
        }
        let enough = self.bytes >= LEAST_BYTES;
        (self.window, self.bytes) = (self.since, 0);
        enough
    }

    /// Somebody else, who is waited for, comes further.
    pub fn renew(&mut self) {
        (self.since, self.silence) = (Instant::now(), Duration::ZERO);
        (self.window, self.bytes) = (self.since, 0);
    }

    /// What is left; zero once it is over.
    pub fn left(&self) -> Duration {
        let by_silence = self.whole.saturating_sub(self.silence).saturating_sub(self.since.elapsed());
        let few = self.bytes < LEAST_BYTES && self.window < self.since;
        // Bytes came, but too few so far: the window's end is the limit.
        let by_rate = if few { RATE_WINDOW.saturating_sub(self.window.elapsed()) } else { self.whole };
        let by_end = self.end.map_or(self.whole, |end| end.saturating_duration_since(Instant::now()));
        by_silence.min(by_rate).min(by_end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        for number in 1..12 {
            let most = Duration::from_millis(150 * (1 << (number - 1).min(8))).min(LONGEST_PAUSE);
            let some: Vec<_> = (0..50).map(|_| pause(number)).collect();
            assert!(some.iter().all(|pause| *pause <= most && *pause >= most / 5));
            assert!(some.iter().collect::<std::collections::HashSet<_>>().len() > 5, "no jitter");
        }
    }

    #[test]
    fn only_what_is_new_counts_as_progress() {
        let mut patience = Patience::new(None, Duration::ZERO);
        assert!(patience.progress(100, 100));
        assert_eq!((patience.failed(), patience.failed()), (1, 2));
        assert!(patience.progress(100, 100));
        assert_eq!(patience.failed(), 3);
        assert!(patience.progress(1, 101));
        assert_eq!(patience.failed(), 1);
    }

    #[test]
    fn the_hub_says_how_long_to_wait() {
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(asked_to_wait(Some("7"), None, None), seconds(7));
        let (date, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 07 Nov 1994 08:49:40 GMT");
        assert_eq!(seconds_of(date), Some(784_111_777));
        assert_eq!(asked_to_wait(Some(later), Some(date), None), seconds(86_403));
        assert_eq!(asked_to_wait(None, None, Some("\"api\";r=0;t=3")), seconds(3));
        assert_eq!(asked_to_wait(None, None, Some("\"api\";r=5;t=3")), None);
        assert_eq!(asked_to_wait(Some("soon"), None, None), None);
    }
}
