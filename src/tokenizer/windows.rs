//! Pairs whose second text is too long, as several rows: the first text with each part of the second, so that all of it is read.

use super::reader::Reader;
use super::share::{Side, shares};
use super::{Limit, ShortParts, TokenRow, Tokenizer, Turn, kept};
use crate::error::{Error, Result};
use crate::options::Truncation;

/// A window shares its beginning with the end of the one before: one part of so many, so that what stands at an edge is read with
/// its surroundings.
const OVERLAP: usize = 8;

impl Tokenizer {
    /// Reads on by a step at most, towards the tokens of all windows of a pair. Both texts are read to their ends. Where they do
    /// not fit together, the first text keeps up to half of the room (and is cut as the limit says, which `truncated` tells), and the
    /// second is parted into windows, of which the last ends where the text does.
    ///
    /// # Errors
    /// As [`Tokenizer::read`]; [`Error::TooLong`] only where the first text would be cut.
    pub fn read_windows(&self, first: &mut Reader, second: &mut Reader, limit: Limit) -> Result<Turn<Vec<TokenRow>>> {
        let budget = self.budget(limit.tokens, true)?;
        let unread = |first: &Reader, second: &Reader| match (first.is_over(), second.is_over()) {
            // What is over the budget of a first text is cut off in any case.
            (false, _) if first.count() <= budget || limit.truncation == Truncation::Left => Some(Side::First),
            (_, false) => Some(Side::Second),
            (_, true) => None,
        };
        if let Some(side) = unread(first, second) {
            let reader = if side == Side::First { &mut *first } else { &mut *second };
            if reader.is_starved() {
                return Ok(Turn::Short(ShortParts { first: side == Side::First, second: side == Side::Second }));
            }
            reader.step(self)?;
        }
        if unread(first, second).is_some() {
            return Ok(Turn::Again);
        }
        let (of_first, room) = shares(first.count(), second.count(), budget);
        if of_first < first.count() && limit.truncation == Truncation::Error {
            return Err(Error::TooLong(format!(
                "Expected at most {of_first} tokens of the first text, beside the second one in windows of {} tokens, but received {}{}. \
                 Shorten it, raise `maxLength` or let `truncation` cut it",
                limit.tokens,
                if first.is_over() { "" } else { "at least " },
                first.count()
            )));
        }
        let rows = windows(second.count(), room).into_iter().map(|(start, end)| {
            let part = super::tokens(second.kept(end).skip(start));
            self.row(kept(first, of_first), Some(part), of_first < first.count())
        });
        rows.collect::<Result<_>>().map(Turn::Ready)
    }
}

/// Where windows of `room` tokens begin and end in a text of `count`: at least one, and no token is in none, but where there is no
/// room.
fn windows(count: usize, room: usize) -> Vec<(usize, usize)> {
    if count <= room || room == 0 {
        return vec![(0, count.min(room))];
    }
    let step = room - room / OVERLAP;
    let inner = (0..).map(|number| number * step).take_while(|start| start + room < count);
    inner.map(|start| (start, start + room)).chain([(count - room, count)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_every_token_and_overlap() {
        assert_eq!(windows(5, 8), [(0, 5)]);
        assert_eq!(windows(8, 8), [(0, 8)]);
        assert_eq!(windows(0, 8), [(0, 0)]);
        assert_eq!(windows(9, 8), [(0, 8), (1, 9)]);
        assert_eq!(windows(5, 0), [(0, 0)]);
        for count in 0..200 {
            for room in 1..40 {
                let found = windows(count, room);
                let mut seen = vec![false; count];
                for (start, end) in &found {
                    assert!(end - start <= room && *end <= count);
                    seen[*start..*end].iter_mut().for_each(|seen| *seen = true);
                }
                assert!(seen.into_iter().all(|seen| seen), "{count} in windows of {room}: {found:?}");
                let overlapping = found.windows(2).all(|pair| pair[1].0 <= pair[0].1 - room / OVERLAP);
                assert!(overlapping, "{count} in windows of {room}: {found:?}");
                // No more than the overlap costs.
                assert!(found.len() <= 2 + count / (room - room / OVERLAP), "{count} in {room}: {}", found.len());
            }
        }
    }
}
