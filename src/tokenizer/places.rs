//! Where the bytes of a reader's open text stand in the whole text. The open text begins somewhere in it, and the middle of long
//! stretches is left out.

use std::ops::Range;

use super::Piece;

/// The way from places in the open text to those in the whole.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Where the open text begins.
    beginning: usize,
    /// Places in the open text where something was left out, ascending, and how many bytes.
    gaps: Vec<(usize, usize)>,
}

impl Places {
    /// The open text, which has `length` bytes so far, goes on with what stands at `place`.
    pub fn go_on(&mut self, length: usize, place: usize) {
        if length == 0 {
            *self = Places { beginning: place, gaps: Vec::new() };
        }
        let missing = place.saturating_sub(self.start(length));
        if missing > 0 {
            self.gaps.push((length, missing));
        }
    }

    /// The first `count` bytes of the open text are let go of.
    pub fn let_go(&mut self, count: usize) {
        self.beginning = self.start(count);
        self.gaps.retain(|(at, _)| *at > count);
        self.gaps.iter_mut().for_each(|(at, _)| *at -= count);
    }

    /// A part of the open text is left out.
    pub fn leave_out(&mut self, part: Range<usize>) {
        let inside = |at: usize| part.start <= at && at <= part.end;
        let before: usize = self.gaps.iter().filter(|(at, _)| inside(*at)).map(|(_, bytes)| bytes).sum();
        self.gaps.retain(|(at, _)| !inside(*at));
        self.gaps.iter_mut().filter(|(at, _)| *at > part.end).for_each(|(at, _)| *at -= part.len());
        self.gaps.push((part.start, before + part.len()));
        self.gaps.sort_unstable();
    }

    /// Where the byte stands that begins at `at`: behind what was left out there.
    fn start(&self, at: usize) -> usize {
        self.beginning + at + self.left_out(|gap| gap <= at)
    }

    /// Where what ends at `at` ends: before what was left out there.
    pub fn end(&self, at: usize) -> usize {
        self.beginning + at + self.left_out(|gap| gap < at)
    }

    fn left_out(&self, is_before: impl Fn(usize) -> bool) -> usize {
        self.gaps.iter().filter(|(at, _)| is_before(*at)).map(|(_, bytes)| bytes).sum()
    }

    /// A token of the open text, with its place in the whole.
    pub fn of(&self, piece: Piece) -> Piece {
        let start = self.start(piece.start);
        Piece { start, end: self.end(piece.end).max(start), ..piece }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole text, and the open one, which may lack some of it.
    struct Both {
        whole: Vec<usize>,
        open: Vec<usize>,
        places: Places,
    }

    impl Both {
        /// Every byte of the open text stands where the map says.
        fn check(&self) {
            for (at, place) in self.open.iter().enumerate() {
                assert_eq!(self.places.start(at), *place);
                assert_eq!(self.places.end(at + 1), *place + 1);
            }
        }

        fn go_on(&mut self, from: usize, count: usize) {
            self.places.go_on(self.open.len(), from);
            self.open.extend(&self.whole[from..from + count]);
            self.check();
        }

        fn leave_out(&mut self, part: Range<usize>) {
            self.places.leave_out(part.clone());
            self.open.drain(part);
            self.check();
        }

        fn let_go(&mut self, count: usize) {
            self.places.let_go(count);
            self.open.drain(..count);
            self.check();
        }
    }

    #[test]
    fn every_byte_is_found_whatever_is_left_out() {
        let mut both = Both { whole: (0..1000).collect(), open: Vec::new(), places: Places::default() };
        both.go_on(7, 100);
        both.leave_out(20..60);
        both.go_on(150, 50);
        both.leave_out(15..70);
        both.go_on(250, 100);
        both.let_go(10);
        both.let_go(6);
        both.leave_out(0..3);
        both.go_on(500, 30);
        both.let_go(130);
        both.leave_out(2..4);
        both.leave_out(2..4);
        both.let_go(2);
        both.open.clear();
        both.go_on(900, 100);
    }

    #[test]
    fn a_token_over_what_was_left_out_covers_it() {
        let mut places = Places::default();
        places.go_on(0, 10);
        places.leave_out(5..105);
        let of = |start, end| {
            let piece = places.of(Piece { start, end, ..Piece::default() });
            (piece.start, piece.end)
        };
        assert_eq!([of(0, 5), of(4, 6), of(5, 6)], [(10, 15), (14, 116), (115, 116)]);
    }
}
