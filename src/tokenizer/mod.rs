//! Texts and pairs of texts to token ids, truncated but never padded. The `tokenizers` crate is used in this folder only.
//!
//! **Long text costs what its first tokens cost.** The caller may pass only the beginning of a text (a [`Part`] that is
//! `cut`). Its first tokens are believed only where the text that is missing cannot change them (`settled.rs`, `reach.rs`);
//! otherwise the answer is [`Turn::Short`] and the caller passes what follows. **No text holds a worker**: a [`Reader`] goes
//! on in steps (`reader.rs`), and what gives no tokens is passed over (`stretch.rs`, `words.rs`).

mod encoding;
mod memory;
mod overlap;
mod pattern;
mod placed;
mod places;
mod plain;
mod reach;
mod reader;
mod ruler;
mod settled;
mod share;
mod stretch;
mod windows;
mod words;

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde_json::{Value, json};
use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Sequence};
use tokenizers::{AddedToken, Encoding as Tokens, Model, OffsetType, PostProcessor, PreTokenizer, Token};

pub use self::encoding::Encoding;
pub use self::overlap::{Window, Windows};
pub use self::placed::{PlacedReader, PlacedToken};
pub use self::reader::Reader;
pub use self::ruler::{Count, Ruler};

use self::memory::Memory;
use self::placed::Marks;
use self::reach::Reach;
use self::reader::Keep;
use self::share::{Side, shares, unread};
use crate::error::{Error, Result};
use crate::options::Truncation;
use crate::panic::quietly;
use crate::spec::{TokenizerSpec, added_tokens};

/// A text, only its beginning, or a part that follows another.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// What is there of the text.
    pub text: String,
    /// Whether more follows.
    pub cut: bool,
}

impl Part {
    /// A text that is all there.
    #[must_use]
    pub fn whole(text: impl Into<String>) -> Self {
        Part { text: text.into(), cut: false }
    }
}

/// How far a step has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn<T> {
    /// What was wanted.
    Ready(T),
    /// Another step is needed.
    Again,
    /// More of some texts must be handed over first.
    Short(ShortParts),
}

impl<T> Turn<T> {
    /// The same way with another thing at its end.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Turn<U> {
        match self {
            Turn::Ready(value) => Turn::Ready(convert(value)),
            Turn::Again => Turn::Again,
            Turn::Short(parts) => Turn::Short(parts),
        }
    }
}

/// Which parts of a text or pair are too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortParts {
    /// The text, or the pair's first text.
    pub first: bool,
    /// The pair's second text.
    pub second: bool,
}

/// Tokens of one text or pair, special tokens included, not padded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenRow {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Segment ids: 0 for the first text, often 1 for the second.
    pub type_ids: Vec<u32>,
    /// Whether tokens were cut off.
    pub truncated: bool,
    /// Tokens at the end that no token attends to, while they attend to the others: what fills up a short query of ColBERT.
    pub unseen: usize,
}

/// A token of a text: its id, its word, and the bytes of the text that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Piece {
    id: u32,
    word: u32,
    start: usize,
    end: usize,
}

/// Whether the tokens are the same, wherever they stand.
fn same_ids(here: &[Piece], there: &[Piece]) -> bool {
    here.iter().map(|piece| piece.id).eq(there.iter().map(|piece| piece.id))
}

/// What a call wants of its texts' tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Tokens that a text or pair may have, special ones included.
    pub tokens: usize,
    /// What happens to longer ones.
    pub truncation: Truncation,
}

/// A model's tokenizer.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The file's name, for messages.
    file: String,
    special_ids: Vec<u32>,
    /// Whether they go around texts.
    adds_special: bool,
    /// Whether rows tell the two texts of a pair apart.
    token_types: bool,
    /// What places and words are told by.
    marks: Marks,
    reach: Reach,
    reads_by_words: bool,
    /// Words of short texts, where the tokenizer is what takes time.
    memory: Option<Memory>,
    /// Worked out when it is first needed, which most texts never do.
    vocabulary: OnceLock<Vocabulary>,
}

/// What has to be known of all pieces of the vocabulary together.
#[derive(Debug)]
struct Vocabulary {
    /// Characters of the longest piece.
    longest: usize,
    /// Every character that occurs in one.
    characters: HashSet<char>,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tokenizer").finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Builds the tokenizer. Padding and truncation lengths of the file are dropped: ours are used.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the file is not a tokenizer.
    pub fn load(spec: &TokenizerSpec) -> Result<Self> {
        let file = spec.file.clone();
        // Crafted files make the crate panic while loading; that must not be worse than an error.
        let (inner, json, reach) = quietly(|| {
            let mut inner = build(spec)?;
            let json = marked(&mut inner, spec)?;
            let reach = Reach::of(&json)?;
            Ok((inner, json, reach))
        })
        .unwrap_or_else(|panic| Err(panic.into()))
        .map_err(|source: tokenizers::Error| {
            Error::invalid_model_because(format!("{file} is not a tokenizer that can be used"), source)
        })?;
        let added = inner.get_added_tokens_decoder();
        let special_ids = added.iter().filter(|(_, token)| token.special).map(|(id, _)| *id).collect();
        let reads_by_words = words::splits_at_blanks(&json) && !spec.lower_case;
        let TokenizerSpec { token_types, special_tokens: adds_special, .. } = *spec;
        let memory = (spec.remembers && reads_by_words).then(Memory::default);
        let vocabulary = OnceLock::new();
        let marks = Marks::of(&inner, spec.unknown_id);
        Ok(Tokenizer {
            inner,
            file,
            special_ids,
            adds_special,
            token_types,
            marks,
            reach,
            reads_by_words,
            memory,
            vocabulary,
        })
    }

    /// Begins to read the text that `part` begins behind the prompt: one of its own (`pair: false`), or one of a pair.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the limit does not even hold the special tokens.
    pub fn reader(&self, prompt: &Arc<str>, part: Part, limit: Limit, pair: bool) -> Result<Reader> {
        let budget = self.budget(limit.tokens, pair)?;
        let keep = if limit.truncation == Truncation::Left { Keep::Last(budget) } else { Keep::First(budget) };
        Ok(Reader::new(prompt.clone(), part, keep))
    }

    /// Begins to count a text's tokens.
    #[must_use]
    pub fn counter(&self, text: String) -> Reader {
        Reader::new(Arc::from(""), Part::whole(text), Keep::First(0))
    }

    /// The first step of a text, which every text needs.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the tokenizer fails.
    pub fn begin(&self, reader: &mut Reader) -> Result<()> {
        if reader.is_untouched() { reader.step(self) } else { Ok(()) }
    }

    /// Reads on by a step at most, towards the tokens of a text.
    ///
    /// # Errors
    /// [`Error::TooLong`] where `truncation` is [`Truncation::Error`] and the text has more tokens;
    /// [`Error::ModelInvalid`] where the tokenizer fails.
    pub fn read(&self, reader: &mut Reader, limit: Limit) -> Result<Turn<TokenRow>> {
        let budget = self.budget(limit.tokens, false)?;
        let is_enough =
            |reader: &Reader| reader.is_over() || (limit.truncation != Truncation::Left && reader.count() > budget);
        if !is_enough(reader) {
            if reader.is_starved() {
                return Ok(Turn::Short(ShortParts { first: true, second: false }));
            }
            reader.step(self)?;
        }
        if !is_enough(reader) {
            return Ok(Turn::Again);
        }
        let count = reader.count();
        if count > budget && limit.truncation == Truncation::Error {
            return Err(too_long(count, !reader.is_over(), limit.tokens, budget));
        }
        let (count, truncated) = (count.min(budget), count > budget);
        if self.inner.get_post_processor().is_none() {
            let ids: Vec<u32> = reader.kept(count).collect();
            return Ok(Turn::Ready(TokenRow { type_ids: vec![0; ids.len()], ids, truncated, unseen: 0 }));
        }
        self.row(kept(reader, count), None, truncated).map(Turn::Ready)
    }

    /// Reads on by a step at most, towards the tokens of a pair. The longer of the two texts is cut first, as
    /// sentence-transformers' cross-encoders do.
    ///
    /// # Errors
    /// As [`Tokenizer::read`].
    pub fn read_pair(&self, first: &mut Reader, second: &mut Reader, limit: Limit) -> Result<Turn<TokenRow>> {
        let budget = self.budget(limit.tokens, true)?;
        let wanted = |first: &Reader, second: &Reader| match limit.truncation {
            Truncation::Left if !first.is_over() => Some(Side::First),
            Truncation::Left if !second.is_over() => Some(Side::Second),
            Truncation::Left => None,
            Truncation::Error if first.count() + second.count() > budget => None,
            Truncation::Right | Truncation::Error => unread(first, second, budget),
        };
        if let Some(side) = wanted(first, second) {
            let reader = if side == Side::First { &mut *first } else { &mut *second };
            if reader.is_starved() {
                return Ok(Turn::Short(ShortParts { first: side == Side::First, second: side == Side::Second }));
            }
            reader.step(self)?;
        }
        if wanted(first, second).is_some() {
            return Ok(Turn::Again);
        }
        let count = first.count() + second.count();
        if count > budget && limit.truncation == Truncation::Error {
            return Err(too_long(count, !(first.is_over() && second.is_over()), limit.tokens, budget));
        }
        let (of_first, of_second) = shares(first.count(), second.count(), budget);
        let (first, second) = (kept(first, of_first), kept(second, of_second));
        self.row(first, Some(second), count > budget).map(Turn::Ready)
    }

    /// Reads on by a step, towards the number of tokens of the whole text, special tokens included, before any truncation.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the tokenizer fails.
    pub fn read_count(&self, reader: &mut Reader) -> Result<Turn<usize>> {
        if !reader.is_over() {
            reader.step(self)?;
        }
        Ok(if reader.is_over() { Turn::Ready(reader.count() + self.special_tokens(false)) } else { Turn::Again })
    }

    /// Tokens of the prompt alone, less a special token at its end: what `include_prompt: false` leaves out of pooling
    /// (sentence-transformers 6.2, `Transformer._get_prompt_length`).
    ///
    /// # Errors
    /// As [`Tokenizer::read`].
    pub fn prompt_length(&self, prompt: &str, limit: Limit) -> Result<usize> {
        let truncation = if limit.truncation == Truncation::Left { limit.truncation } else { Truncation::Right };
        let limit = Limit { truncation, ..limit };
        let mut reader = self.reader(&Arc::from(""), Part::whole(prompt), limit, false)?;
        loop {
            match self.read(&mut reader, limit)? {
                Turn::Ready(row) => {
                    let special = row.ids.last().is_some_and(|id| self.special_ids.contains(id));
                    return Ok(row.ids.len() - usize::from(special));
                }
                Turn::Again => {}
                Turn::Short(_) => return Err(Error::Internal("a whole prompt was called short".into())),
            }
        }
    }

    /// The id of a token that the vocabulary has.
    #[must_use]
    pub fn id_of(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    fn special_tokens(&self, pair: bool) -> usize {
        if !self.adds_special {
            return 0;
        }
        self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(pair))
    }

    /// Tokens left for the text under `limit`.
    fn budget(&self, limit: usize, pair: bool) -> Result<usize> {
        let special = self.special_tokens(pair);
        limit.checked_sub(special).ok_or_else(|| {
            Error::InvalidArgument(format!(
                "Expected at least {special} for `maxLength`, the special tokens that this model adds, but received {limit}"
            ))
        })
    }

    fn vocabulary(&self) -> &Vocabulary {
        self.vocabulary.get_or_init(|| {
            let pieces = self.inner.get_model().get_vocab();
            Vocabulary {
                longest: pieces.keys().map(|piece| piece.chars().count()).max().unwrap_or(0),
                characters: pieces.keys().flat_map(|piece| piece.chars()).collect(),
            }
        })
    }

    /// The tokens of a text that is all there, without special ones.
    fn ids(&self, text: &str) -> Result<Vec<u32>> {
        self.guarded(text, || Ok(self.inner.encode_fast(text, false)?.get_ids().to_vec()))
    }

    /// The same for a short text, by what is remembered.
    fn short_ids(&self, text: &str) -> Result<Vec<u32>> {
        match &self.memory {
            Some(memory) => memory.ids(self, text)?.map_or_else(|| self.ids(text), Ok),
            None => self.ids(text),
        }
    }

    /// The tokens of a text with their places in it, without special ones. Not the library's `encode`: its post-processor
    /// leaves blanks out of the places.
    fn pieces(&self, text: &str) -> Result<Vec<Piece>> {
        self.guarded(text, || {
            let mut words = self.inner.get_added_vocabulary().extract_and_normalize(self.inner.get_normalizer(), text);
            if let Some(splitter) = self.inner.get_pre_tokenizer() {
                splitter.pre_tokenize(&mut words)?;
            }
            words.tokenize(|word| self.inner.get_model().tokenize(word.get()))?;
            let tokens = words.into_encoding(None, 0, OffsetType::Byte)?;
            let places = tokens.get_ids().iter().zip(tokens.get_word_ids()).zip(tokens.get_offsets());
            Ok(places
                .map(|((id, word), (start, end))| Piece { id: *id, word: word.unwrap_or(0), start: *start, end: *end })
                .collect())
        })
    }

    /// The crate panics where its regular expressions give up, as they do on millions of spaces, and on crafted files.
    fn guarded<T>(&self, text: &str, work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
        let failed = |source: tokenizers::Error| {
            Error::invalid_model_because(format!("{}: the tokenizer failed on a text", self.file), source)
        };
        match quietly(work) {
            Ok(outcome) => outcome.map_err(failed),
            Err(panic) if panic.contains("retry-limit") => Err(Error::TooLong(format!(
                "The tokenizer's regular expression gave up on {} bytes of text, which repeat one kind of character for too \
                 long. Shorten the text",
                text.len()
            ))),
            Err(panic) => Err(failed(panic.into())),
        }
    }

    /// The row of tokens that were kept, with the special ones.
    fn row(&self, first: Tokens, second: Option<Tokens>, truncated: bool) -> Result<TokenRow> {
        let tokens = self.guarded("", || self.inner.post_process(first, second, self.adds_special))?;
        Ok(self.row_of(&tokens, truncated))
    }

    fn row_of(&self, tokens: &Tokens, truncated: bool) -> TokenRow {
        let ids = tokens.get_ids().to_vec();
        let type_ids = if self.token_types { tokens.get_type_ids().to_vec() } else { vec![0; ids.len()] };
        TokenRow { ids, type_ids, truncated, unseen: 0 }
    }
}

/// `count` of the tokens that a reader kept.
fn kept(reader: &Reader, count: usize) -> Tokens {
    tokens(reader.kept(count))
}

/// Tokens for a post-processor, which only puts special ones around them.
fn tokens(ids: impl Iterator<Item = u32>) -> Tokens {
    Tokens::from_tokens(ids.map(|id| Token::new(id, String::new(), (0, 0))).collect(), 0)
}

fn build(spec: &TokenizerSpec) -> tokenizers::Result<tokenizers::Tokenizer> {
    let mut inner = tokenizers::Tokenizer::deserialize(&*spec.json)?;
    inner.set_encode_special_tokens(spec.split_special_tokens);
    if spec.lower_case && !inner.get_normalizer().is_some_and(lowers_case) {
        let mut steps = vec![NormalizerWrapper::Lowercase(Lowercase)];
        steps.extend(inner.get_normalizer().cloned());
        inner.with_normalizer(Some(Sequence::new(steps)))?;
    }
    Ok(inner)
}

/// Makes a token of its own of each of the spec's marks that the vocabulary has and the tokenizer takes apart, and gives the tokenizer's JSON
/// with it (`MultiVectorEncoder._register_prefix_tokens`).
fn marked(inner: &mut tokenizers::Tokenizer, spec: &TokenizerSpec) -> tokenizers::Result<Arc<Value>> {
    let mut json = spec.json.clone();
    for mark in &spec.marks {
        let word = mark.split_whitespace().next().unwrap_or("");
        let known = |token: &str| Some((token.to_owned(), inner.token_to_id(token)?));
        let Some((token, id)) = known(mark).filter(|_| !word.is_empty()).or_else(|| known(word)) else { continue };
        if inner.encode_fast(token.as_str(), false)?.get_ids() == [id] {
            continue;
        }
        inner.add_special_tokens([AddedToken::from(token.clone(), true).normalized(false)])?;
        let mut added = added_tokens(&json).to_vec();
        added.retain(|other| other.get("id").and_then(Value::as_u64) != Some(id.into()));
        added.push(json!({
            "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true,
        }));
        if let Some(object) = Arc::make_mut(&mut json).as_object_mut() {
            object.insert("added_tokens".into(), added.into());
        }
    }
    Ok(json)
}

fn lowers_case(normalizer: &NormalizerWrapper) -> bool {
    match normalizer {
        NormalizerWrapper::BertNormalizer(bert) => bert.lowercase,
        NormalizerWrapper::Lowercase(_) => true,
        NormalizerWrapper::Sequence(steps) => steps.as_ref().iter().any(lowers_case),
        _ => false,
    }
}

fn too_long(count: usize, cut: bool, limit: usize, budget: usize) -> Error {
    let special = limit - budget;
    let at_least = if cut { "at least " } else { "" };
    Error::TooLong(format!(
        "Expected at most {limit} tokens but received {at_least}{}. Shorten the text, raise `maxLength` or let `truncation` cut it",
        count + special
    ))
}
