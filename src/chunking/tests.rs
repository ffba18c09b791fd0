use super::*;
use unicode_segmentation::UnicodeSegmentation;

/// Counts tokens by a function, and sees others in a context.
#[derive(Debug, Clone, Copy)]
struct Fake {
    special: usize,
    /// Where the tokens of a text end.
    inside: fn(&str) -> Vec<usize>,
    alone: fn(&str) -> usize,
    /// Bytes of a step.
    step: usize,
}

impl Measure for Fake {
    type Count = String;
    fn special(&self) -> usize {
        self.special
    }
    fn read(&mut self, text: &str, from: usize, ends: &mut VecDeque<usize>) -> Result<usize> {
        let to = text.ceil_char_boundary((from + self.step).min(text.len()));
        ends.extend((self.inside)(&text[from..to]).into_iter().map(|end| from + end));
        Ok(to)
    }
    fn begin(&self, text: &str) -> String {
        text.to_owned()
    }
    fn advance(&mut self, count: &mut String) -> Result<Option<usize>> {
        Ok(Some((self.alone)(count) + self.special))
    }
}

fn solid_ends(text: &str) -> Vec<usize> {
    text.char_indices().filter(|(_, each)| !each.is_whitespace()).map(|(at, each)| at + each.len_utf8()).collect()
}

/// A token for each character that is not white.
const CHARACTERS: Fake = Fake { special: 2, inside: solid_ends, alone: |text| solid_ends(text).len(), step: 7 };
/// A token for each byte, white or not.
const BYTES: Fake = Fake {
    special: 1,
    inside: |text| text.char_indices().flat_map(|(at, each)| vec![at + each.len_utf8(); each.len_utf8()]).collect(),
    alone: str::len,
    step: 5,
};
/// Sees a quarter of the tokens that there are.
const BLIND: Fake = Fake {
    special: 0,
    inside: |text| solid_ends(text).into_iter().step_by(4).collect(),
    alone: |text| solid_ends(text).len(),
    step: 11,
};
/// Sees four times as many.
const TIMID: Fake = Fake {
    special: 0,
    inside: |text| solid_ends(text).into_iter().flat_map(|end| [end; 4]).collect(),
    alone: |text| solid_ends(text).len(),
    step: 11,
};
/// A word is a token alone, and nothing in its context.
const NOTHING: Fake =
    Fake { special: 0, inside: |_| Vec::new(), alone: |text| text.split_whitespace().count(), step: 64 };

fn chunks(text: &str, measure: Fake, tokens: usize, overlap: usize) -> Result<Vec<Chunk>> {
    let mut chunker = Chunker::new(text.to_owned(), ChunkLimits { tokens, overlap }, measure)?;
    let mut steps = 0;
    while !chunker.step()? {
        steps += 1;
        assert!(steps < 100 * (text.len() + 10), "no end");
    }
    Ok(chunker.into_chunks())
}

/// The text of a chunk, as JavaScript would cut it.
fn slice(text: &str, start: usize, end: usize) -> String {
    let units: Vec<u16> = text.encode_utf16().collect();
    String::from_utf16(&units[start..end]).expect("no half of a character")
}

fn is_blank(text: &str) -> bool {
    text.chars().all(boundaries::is_white)
}

/// What holds for all chunks of all texts.
fn check(text: &str, measure: Fake, tokens: usize, overlap: usize) -> Vec<String> {
    let found = chunks(text, measure, tokens, overlap).expect("chunks");
    let all = text.encode_utf16().count();
    let (mut last, mut texts) = (Chunk { start: 0, end: 0, tokens: 0 }, Vec::new());
    for (at, chunk) in found.iter().enumerate() {
        let own = slice(text, chunk.start, chunk.end);
        assert_eq!(chunk.tokens, (measure.alone)(&own) + measure.special);
        assert!(chunk.tokens <= tokens, "{} tokens in {own:?}", chunk.tokens);
        assert!(!own.is_empty() && !own.starts_with(boundaries::is_white) && !own.ends_with(boundaries::is_white));
        assert!(chunk.end > last.end, "{own:?} has nothing new");
        if chunk.start >= last.end {
            assert!(is_blank(&slice(text, last.end, chunk.start)));
        } else {
            let shared = slice(text, chunk.start, last.end);
            assert!(at > 0 && chunk.start > last.start);
            assert!((measure.alone)(&shared) <= overlap, "{shared:?} is more than {overlap}");
        }
        last = *chunk;
        texts.push(own);
    }
    assert!(is_blank(&slice(text, last.end, all)), "something is lost at the end");
    texts
}

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    fn text(&mut self, parts: &[&str]) -> String {
        let count = self.below(60);
        (0..count).map(|_| parts[self.below(parts.len())]).collect()
    }
}

const PARTS: [&str; 30] = [
    "one",
    "two",
    "Three",
    "four",
    " ",
    " ",
    " ",
    ". ",
    ".",
    "! ",
    "? ",
    ", ",
    "\n",
    "\n\n",
    "\r\n",
    "\u{2029}",
    "(",
    ")",
    "東京",
    "。",
    "é",
    "e\u{301}",
    "👩\u{200d}👧",
    "🇫🇷",
    "\u{feff}",
    "\u{85}",
    "\u{a0}",
    "\0",
    "unbreakable",
    "3.14",
];

#[test]
fn nothing_is_lost_and_nothing_is_too_long() {
    let mut random = Random(1);
    for round in 0..3000 {
        let text = random.text(&PARTS);
        // A measure that sees too little or too much costs tries and changes nothing else.
        let measure = [CHARACTERS, BLIND, TIMID][round % 3];
        let tokens = measure.special + 1 + random.below(30);
        check(&text, measure, tokens, random.below(tokens.div_ceil(2)));
        // Some characters of these texts have four bytes.
        check(&text, BYTES, 5 + random.below(40), random.below(3));
    }
}

/// What a chunk of `text[start..]` must be if tokens are its characters: found from all boundaries at once, by another crate.
fn expected(text: &str, start: usize, tokens: usize) -> Option<usize> {
    let end_of = |at: usize| start + text[start..at].trim_end_matches(boundaries::is_white).len();
    let fits = |end: &usize| *end > start && solid_ends(&text[start..*end]).len() <= tokens;
    let last = end_of(text.len());
    if fits(&last) {
        return Some(last);
    }
    let paragraphs = text[start..].match_indices("\n\n").map(|(at, _)| end_of(start + at)).filter(fits).last();
    let sentences = || {
        let bounds = text[start..].split_sentence_bound_indices().map(|(at, _)| at).skip(1);
        bounds.map(|at| end_of(start + at)).filter(fits).last()
    };
    paragraphs.or_else(sentences)
}

#[test]
fn chunks_end_with_the_last_paragraph_or_sentence_that_fits() {
    let mut random = Random(2);
    let parts = ["one", "two", "Three", "four", " ", " ", ". ", "! ", ", ", "\n\n", "東京", "。"];
    let mut decided = 0;
    for _ in 0..2000 {
        let text = random.text(&parts);
        let tokens = 3 + random.below(40);
        let mut start = skip_white(&text, 0);
        for own in check(&text, CHARACTERS, tokens, 0) {
            if let Some(end) = expected(&text, start, tokens - CHARACTERS.special) {
                assert_eq!(own, text[start..end], "of {text:?} with {tokens}");
                decided += 1;
            }
            start = skip_white(&text, start + own.len());
        }
    }
    assert!(decided > 2000, "only {decided} chunks were compared");
}

#[test]
fn an_overlap_is_of_whole_sentences_or_words() {
    let text = "One two. Three four. Five six. Seven eight nine ten.";
    // 18 characters: a sentence has 7, 10, 8 and 18 of them.
    let found = check(text, CHARACTERS, 20, 9);
    assert_eq!(found, ["One two. Three four.", "four. Five six.", "Five six. Seven eight", "eight nine ten."]);
    assert_eq!(check(text, CHARACTERS, 20, 0), ["One two. Three four.", "Five six.", "Seven eight nine ten."]);
    // Room that the overlap takes is not there for whole paragraphs.
    assert_eq!(check("One two.\n\nThree four.", CHARACTERS, 12, 5), ["One two.", "two.\n\nThree", "Three four."]);
    assert_eq!(check("One two.\n\nThree four.", CHARACTERS, 12, 0), ["One two.", "Three four."]);
}

#[test]
fn white_space_alone_gives_no_chunk() {
    for text in ["", " ", "\n\n\n", "\u{a0}\u{3000}\u{2029}"] {
        assert_eq!(chunks(text, CHARACTERS, 10, 0).expect("chunks"), []);
    }
    assert_eq!(check("  a  ", CHARACTERS, 10, 0), ["a"]);
}

#[test]
fn places_are_utf16_units() {
    let found = chunks("👩👩 é 東", CHARACTERS, 4, 0).expect("chunks");
    assert_eq!(found.iter().map(|chunk| (chunk.start, chunk.end)).collect::<Vec<_>>(), [(0, 4), (5, 8)]);
}

#[test]
fn a_character_that_does_not_fit_is_an_error_that_names_it() {
    let error = chunks("ab 👩 cd", BYTES, 4, 0).expect_err("4 bytes and a special token");
    assert_eq!(error.code(), "ERR_TOO_LONG");
    assert!(error.to_string().contains("at least 5") && error.to_string().contains('👩'), "{error}");
    assert_eq!(check("ab 👩 cd", BYTES, 5, 0), ["ab", "👩", "cd"]);
    // Nor does a measure that sees no tokens at all keep it from ending.
    assert_eq!(check("one two", NOTHING, 2, 0), ["one two"]);
    assert!(!check("one two three", NOTHING, 1, 0).is_empty());
}

#[test]
fn limits_that_leave_no_room_are_refused() {
    for (tokens, overlap) in [(0, 0), (2, 0), (10, 5), (11, 6), (10, usize::MAX)] {
        assert_eq!(chunks("a", CHARACTERS, tokens, overlap).expect_err("refused").code(), "ERR_INVALID_ARG");
    }
    assert!(chunks("a", CHARACTERS, 11, 5).is_ok());
}
