//! The tokeniser of BM25 where the caller has none: Unicode's words, in lower case.
//!
//! Words are those of UAX #29 that have a letter or a number in them, in the default lower case of Unicode; nothing is
//! stemmed and nothing left out. It is what the `standard` analyser of Lucene and Elasticsearch does, but for Thai and its
//! neighbours: there, as in Chinese and Japanese, each letter is a word, since dictionaries would be needed for others.

use unicode_segmentation::UnicodeSegmentation;

/// Gives each word of a text to `each`, in order.
pub(super) fn each_word(text: &str, mut each: impl FnMut(&str)) {
    let mut lower = String::new();
    for word in text.unicode_words() {
        if !word.is_ascii() {
            each(&word.to_lowercase());
        } else if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
            lower.clear();
            lower.push_str(word);
            lower.make_ascii_lowercase();
            each(&lower);
        } else {
            each(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_unicode_in_lower_case() {
        let mut words = Vec::new();
        each_word(
            "The Quick-brown fox can't jump 32.3 feet (ΣΊΣΥΦΟΣ) E-Mail_2 Ünïcode 東京 🙂 --",
            |word| {
                words.push(word.to_owned());
            },
        );
        let expected = [
            "the",
            "quick",
            "brown",
            "fox",
            "can't",
            "jump",
            "32.3",
            "feet",
            "σίσυφος",
            "e",
            "mail_2",
            "ünïcode",
            "東",
            "京",
        ];
        assert_eq!(words, expected);
    }
}
