//! A text that is read in steps, as far as it must be.
//!
//! Between two steps the worker can do other work and a call can end. A step tokenises some more text behind what was read
//! before and keeps those tokens that nothing can change any more (`settled.rs`). Then it lets go of the text but for some
//! tokens' worth before the open end, having seen that from there the tokens come out the same.

use std::collections::VecDeque;
use std::sync::Arc;

use super::places::Places;
use super::settled::{is_apart, passes};
use super::stretch::Stretch;
use super::words::Words;
use super::{Part, Piece, Tokenizer, same_ids};
use crate::error::{Error, Result};

/// Bytes of a whole text that are read at once, and of the first step in a longer one.
pub(super) const FIRST_STEP: usize = 8 << 10;
/// Bytes of the later steps: some 20 ms.
const STEP: usize = 16 << 10;
/// Open text that no step has settled anything of: more is not tried.
const LONGEST_OPEN: usize = 2 << 20;
/// Bytes of blanks that are read like any other text, whatever follows.
const LONG_BLANKS: usize = 1 << 10;
/// Tokens before the open text that are read again, so that the tokenizer is in the same state there.
const CONTEXT: usize = 32;
/// How many of them have to come out the same.
pub(super) const AGREEING: usize = 16;

/// Which tokens of a text are kept. All are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    First(usize),
    Last(usize),
    /// All of a text that was handed over whole, with their places in it.
    Placed,
}

/// Final tokens.
#[derive(Debug)]
struct Kept {
    keep: Keep,
    ids: VecDeque<u32>,
    placed: Vec<Piece>,
    count: usize,
}

impl Kept {
    fn push(&mut self, piece: Piece) {
        self.count += 1;
        match self.keep {
            Keep::First(most) if self.ids.len() < most => self.ids.push_back(piece.id),
            Keep::First(_) | Keep::Last(0) => {}
            Keep::Last(most) => {
                if self.ids.len() == most {
                    self.ids.pop_front();
                }
                self.ids.push_back(piece.id);
            }
            Keep::Placed => self.placed.push(piece),
        }
    }
}

/// Text whose tokens are not final yet, behind a little text whose tokens are.
#[derive(Debug, Default)]
struct Open {
    text: String,
    /// Where the final tokens end in `text`.
    known: usize,
    /// Tokens of `text` as of the last step.
    pieces: Vec<Piece>,
    /// How many of them are final.
    settled: usize,
    /// The long stretch without tokens that `text` ends with.
    stretch: Option<Stretch>,
    /// Where its bytes stand in the whole text; kept up where places are wanted.
    places: Places,
}

/// One text on its way to tokens.
#[derive(Debug)]
pub struct Reader {
    kept: Kept,
    /// What goes before the text, until that is read: many texts share it.
    prompt: Option<Arc<str>>,
    /// Text that was handed over, and how much of it has been taken.
    ahead: String,
    taken: usize,
    /// Where in it the next character stands that is no blank; only looked for where that matters.
    solid: usize,
    /// Whether the caller has more.
    cut: bool,
    open: Open,
    /// Reads word by word where the tokenizer allows it.
    words: Option<Words>,
    step: usize,
    read: usize,
    over: bool,
    starved: bool,
}

impl Reader {
    pub(super) fn new(prompt: Arc<str>, part: Part, keep: Keep) -> Self {
        Reader {
            kept: Kept { keep, ids: VecDeque::new(), placed: Vec::new(), count: 0 },
            prompt: Some(prompt),
            ahead: part.text,
            taken: 0,
            solid: 0,
            cut: part.cut,
            open: Open::default(),
            words: None,
            step: FIRST_STEP,
            read: 0,
            over: false,
            starved: false,
        }
    }

    /// Final tokens so far.
    pub(super) fn count(&self) -> usize {
        self.kept.count
    }

    /// Whether the text has been read to its end.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether no step has been taken.
    pub(super) fn is_untouched(&self) -> bool {
        self.read == 0 && !self.over && !self.starved
    }

    /// Whether it cannot go on before the caller hands over more.
    pub(super) fn is_starved(&self) -> bool {
        self.starved
    }

    /// So many of the tokens that are kept: the last ones where those are.
    pub(super) fn kept(&self, count: usize) -> impl Iterator<Item = u32> + '_ {
        let ids = &self.kept.ids;
        let skipped = if matches!(self.kept.keep, Keep::Last(_)) { ids.len().saturating_sub(count) } else { 0 };
        ids.iter().skip(skipped).take(count).copied()
    }

    /// The tokens with their places that were found since the last time.
    pub(super) fn take_placed(&mut self) -> Vec<Piece> {
        std::mem::take(&mut self.kept.placed)
    }

    /// The whole text, where places are wanted: then none of it is let go of.
    pub(super) fn text(&self) -> &str {
        &self.ahead
    }

    fn wants_places(&self) -> bool {
        self.kept.keep == Keep::Placed
    }

    /// Bytes that were handed over and not read.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.ahead.len() - self.taken
    }

    /// Goes on with the text that follows what was handed over before.
    pub fn resume(&mut self, part: &Part) {
        self.ahead.drain(..self.taken);
        self.solid = self.solid.saturating_sub(self.taken);
        self.taken = 0;
        self.ahead.push_str(&part.text);
        self.cut = part.cut;
        self.starved = false;
    }

    /// Reads on by a step.
    ///
    /// # Errors
    /// Those of [`Tokenizer::pieces`]; [`Error::TooLong`] where no end of a step can be told.
    pub(super) fn step(&mut self, tokenizer: &Tokenizer) -> Result<()> {
        if let Some(prompt) = self.prompt.take() {
            self.ahead.insert_str(0, &prompt);
        }
        if self.is_untouched() && !self.cut && self.waiting() <= FIRST_STEP {
            let whole = &self.ahead[self.taken..];
            if self.wants_places() {
                tokenizer.pieces(whole)?.into_iter().for_each(|piece| self.kept.push(piece));
            } else {
                tokenizer.short_ids(whole)?.into_iter().for_each(|id| self.kept.push(Piece { id, ..Piece::default() }));
            }
            self.over = true;
            return Ok(());
        }
        if self.words.is_some() {
            return self.step_by_words(tokenizer);
        }
        self.let_go(tokenizer)?;
        if tokenizer.reads_by_words && self.read > FIRST_STEP && self.begins_a_word() {
            if self.wants_places() {
                self.taken = self.open.places.end(self.open.known);
            } else {
                self.ahead.replace_range(..self.taken, &self.open.text[self.open.known..]);
                (self.taken, self.solid) = (0, 0);
            }
            self.open = Open::default();
            self.words = Some(Words::default());
            return self.step_by_words(tokenizer);
        }
        self.step_by_window(tokenizer)
    }

    fn begins_a_word(&self) -> bool {
        self.open.text[self.open.known..].starts_with(Words::is_blank)
    }

    fn step_by_words(&mut self, tokenizer: &Tokenizer) -> Result<()> {
        let Some(words) = &mut self.words else { return Ok(()) };
        let before = self.taken;
        let kept = &mut self.kept;
        let going_on = words.read(tokenizer, &self.ahead, &mut self.taken, self.cut, |piece| kept.push(piece))?;
        self.read += self.taken - before;
        if !going_on {
            // An endless word, or one that is not read like the others.
            self.words = None;
            self.step = STEP;
            return self.step_by_window(tokenizer);
        }
        self.over = self.waiting() == 0 && !self.cut;
        self.starved = self.cut && before == self.taken;
        Ok(())
    }

    /// Bytes of blanks that come next, where it matters what stands behind them. Those that were seen are not looked at again.
    fn blanks(&mut self, tokenizer: &Tokenizer) -> usize {
        self.solid = self.solid.max(self.taken);
        if tokenizer.reach.waits_behind_blanks() {
            self.solid = self.ahead.len() - self.ahead[self.solid..].trim_start().len();
        }
        self.solid - self.taken
    }

    /// Some added tokens take the blanks before them, so it counts what stands behind blanks: it is looked for without
    /// tokenising them. False where more text is needed for that.
    fn looks_behind_blanks(&mut self, tokenizer: &Tokenizer) -> bool {
        let blanks = self.blanks(tokenizer);
        if blanks <= LONG_BLANKS {
            return true;
        }
        if self.solid == self.ahead.len() {
            return !self.cut;
        }
        // Where places are wanted the token begins with the first of them.
        let may_skip = !self.wants_places() || blanks > LONGEST_OPEN / 2;
        if may_skip && tokenizer.reach.takes_blanks(self.ahead[self.solid..].chars(), self.cut) {
            // They are taken, however many there are.
            self.taken = self.ahead.ceil_char_boundary(self.solid - LONG_BLANKS);
        }
        true
    }

    fn step_by_window(&mut self, tokenizer: &Tokenizer) -> Result<()> {
        if !self.looks_behind_blanks(tokenizer) {
            self.starved = true;
            return Ok(());
        }
        if let Some(stretch) = &self.open.stretch {
            self.taken += stretch.more_of(&self.ahead[self.taken..]);
        }
        if self.wants_places() {
            self.open.places.go_on(self.open.text.len(), self.taken);
        }
        let rest = &self.ahead[self.taken..];
        // A character has at most 4 bytes, so this moves on.
        let next = &rest[..rest.floor_char_boundary(self.step)];
        self.taken += next.len();
        self.read += next.len();
        self.open.text.push_str(next);
        self.step = STEP;

        let pieces = tokenizer.pieces(&self.open.text)?;
        let known = self.open.known;
        let from = if known == 0 { 0 } else { pieces.partition_point(|piece| piece.end <= known) };
        self.starved = self.cut && self.waiting() == 0;
        if self.waiting() == 0 && !self.cut {
            pieces[from..].iter().for_each(|piece| self.kept.push(self.open.places.of(*piece)));
            self.open = Open::default();
            self.over = true;
            return Ok(());
        }
        self.blanks(tokenizer);
        let next = Some(&self.ahead[self.solid..]).filter(|next: &&str| self.cut || !next.is_empty());
        let settled = tokenizer.settled(&self.open.text, next, &pieces, from)?;
        pieces[from..settled].iter().for_each(|piece| self.kept.push(self.open.places.of(*piece)));
        if settled > from {
            self.open.known = pieces[settled - 1].end;
        }
        (self.open.pieces, self.open.settled) = (pieces, settled);
        Ok(())
    }

    /// Before more text comes: what is final is kept as ids alone, and a stretch that gives no tokens is shortened.
    fn let_go(&mut self, tokenizer: &Tokenizer) -> Result<()> {
        let Open { text, known, pieces, settled, stretch, places } = &mut self.open;
        *stretch = None;
        if text.len() <= FIRST_STEP / 4 {
            return Ok(());
        }
        for context in [CONTEXT, 8 * CONTEXT] {
            let Some(start) = beginning(pieces, *settled, context).filter(|start| *start > 0) else { break };
            let again = tokenizer.pieces(&text[start..])?;
            let wanted = &pieces[*settled - AGREEING..*settled];
            if let Some(at) = passes(&again, *known - start, wanted)
                && same_ids(&again[at..], &pieces[*settled..])
            {
                text.drain(..start);
                places.let_go(start);
                *known -= start;
                (*pieces, *settled) = (again, at);
                break;
            }
        }
        let found = Stretch::shorten(tokenizer, text, *known, pieces)?;
        if let Some((removed, again)) = found.shorter {
            text.drain(removed.clone());
            places.leave_out(removed);
            *pieces = again;
        }
        *stretch = found.stretch;
        if text.len() > LONGEST_OPEN {
            return Err(Error::TooLong(format!(
                "This model's tokenizer cannot tell the tokens of a text's beginning from {LONGEST_OPEN} bytes of it. \
                 Shorten the text"
            )));
        }
        // What could not be let go of is tokenised again with each step: these grow with it, so that it is not too often.
        self.step = STEP.max(text.len());
        Ok(())
    }
}

/// Where to begin again so that `context` tokens or a few more stand before the one at `settled`: at a word, if one begins
/// near.
fn beginning(pieces: &[Piece], settled: usize, context: usize) -> Option<usize> {
    let latest = settled.checked_sub(context).filter(|latest| *latest > 0)?;
    let near = latest.saturating_sub(CONTEXT).max(1)..=latest;
    let words = near.clone().rev().find(|at| is_apart(pieces, *at) && pieces[*at].word != pieces[at - 1].word);
    words.or_else(|| near.rev().find(|at| is_apart(pieces, *at))).map(|at| pieces[at - 1].end)
}
