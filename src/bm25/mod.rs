//! BM25: how well a document's words fit a query's, by how rare they are in a corpus.
//!
//! A score is a dot product of two sparse vectors over the corpus' terms. The query's side has how often a term is asked for
//! times its inverse document frequency (idf); the document's has how often it is there, saturated, and set off against the
//! document's length. So a stored document does not change when other documents come and idf is counted anew.
//!
//! With `N` documents, of which `n` have the term; `f` times the term in a document of `d` tokens, `a` in the mean:
//!
//! | method | idf | the document's side |
//! |---|---|---|
//! | Lucene | `ln(1 + (N - n + 0.5) / (n + 0.5))` | `f / (f + k1·(1 - b + b·d/a))` |
//! | Okapi | `ln((N - n + 0.5) / (n + 0.5))`, where that is negative a quarter of its mean over all terms | `f·(k1 + 1) / (f + k1·(1 - b + b·d/a))` |
//!
//! The first is `BM25Similarity` of Lucene since 8.0, and with it Elasticsearch's, but for lengths, which Lucene keeps in one
//! byte and which are exact here. The second is `BM25Okapi` of Python's `rank_bm25` 0.2.2.

mod words;

use std::collections::HashMap;

use self::words::each_word;
use crate::error::{Error, Result};

/// The share of the mean idf that stands in for a negative one (`epsilon` of `rank_bm25`).
const EPSILON: f64 = 0.25;

/// Which formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Lucene's, which is never negative.
    Lucene,
    /// That of `rank_bm25`.
    Okapi,
}

/// How scores are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// The formula.
    pub method: Method,
    /// How slowly a term's repetitions saturate; 0: not at all.
    pub k1: f64,
    /// How much a document's length matters, 0 to 1.
    pub b: f64,
}

/// A text, and how it is parted into tokens.
#[derive(Debug, Clone, Copy)]
pub enum Text<'a> {
    /// By the words of Unicode.
    Words(&'a str),
    /// So many tokens, which U+0000 parts.
    Tokens(&'a str, usize),
}

impl<'a> Text<'a> {
    /// Gives each token to `each`.
    fn each(self, mut each: impl FnMut(&str)) -> Result<()> {
        match self {
            Text::Words(text) => each_word(text, each),
            Text::Tokens(_, 0) => {}
            Text::Tokens(joined, count) => {
                let mut found = 0;
                for token in joined.split('\0') {
                    each(token);
                    found += 1;
                }
                if found != count {
                    return Err(Error::InvalidArgument(
                        "Expected tokens without U+0000 from `tokenize`, but one of them has it".into(),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// What is counted of a corpus.
#[derive(Debug, Default)]
pub struct Corpus {
    terms: HashMap<Box<str>, u32>,
    /// Documents that have a term.
    frequencies: Vec<u32>,
    /// The last of them, counted from 1.
    last: Vec<u32>,
    documents: u32,
    tokens: u64,
}

impl Corpus {
    /// Counts a document.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where a token has U+0000.
    pub fn add(&mut self, text: Text<'_>) -> Result<()> {
        self.documents += 1;
        text.each(|token| {
            self.tokens += 1;
            let term = match self.terms.get(token) {
                Some(term) => *term as usize,
                None => {
                    let term = self.frequencies.len();
                    self.terms.insert(token.into(), u32::try_from(term).unwrap_or(u32::MAX));
                    self.frequencies.push(0);
                    self.last.push(0);
                    term
                }
            };
            if self.last[term] != self.documents {
                self.last[term] = self.documents;
                self.frequencies[term] += 1;
            }
        })
    }

    /// Terms that were counted elsewhere.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the numbers cannot be those of a corpus.
    pub fn restore(terms: Vec<String>, frequencies: Vec<u32>, documents: u32, tokens: u64) -> Result<Self> {
        let count = terms.len();
        let refuse = |sentence: &str| Err(Error::InvalidArgument(sentence.into()));
        if count != frequencies.len() {
            return refuse("Expected as many `frequencies` as `terms`");
        }
        if frequencies.iter().any(|frequency| !(1..=documents).contains(frequency)) {
            return refuse("Expected from 1 to `documents` for each of `frequencies`");
        }
        // Each of those documents has the term at least once.
        if frequencies.iter().map(|frequency| u64::from(*frequency)).sum::<u64>() > tokens {
            return refuse("Expected as many `tokens` as `frequencies` have together, or more");
        }
        let terms: HashMap<Box<str>, u32> = terms.into_iter().map(String::into_boxed_str).zip(0..).collect();
        if terms.len() != count {
            return refuse("Expected `terms` that differ from each other");
        }
        Ok(Corpus { terms, frequencies, last: Vec::new(), documents, tokens })
    }
}

/// A corpus' terms and their weights.
#[derive(Debug)]
pub struct Bm25 {
    corpus: Corpus,
    parameters: Parameters,
    idf: Vec<f64>,
}

/// A sparse vector: ascending indices and their numbers.
pub type Sparse = (Vec<u32>, Vec<f32>);

impl Bm25 {
    /// Weighs the terms of a corpus.
    #[must_use]
    pub fn new(mut corpus: Corpus, parameters: Parameters) -> Self {
        corpus.last = Vec::new();
        let idf = idf(&corpus, parameters.method);
        Bm25 { corpus, parameters, idf }
    }

    /// A document's vector. Terms that the corpus does not have count for its length alone.
    ///
    /// # Errors
    /// As [`Corpus::add`].
    pub fn document(&self, text: Text<'_>) -> Result<Sparse> {
        let (counts, length) = self.counts(text)?;
        let Parameters { method, k1, b } = self.parameters;
        let mean = ratio(self.corpus.tokens, u64::from(self.corpus.documents));
        // Where no document of the corpus has a token, none has a term.
        let relative = if mean > 0.0 { ratio(length, 1) / mean } else { 1.0 };
        let damping = k1 * (1.0 - b + b * relative);
        let factor = if method == Method::Okapi { k1 + 1.0 } else { 1.0 };
        let weight = |count: u32| f64::from(count) * factor / (f64::from(count) + damping);
        Ok(counts.into_iter().map(|(term, count)| (term, narrow(weight(count)))).unzip())
    }

    /// A query's vector. Terms that the corpus does not have are not in it, nor are those that weigh nothing.
    ///
    /// # Errors
    /// As [`Corpus::add`].
    pub fn query(&self, text: Text<'_>) -> Result<Sparse> {
        let (counts, _) = self.counts(text)?;
        let weights =
            counts.into_iter().map(|(term, count)| (term, narrow(f64::from(count) * self.idf[term as usize])));
        Ok(weights.filter(|(_, weight)| *weight != 0.0).unzip())
    }

    /// How often each known term is there, by ascending terms, and how many tokens there are in all.
    fn counts(&self, text: Text<'_>) -> Result<(Vec<(u32, u32)>, u64)> {
        let mut terms = Vec::new();
        let mut length = 0;
        text.each(|token| {
            length += 1;
            terms.extend(self.corpus.terms.get(token).copied());
        })?;
        terms.sort_unstable();
        let counted = terms.chunk_by(|a, b| a == b);
        Ok((counted.map(|same| (same[0], u32::try_from(same.len()).unwrap_or(u32::MAX))).collect(), length))
    }

    /// The terms by their indices.
    #[must_use]
    pub fn terms(&self) -> Vec<&str> {
        let mut terms = vec![""; self.corpus.terms.len()];
        for (term, index) in &self.corpus.terms {
            terms[*index as usize] = term;
        }
        terms
    }

    /// How many documents of the corpus have each term.
    #[must_use]
    pub fn frequencies(&self) -> &[u32] {
        &self.corpus.frequencies
    }

    /// Documents of the corpus.
    #[must_use]
    pub fn documents(&self) -> u32 {
        self.corpus.documents
    }

    /// Tokens of all of them.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.corpus.tokens
    }
}

fn idf(corpus: &Corpus, method: Method) -> Vec<f64> {
    let documents = f64::from(corpus.documents);
    let odds = corpus.frequencies.iter().map(|frequency| {
        let frequency = f64::from(*frequency);
        (documents - frequency + 0.5) / (frequency + 0.5)
    });
    match method {
        Method::Lucene => odds.map(f64::ln_1p).collect(),
        Method::Okapi => {
            let mut idf: Vec<f64> = odds.map(f64::ln).collect();
            let floor = EPSILON * idf.iter().sum::<f64>() / ratio(idf.len() as u64, 1);
            idf.iter_mut().filter(|idf| **idf < 0.0).for_each(|idf| *idf = floor);
            idf
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

#[allow(clippy::cast_possible_truncation, reason = "a vector's numbers are float32")]
fn narrow(number: f64) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(texts: &[&str], method: Method) -> Bm25 {
        let mut corpus = Corpus::default();
        for text in texts {
            corpus.add(Text::Words(text)).expect("words");
        }
        Bm25::new(corpus, Parameters { method, k1: 1.5, b: 0.75 })
    }

    fn score(query: &Sparse, document: &Sparse) -> f64 {
        let of = |term| document.0.iter().position(|own| *own == term).map_or(0.0, |at| f64::from(document.1[at]));
        query.0.iter().zip(&query.1).map(|(term, weight)| f64::from(*weight) * of(*term)).sum()
    }

    #[test]
    fn scores_are_those_of_the_formula() {
        let bm25 = fit(&["a b b", "a c", "d"], Method::Lucene);
        let document = bm25.document(Text::Words("a b b")).expect("words");
        let query = bm25.query(Text::Words("b a b z")).expect("words");
        // N = 3; a is in two documents, b in one; 3 of 2 tokens in the mean.
        let side = |count: f64| count / (count + 1.5 * (0.25 + 0.75 * 3.0 / 2.0));
        let expected = 2.0 * (1.0_f64 + 2.5 / 1.5).ln() * side(2.0) + (1.0_f64 + 1.5 / 2.5).ln() * side(1.0);
        assert!((score(&query, &document) - expected).abs() < 1e-6);
        assert_eq!(query.0, [0, 1]);
    }

    #[test]
    fn unknown_words_count_for_the_length_alone() {
        let bm25 = fit(&["a b", "c"], Method::Okapi);
        let short = bm25.document(Text::Words("a")).expect("words");
        let long = bm25.document(Text::Words("a x y z")).expect("words");
        assert_eq!((&short.0, &long.0), (&vec![0], &vec![0]));
        assert!(long.1[0] < short.1[0]);
        assert_eq!(bm25.document(Text::Words("x")).expect("words"), (vec![], vec![]));
    }

    #[test]
    fn a_corpus_without_words_has_no_terms() {
        for method in [Method::Lucene, Method::Okapi] {
            let bm25 = fit(&["", "..."], method);
            assert_eq!(bm25.document(Text::Words("a")).expect("words"), (vec![], vec![]));
            assert_eq!(bm25.query(Text::Words("a")).expect("words"), (vec![], vec![]));
        }
    }

    #[test]
    fn tokens_of_others_are_told_apart() {
        let mut corpus = Corpus::default();
        corpus.add(Text::Tokens("New York\0new", 2)).expect("tokens");
        corpus.add(Text::Tokens("", 0)).expect("no tokens");
        corpus.add(Text::Tokens("", 1)).expect("an empty token");
        assert!(corpus.add(Text::Tokens("a\0b", 1)).is_err());
        assert_eq!(
            Bm25::new(corpus, Parameters { method: Method::Lucene, k1: 1.0, b: 0.0 }).terms()[..3],
            ["New York", "new", ""]
        );
    }

    #[test]
    fn a_corpus_that_cannot_be_is_refused() {
        let restore = |terms: &[&str], frequencies: &[u32], documents, tokens| {
            Corpus::restore(terms.iter().map(ToString::to_string).collect(), frequencies.to_vec(), documents, tokens)
        };
        assert!(restore(&["a", "b"], &[1, 2], 2, 3).is_ok());
        assert!(restore(&["a", "a"], &[1, 2], 2, 3).is_err());
        assert!(restore(&["a", "b"], &[1], 2, 3).is_err());
        assert!(restore(&["a", "b"], &[1, 3], 2, 4).is_err());
        assert!(restore(&["a", "b"], &[0, 2], 2, 4).is_err());
        assert!(restore(&["a", "b"], &[1, 2], 2, 2).is_err());
    }
}
