//! From the scores of tokens to spans of the text, as transformers 5.23 aggregates them (`TokenClassificationPipeline`'s
//! `aggregate_words` and `group_entities`).
//!
//! Tokens come one after the other, and only the word and the group that are open are kept: a text of any length is one pass, and
//! where its tokens were cut into runs does not matter.

use std::sync::Arc;

use crate::options::Aggregation;
use crate::tokenizer::PlacedToken;

/// A part of the text with a label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Which label: that of the first token or word.
    pub label: usize,
    /// From 0 to 1: the mean of its tokens' or words' scores.
    pub score: f32,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// How labels are grouped, and which of them are left out.
#[derive(Debug)]
pub struct Grouping {
    aggregation: Aggregation,
    /// By label: whether it begins a group (`B-`), and which tag it has. Labels that differ in `B-` and `I-` alone have one tag.
    tags: Vec<(bool, usize)>,
    /// By label: whether spans of it are left out.
    ignored: Vec<bool>,
}

/// A label's name in a group: without what stands before the first hyphen.
#[must_use]
pub fn group_name(label: &str) -> &str {
    label.split_once('-').map_or(label, |(_, name)| name)
}

impl Grouping {
    /// Groups the labels `names`. `ignore` holds names as they stand in the result.
    #[must_use]
    pub fn new(names: &[String], aggregation: Aggregation, ignore: &[String]) -> Self {
        // A label without `B-` or `I-` goes on, as `I-` does, with its whole name as the tag.
        let parted = |name: &'_ String| match name.strip_prefix("B-") {
            Some(tag) => (true, tag.to_owned()),
            None => (false, name.strip_prefix("I-").unwrap_or(name).to_owned()),
        };
        let parted: Vec<(bool, String)> = names.iter().map(parted).collect();
        let first = |tag: &str| parted.iter().position(|(_, other)| other == tag).unwrap_or(0);
        let shown = |name: &'_ String| match aggregation {
            Aggregation::None => name.clone(),
            _ => group_name(name).to_owned(),
        };
        Grouping {
            aggregation,
            tags: parted.iter().map(|(begins, tag)| (*begins, first(tag))).collect(),
            ignored: names.iter().map(|name| ignore.contains(&shown(name))).collect(),
        }
    }
}

/// A text's spans, while its tokens come.
#[derive(Debug)]
pub struct Spans {
    grouping: Arc<Grouping>,
    word: Option<Word>,
    group: Option<Group>,
    found: Vec<Span>,
}

/// Tokens of one word.
#[derive(Debug)]
struct Word {
    label: usize,
    score: f32,
    /// The sums of the tokens' scores, where their mean is asked for.
    sums: Vec<f32>,
    tokens: usize,
    start: usize,
    end: usize,
}

/// Tokens or words of one tag.
#[derive(Debug)]
struct Group {
    label: usize,
    tag: usize,
    sum: f64,
    count: usize,
    start: usize,
    end: usize,
}

/// The best label; the first of equal ones.
fn best(scores: &[f32]) -> (usize, f32) {
    let better =
        |best: (usize, f32), (label, score): (usize, &f32)| if *score > best.1 { (label, *score) } else { best };
    scores.iter().enumerate().fold((0, f32::NEG_INFINITY), better)
}

impl Spans {
    /// No tokens yet.
    #[must_use]
    pub fn new(grouping: Arc<Grouping>) -> Self {
        Spans { grouping, word: None, group: None, found: Vec::new() }
    }

    /// The next token, with the scores of its labels, from 0 to 1.
    pub fn push(&mut self, token: &PlacedToken, scores: &[f32]) {
        let (label, score) = best(scores);
        let span = Span { label, score, start: token.start, end: token.end };
        match self.grouping.aggregation {
            Aggregation::None => self.give(span),
            Aggregation::Simple => self.add_to_group(span),
            Aggregation::First | Aggregation::Max | Aggregation::Average => {
                self.add_to_word(span, scores, token.continues)
            }
        }
    }

    /// The spans of all tokens, in their order.
    #[must_use]
    pub fn finish(mut self) -> Vec<Span> {
        self.end_word();
        self.end_group();
        self.found
    }

    fn add_to_word(&mut self, token: Span, scores: &[f32], continues: bool) {
        let aggregation = self.grouping.aggregation;
        if !continues {
            self.end_word();
        }
        let Some(word) = &mut self.word else {
            let sums = if aggregation == Aggregation::Average { scores.to_vec() } else { Vec::new() };
            let Span { label, score, start, end } = token;
            self.word = Some(Word { label, score, sums, tokens: 1, start, end });
            return;
        };
        if aggregation == Aggregation::Max && token.score > word.score {
            (word.label, word.score) = (token.label, token.score);
        }
        word.sums.iter_mut().zip(scores).for_each(|(sum, score)| *sum += score);
        word.tokens += 1;
        word.end = token.end;
    }

    #[allow(clippy::cast_precision_loss, reason = "words have few tokens")]
    fn end_word(&mut self) {
        let Some(Word { mut label, mut score, mut sums, tokens, start, end }) = self.word.take() else { return };
        if !sums.is_empty() {
            sums.iter_mut().for_each(|sum| *sum /= tokens as f32);
            (label, score) = best(&sums);
        }
        self.add_to_group(Span { label, score, start, end });
    }

    fn add_to_group(&mut self, element: Span) {
        let (begins, tag) = self.grouping.tags[element.label];
        match &mut self.group {
            Some(group) if group.tag == tag && !begins => {
                group.sum += f64::from(element.score);
                group.count += 1;
                group.end = element.end;
            }
            _ => {
                self.end_group();
                let Span { label, score, start, end } = element;
                self.group = Some(Group { label, tag, sum: f64::from(score), count: 1, start, end });
            }
        }
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a mean of float32 scores")]
    fn end_group(&mut self) {
        let Some(Group { label, sum, count, start, end, .. }) = self.group.take() else { return };
        self.give(Span { label, score: (sum / count as f64) as f32, start, end });
    }

    fn give(&mut self, span: Span) {
        if !self.grouping.ignored[span.label] {
            self.found.push(span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [&str; 5] = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"];

    /// Tokens of one letter each: a label, its score (the rest goes to `O`, or to `B-PER` beside it), and whether it continues a
    /// word.
    fn spans(labels: &[&str], aggregation: Aggregation, ignore: &[&str], tokens: &[(&str, f32, bool)]) -> Vec<String> {
        let names: Vec<String> = labels.iter().map(|&name| name.to_owned()).collect();
        let ignore: Vec<String> = ignore.iter().map(|&name| name.to_owned()).collect();
        let mut spans = Spans::new(Arc::new(Grouping::new(&names, aggregation, &ignore)));
        for (at, (label, score, continues)) in tokens.iter().enumerate() {
            let label = labels.iter().position(|name| name == label).expect("a label");
            let mut scores = vec![0.0; labels.len()];
            scores[usize::from(label == 0)] = 1.0 - score;
            scores[label] = *score;
            spans.push(&PlacedToken { id: 0, start: at, end: at + 1, continues: *continues }, &scores);
        }
        let found = spans.finish().into_iter();
        found.map(|span| format!("{} {:.2} {}-{}", labels[span.label], span.score, span.start, span.end)).collect()
    }

    fn simple(labels: &[&str], tokens: &[&str]) -> Vec<String> {
        let tokens: Vec<_> = tokens.iter().map(|label| (*label, 1.0, false)).collect();
        spans(labels, Aggregation::Simple, &["O"], &tokens)
    }

    #[test]
    fn groups_begin_where_the_reference_begins_them() {
        assert_eq!(simple(&LABELS, &["B-PER", "B-PER"]), ["B-PER 1.00 0-1", "B-PER 1.00 1-2"]);
        assert_eq!(simple(&LABELS, &["B-PER", "I-PER"]), ["B-PER 1.00 0-2"]);
        assert_eq!(simple(&LABELS, &["I-PER", "I-PER"]), ["I-PER 1.00 0-2"]);
        assert_eq!(simple(&LABELS, &["I-PER", "B-PER"]), ["I-PER 1.00 0-1", "B-PER 1.00 1-2"]);
        assert_eq!(simple(&LABELS, &["I-PER", "I-LOC"]), ["I-PER 1.00 0-1", "I-LOC 1.00 1-2"]);
        assert_eq!(simple(&LABELS, &["I-PER", "O", "I-PER"]), ["I-PER 1.00 0-1", "I-PER 1.00 2-3"]);
        assert_eq!(simple(&["O", "X", "B-X"], &["X", "X", "B-X", "X"]), ["X 1.00 0-2", "B-X 1.00 2-4"]);
        // What transformers does not understand.
        assert_eq!(simple(&["O", "B-PER", "E-PER"], &["B-PER", "E-PER"]), ["B-PER 1.00 0-1", "E-PER 1.00 1-2"]);
    }

    #[test]
    fn names_end_behind_the_first_hyphen() {
        for (label, name) in
            [("B-PER", "PER"), ("X-RAY", "RAY"), ("B-X-RAY", "X-RAY"), ("B-", ""), ("O", "O"), ("-", "")]
        {
            assert_eq!(group_name(label), name);
        }
    }

    #[test]
    fn labels_are_left_out_by_the_names_that_the_result_has() {
        let tokens = [("O", 1.0, false), ("B-PER", 1.0, false), ("B-LOC", 1.0, false)];
        let names = |aggregation, ignore: &[&str]| spans(&LABELS, aggregation, ignore, &tokens);
        assert_eq!(names(Aggregation::Simple, &["B-PER"]).len(), 3);
        assert_eq!(names(Aggregation::Simple, &["PER"]), ["O 1.00 0-1", "B-LOC 1.00 2-3"]);
        assert_eq!(names(Aggregation::None, &["PER"]).len(), 3);
        assert_eq!(names(Aggregation::None, &["B-PER", "O"]), ["B-LOC 1.00 2-3"]);
        assert_eq!(names(Aggregation::Simple, &[]).len(), 3);
    }

    #[test]
    fn a_word_has_the_label_of_its_first_token_or_its_best_or_their_mean() {
        // By hand. The mean: B-PER (0.6 + 0.1 + 0) / 3, I-LOC (0 + 0.9 + 0) / 3, O (0.4 + 0 + 1) / 3.
        let word = [("B-PER", 0.6, false), ("I-LOC", 0.9, true), ("O", 1.0, true)];
        assert_eq!(spans(&LABELS, Aggregation::First, &[], &word), ["B-PER 0.60 0-3"]);
        assert_eq!(spans(&LABELS, Aggregation::Max, &[], &word), ["O 1.00 0-3"]);
        assert_eq!(spans(&LABELS, Aggregation::Average, &[], &word[..2]), ["I-LOC 0.45 0-2"]);
        let equal = [("B-PER", 0.7, true), ("I-LOC", 0.7, true), ("B-LOC", 0.9, false)];
        assert_eq!(spans(&LABELS, Aggregation::Max, &[], &equal), ["B-PER 0.70 0-2", "B-LOC 0.90 2-3"]);
    }

    #[test]
    fn a_group_has_the_mean_of_its_words_scores() {
        let words = [("B-PER", 0.8, false), ("I-LOC", 0.9, true), ("I-PER", 0.6, false), ("I-PER", 1.0, true)];
        assert_eq!(spans(&LABELS, Aggregation::First, &["O"], &words), ["B-PER 0.70 0-4"]);
        assert_eq!(
            spans(&LABELS, Aggregation::Simple, &["O"], &words),
            ["B-PER 0.80 0-1", "I-LOC 0.90 1-2", "I-PER 0.80 2-4"]
        );
    }

    #[test]
    fn nothing_gives_nothing() {
        assert!(simple(&LABELS, &[]).is_empty());
    }
}
