//! Which tokens of a long text run together, and which of them each run speaks for.
//!
//! Windows overlap by a quarter. In the overlap the half that is nearer to a window's middle is its own: so each token is spoken
//! for once, by the window in which it has the most context on its poorer side. The last window ends with the text and is full, so it
//! may begin earlier than the others. A text that fits is one window.

use std::collections::VecDeque;

/// The part of a window that the next one has too: one in so many tokens.
const OVERLAP: usize = 4;

/// Some tokens that run together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window<T> {
    /// Its tokens.
    pub tokens: Vec<T>,
    /// The tokens that it speaks for, by their places in it. Those of all windows, one after the other, are the text.
    pub own: std::ops::Range<usize>,
}

/// Cuts a text's tokens into windows while they come. It holds a window's tokens and those that were not asked for.
#[derive(Debug)]
pub struct Windows<T> {
    /// Tokens of a window.
    room: usize,
    /// Tokens from the beginning of the next window on.
    tokens: VecDeque<T>,
    /// How many of these a window has spoken for.
    spoken: usize,
    /// Whether no more will come.
    ended: bool,
}

impl<T: Copy> Windows<T> {
    /// Windows of `room` tokens, at least 1.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Windows { room: room.max(1), tokens: VecDeque::new(), spoken: 0, ended: false }
    }

    /// The text goes on.
    pub fn extend(&mut self, tokens: impl IntoIterator<Item = T>) {
        self.tokens.extend(tokens);
    }

    /// The text is over.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Where the window behind the next one begins, seen from it; `None` where the next one is the last.
    ///
    /// # Errors
    /// Where that is not known before more tokens come.
    fn step(&self) -> Result<Option<usize>, ()> {
        let usual = self.room - self.room / OVERLAP;
        match self.tokens.len().checked_sub(self.room) {
            // The text may go on behind the window that would begin there.
            Some(rest) if rest > usual => Ok(Some(usual)),
            _ if !self.ended => Err(()),
            None | Some(0) => Ok(None),
            Some(rest) => Ok(Some(rest)),
        }
    }

    fn window(&self, own: std::ops::Range<usize>) -> Window<T> {
        Window { tokens: self.tokens.iter().take(self.room).copied().collect(), own }
    }
}

impl<T: Copy> Iterator for Windows<T> {
    type Item = Window<T>;

    /// The next window; `None` where more tokens are needed, or all were given.
    fn next(&mut self) -> Option<Window<T>> {
        match self.step().ok()? {
            Some(step) => {
                let overlap = self.room - step;
                let end = step + overlap.div_ceil(2);
                let window = self.window(self.spoken..end);
                self.tokens.drain(..step);
                self.spoken = end - step;
                Some(window)
            }
            None if self.tokens.len() > self.spoken => {
                let window = self.window(self.spoken..self.tokens.len());
                self.tokens.clear();
                self.spoken = 0;
                Some(window)
            }
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The windows of the tokens 0, 1, 2, …, which come some at a time.
    fn windows(count: usize, room: usize, at_once: usize) -> Vec<Window<usize>> {
        let mut windows = Windows::new(room);
        let mut found = Vec::new();
        let all: Vec<usize> = (0..count).collect();
        for some in all.chunks(at_once) {
            windows.extend(some.iter().copied());
            found.extend(windows.by_ref());
            assert!(windows.tokens.len() <= 2 * room + at_once, "{} tokens are held", windows.tokens.len());
        }
        windows.end();
        found.extend(windows.by_ref());
        assert_eq!(windows.next(), None);
        found
    }

    #[test]
    fn a_text_that_fits_is_one_window() {
        for count in [1, 5, 8] {
            let found = windows(count, 8, 3);
            assert_eq!(found, [Window { tokens: (0..count).collect(), own: 0..count }]);
        }
        assert_eq!(windows(0, 8, 3), []);
    }

    #[test]
    fn each_token_is_spoken_for_once_where_its_poorer_side_is_best() {
        for room in [1, 2, 3, 4, 5, 8, 13, 62] {
            for count in 1..5 * room + 7 {
                let found = windows(count, room, 1 + count % 7);
                // Context before and behind a token in a window: at an end of the text nothing is missing.
                let poorer = |window: &Window<usize>, token: usize| {
                    let [first, last] = [window.tokens[0], window.tokens[window.tokens.len() - 1]];
                    if token < first || token > last {
                        return None;
                    }
                    let before = if first == 0 { usize::MAX } else { token - first };
                    let behind = if last == count - 1 { usize::MAX } else { last - token };
                    Some(before.min(behind))
                };
                let mut spoken = Vec::new();
                for window in &found {
                    assert!(window.tokens.len() == room.min(count), "full windows");
                    assert!(window.tokens.windows(2).all(|pair| pair[1] == pair[0] + 1));
                    for token in &window.tokens[window.own.clone()] {
                        let best = found.iter().filter_map(|other| poorer(other, *token)).max();
                        assert_eq!(poorer(window, *token), best, "token {token} of {count}, room {room}");
                        spoken.push(*token);
                    }
                }
                assert_eq!(spoken, (0..count).collect::<Vec<_>>(), "{count} tokens, room {room}");
                // No more windows than the overlap makes.
                let step = room - room / OVERLAP;
                assert_eq!(found.len(), 1 + count.saturating_sub(room).div_ceil(step));
            }
        }
    }
}
