//! Texts and pairs of texts to token ids, truncated but never padded. The `tokenizers` crate is used here only.
//!
//! **Long text costs what its first tokens cost.** The caller may pass only the beginning of a text (a [`Part`] that is
//! `cut`). Its first tokens are then believed only where the text that is missing cannot change them; otherwise the
//! answer is [`Encoding::Short`] and the caller passes a longer part. See [`Tokenizer::stable_tokens`].

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Deserialize;
use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Sequence};
use tokenizers::utils::truncation::{TruncationDirection, TruncationParams, TruncationStrategy, truncate_encodings};
use tokenizers::{Encoding as Tokens, PostProcessor};

use crate::error::{Error, Result, panic_message};
use crate::options::Truncation;
use crate::spec::TokenizerSpec;

/// Tokens kept beyond the limit when the end of a word that no rule splits is checked; see `unsplit_tokens_agree`.
const AGREEMENT_MARGIN: usize = 32;
/// Longest piece of a unigram vocabulary, in characters, that the check allows for. With longer ones whole texts are
/// read.
const MAX_PIECE: usize = 64;
/// Ends that are tried for BPE, where no number of them is a proof.
const BPE_ENDS: usize = 8;
/// Bytes that are read first for each token of the limit.
const BYTES_PER_TOKEN: usize = 32;
/// Parts longer than this are not checked that way: the text is read whole.
const MAX_AGREEMENT_BYTES: usize = 1 << 20;

/// A text, or only its beginning.
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

/// The answer for one text or pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoding {
    /// The tokens.
    Ready(TokenRow),
    /// The parts are too short to be sure of the tokens.
    Short(ShortParts),
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
}

/// A model's tokenizer.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    special_ids: Vec<u32>,
    /// Whether rows tell the two texts of a pair apart.
    token_types: bool,
    longest_added: usize,
    /// How many ends of a cut word have to agree; `None` where prefixes prove nothing.
    ends: Option<usize>,
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
        // Crafted files make the crate panic while loading; that must not be worse than an error.
        let inner = catch_unwind(AssertUnwindSafe(|| build(spec)))
            .unwrap_or_else(|panic| Err(panic_message(panic.as_ref()).into()))
            .map_err(|source| {
                Error::invalid_model_because(format!("{} is not a tokenizer that can be used", spec.file), source)
            })?;
        let added = inner.get_added_tokens_decoder();
        let special_ids = added.iter().filter(|(_, token)| token.special).map(|(id, _)| *id).collect();
        let longest_added = added.values().map(|token| token.content.len()).max().unwrap_or(0);
        let ends = match inner.get_model() {
            // A word beyond WordPiece's limit is one unknown token however it ends.
            ModelWrapper::WordPiece(_) | ModelWrapper::WordLevel(_) => None,
            ModelWrapper::BPE(_) => Some(BPE_ENDS),
            ModelWrapper::Unigram(_) => {
                let longest = inner.get_vocab(false).keys().map(|piece| piece.chars().count()).max();
                longest.filter(|longest| *longest <= MAX_PIECE)
            }
        };
        Ok(Tokenizer { inner, special_ids, token_types: spec.token_types, longest_added, ends })
    }

    /// The tokens of `prompt` followed by `part`, at most `limit` with special tokens.
    ///
    /// # Errors
    /// [`Error::TooLong`] where `truncation` is [`Truncation::Error`] and the text has more tokens;
    /// [`Error::InvalidArgument`] where the limit does not even hold the special tokens.
    pub fn encode(&self, prompt: &str, part: &Part, limit: usize, truncation: Truncation) -> Result<Encoding> {
        let joined;
        let text = if prompt.is_empty() {
            part.text.as_str()
        } else {
            joined = [prompt, &part.text].concat();
            &joined
        };
        let budget = self.budget(limit, false)?;
        let needed = budget.saturating_add(1);
        let mut bytes = limit.saturating_mul(BYTES_PER_TOKEN).saturating_add(1024);
        // What is there may be far more than the limit needs: a long prompt, or a caller that passes whole texts. A part
        // that was cut has the size that it needs already.
        if truncation != Truncation::Left && (!part.cut || prompt.len() > bytes) {
            while bytes < text.len() {
                let head = &text[..text.floor_char_boundary(bytes)];
                let tokens = self.tokens(head, true)?;
                if self.is_enough(head, &tokens, needed)? {
                    return self.cut(tokens, true, limit, budget, truncation);
                }
                bytes = bytes.saturating_mul(4);
            }
        }
        let tokens = self.tokens(text, part.cut)?;
        if part.cut && !self.is_enough(text, &tokens, needed)? {
            return Ok(Encoding::Short(ShortParts { first: true, second: false }));
        }
        self.cut(tokens, part.cut, limit, budget, truncation)
    }

    /// The row of a single text's tokens; `more` text follows.
    fn cut(&self, tokens: Tokens, more: bool, limit: usize, budget: usize, truncation: Truncation) -> Result<Encoding> {
        let count = tokens.get_ids().len();
        if count > budget && truncation == Truncation::Error {
            return Err(too_long(count, more, limit, budget));
        }
        self.finish(tokens, None, budget, truncation)
    }

    /// The tokens of a pair, at most `limit` with special tokens. The longer of the two texts is cut first, as
    /// sentence-transformers' cross-encoders do.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_pair(&self, first: &Part, second: &Part, limit: usize, truncation: Truncation) -> Result<Encoding> {
        let budget = self.budget(limit, true)?;
        let first_tokens = self.tokens(&first.text, first.cut)?;
        let second_tokens = self.tokens(&second.text, second.cut)?;
        let (first_count, second_count) = (first_tokens.get_ids().len(), second_tokens.get_ids().len());
        // Which text is the longer one decides who gets the odd token: a cut text must be known to be at least as long
        // as a text that is all there.
        let needed = |other: &Part, other_count: usize| {
            if other.cut { budget.saturating_add(1) } else { budget.saturating_add(1).max(other_count) }
        };
        let short = ShortParts {
            first: first.cut && !self.is_enough(&first.text, &first_tokens, needed(second, second_count))?,
            second: second.cut && !self.is_enough(&second.text, &second_tokens, needed(first, first_count))?,
        };
        if short.first || short.second {
            return Ok(Encoding::Short(short));
        }
        let count = first_count + second_count;
        if count > budget && truncation == Truncation::Error {
            return Err(too_long(count, first.cut || second.cut, limit, budget));
        }
        self.finish(first_tokens, Some(second_tokens), budget, truncation)
    }

    /// Tokens of the whole text with special tokens, before any truncation.
    ///
    /// # Errors
    /// [`Error::Internal`] where the tokenizer fails.
    pub fn count(&self, text: &str) -> Result<usize> {
        self.guarded(text, || self.inner.encode_fast(text, true)).map(|tokens| tokens.get_ids().len())
    }

    /// Tokens of the prompt alone, less a special token at its end: what `include_prompt: false` leaves out of pooling
    /// (sentence-transformers 6.2, `Transformer._get_prompt_length`).
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn prompt_length(&self, prompt: &str, limit: usize, truncation: Truncation) -> Result<usize> {
        let truncation = if truncation == Truncation::Left { truncation } else { Truncation::Right };
        match self.encode("", &Part::whole(prompt), limit, truncation)? {
            Encoding::Ready(row) => {
                let special = row.ids.last().is_some_and(|id| self.special_ids.contains(id));
                Ok(row.ids.len() - usize::from(special))
            }
            Encoding::Short(_) => Err(Error::Internal("a whole prompt was called short".into())),
        }
    }

    /// Tokens left for the text under `limit`.
    fn budget(&self, limit: usize, pair: bool) -> Result<usize> {
        let special = self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(pair));
        limit.checked_sub(special).ok_or_else(|| {
            Error::InvalidArgument(format!(
                "Expected at least {special} for `maxLength`, the special tokens that this model adds, but received {limit}"
            ))
        })
    }

    /// Tokens without special ones. Words and offsets are worked out only where they are looked at.
    fn tokens(&self, text: &str, cut: bool) -> Result<Tokens> {
        self.guarded(text, || if cut { self.inner.encode(text, false) } else { self.inner.encode_fast(text, false) })
    }

    /// The crate panics where its regular expressions give up, as they do on millions of spaces.
    fn guarded(&self, text: &str, encode: impl FnOnce() -> tokenizers::Result<Tokens>) -> Result<Tokens> {
        let panic = match catch_unwind(AssertUnwindSafe(encode)) {
            Ok(tokens) => return tokens.map_err(failed),
            Err(panic) => panic_message(panic.as_ref()),
        };
        if panic.contains("retry-limit") {
            return Err(Error::TooLong(format!(
                "The tokenizer's regular expression gave up on a text of {} bytes, which repeats one kind of character for \
                 too long. Shorten the text",
                text.len()
            )));
        }
        Err(Error::Internal(panic))
    }

    fn is_enough(&self, text: &str, tokens: &Tokens, needed: usize) -> Result<bool> {
        Ok(self.stable_tokens(text, tokens) >= needed || self.unsplit_tokens_agree(text, tokens, needed)?)
    }

    /// How many leading tokens of a cut text cannot change, whatever follows.
    ///
    /// A pre-tokenizer splits text into words from left to right and looks ahead by less than one word; tokens never
    /// cross words. So all words but the last two are final, unless an added token (`<|endoftext|>`) begins before the
    /// end: its length is kept clear as well.
    fn stable_tokens(&self, text: &str, tokens: &Tokens) -> usize {
        let words = tokens.get_word_ids();
        let Some(last) = words.iter().rev().find_map(|word| *word) else { return 0 };
        let safe_end = text.len().saturating_sub(self.longest_added);
        words
            .iter()
            .zip(tokens.get_offsets())
            .take_while(|(word, offsets)| word.is_some_and(|word| word + 1 < last) && offsets.1 <= safe_end)
            .count()
    }

    /// Whether the first `needed` tokens of one long word (Chinese under SentencePiece, say) are final.
    ///
    /// A unigram model takes the best path through the word. The best path of the whole text crosses some boundary in
    /// the last `longest_piece` characters before any point, and up to a boundary it is the best path of the text
    /// before it. So where the texts that end at each of these boundaries all agree on their first tokens, these are
    /// the whole text's. BPE has no such theorem, but merges that reach across the margin would need a chain of them.
    fn unsplit_tokens_agree(&self, text: &str, tokens: &Tokens, needed: usize) -> Result<bool> {
        let ids = tokens.get_ids();
        let margin = needed.saturating_add(AGREEMENT_MARGIN);
        let Some(ends) = self.ends else { return Ok(false) };
        if text.len() > MAX_AGREEMENT_BYTES || ids.len() <= margin {
            return Ok(false);
        }
        let end = tokens.get_offsets()[margin].1.min(text.len().saturating_sub(self.longest_added));
        let Some(head) = text.get(..end) else { return Ok(false) };
        let boundaries = head.char_indices().rev().map(|(at, _)| at).take(ends);
        for at in std::iter::once(head.len()).chain(boundaries) {
            let shorter = self.inner.encode_fast(&head[..at], false).map_err(failed)?;
            if shorter.get_ids().get(..needed) != ids.get(..needed) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn finish(&self, first: Tokens, second: Option<Tokens>, budget: usize, truncation: Truncation) -> Result<Encoding> {
        let count = first.get_ids().len() + second.as_ref().map_or(0, |tokens| tokens.get_ids().len());
        let direction =
            if truncation == Truncation::Left { TruncationDirection::Left } else { TruncationDirection::Right };
        let params =
            TruncationParams { max_length: budget, strategy: TruncationStrategy::LongestFirst, stride: 0, direction };
        let (first, second) = truncate_encodings(first, second, &params).map_err(failed)?;
        let mut tokens = self.inner.post_process(first, second, true).map_err(failed)?;
        drop(tokens.take_overflowing());
        let ids = tokens.get_ids().to_vec();
        Ok(Encoding::Ready(TokenRow {
            type_ids: if self.token_types { tokens.get_type_ids().to_vec() } else { vec![0; ids.len()] },
            ids,
            truncated: count > budget,
        }))
    }
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

fn lowers_case(normalizer: &NormalizerWrapper) -> bool {
    match normalizer {
        NormalizerWrapper::BertNormalizer(bert) => bert.lowercase,
        NormalizerWrapper::Lowercase(_) => true,
        NormalizerWrapper::Sequence(steps) => steps.as_ref().iter().any(lowers_case),
        _ => false,
    }
}

fn failed(source: tokenizers::Error) -> Error {
    Error::invalid_model_because("tokenizer.json: the tokenizer failed on a text", source)
}

fn too_long(count: usize, cut: bool, limit: usize, budget: usize) -> Error {
    let special = limit - budget;
    let at_least = if cut { "at least " } else { "" };
    Error::TooLong(format!(
        "Expected at most {limit} tokens but received {at_least}{}. Shorten the text, raise `maxLength` or let `truncation` cut it",
        count + special
    ))
}
