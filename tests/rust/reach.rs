//! Text that is far away can change what a text's beginning means; then it is read that far.

use super::{handover, zoo};

use handover::{altered, by_parts, right, slow};
use vecrank::options::Truncation;
use vecrank::tokenizer::{Limit, Part};

#[test]
fn blanks_before_a_token_that_swallows_them_are_read_to_their_end() {
    let mut checked = 0;
    for folder in
        ["extra/family-roberta", "zoo/modernbert-cls", "zoo/xlmr-mean-prefix", "zoo/qwen3-lasttoken", "zoo/bert-mean"]
    {
        let (tokenizer, library) = altered(folder, |json| {
            let tokens = json["added_tokens"].as_array_mut().unwrap();
            let at = tokens.iter().position(|token| token["content"].as_str().unwrap().to_lowercase().contains("mask"));
            let at = at.unwrap_or(0);
            (tokens[at]["lstrip"], tokens[at]["rstrip"]) = (true.into(), true.into());
        });
        let name = library.get_added_tokens_decoder().values().find(|token| token.lstrip).unwrap().content.clone();
        for blanks in [1, 30, 742, 5_000, 40_000] {
            let text = format!("river{0}{name}{0}bridge", " ".repeat(blanks));
            for limit in [8, 12, 32] {
                let expected = slow(&library, &text, limit);
                let (row, _) = by_parts(&tokenizer, &text, right(limit), limit * 8 + 256).unwrap();
                assert_eq!((row.ids, row.truncated), expected, "{folder}, {blanks} blanks, limit {limit}");
                let row = zoo::row(&tokenizer, Part::whole(text.as_str()), right(limit));
                assert_eq!(
                    (row.ids, row.truncated),
                    expected,
                    "{folder}, {blanks} blanks, limit {limit}, passed whole"
                );
                checked += usize::from(!expected.1);
            }
            let error = Limit { tokens: 32, truncation: Truncation::Error };
            let whole = slow(&library, &text, 32);
            assert_eq!(by_parts(&tokenizer, &text, error, 100).is_err(), whole.1, "{folder}, {blanks} blanks");
        }
    }
    assert!(checked > 20, "only {checked} texts fit");
}

#[test]
fn a_number_that_is_grouped_from_its_end_is_read_to_its_end() {
    let (tokenizer, library) = altered("zoo/qwen3-lasttoken", |json| {
        json["pre_tokenizer"] = serde_json::json!({ "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": r"\d{1,3}(?=(?:\d{3})*(?!\d))" }, "behavior": "Isolated", "invert": false },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false },
        ] });
    });
    for digits in [10, 500, 501, 502, 3000, 3001] {
        let text = format!("the number {} is long", "1234567890".repeat(digits / 10 + 1).split_at(digits).0);
        for limit in [8, 20, 40] {
            let expected = slow(&library, &text, limit);
            let (row, _) = by_parts(&tokenizer, &text, right(limit), 300).unwrap();
            assert_eq!((row.ids, row.truncated), expected, "{digits} digits, limit {limit}");
        }
    }
    let error = by_parts(&tokenizer, &"7".repeat(1 << 20), right(20), 300).unwrap_err();
    assert_eq!(error.code(), "ERR_TOO_LONG", "{error}");
}

/// `ababab…` is all `ab` where its length is even, and `a` and then all `ba` where it is odd: the end decides the first token.
#[test]
fn an_end_that_decides_the_beginning_is_waited_for() {
    let (tokenizer, library) = altered("zoo/xlmr-mean-prefix", |json| {
        *json = serde_json::json!({ "version": "1.0", "added_tokens": [], "model": {
            "type": "Unigram", "unk_id": 0, "byte_fallback": false,
            "vocab": [["<unk>", 0.0], ["ab", -1.0], ["ba", -0.999], ["a", -5.0], ["b", -5.0]],
        } });
    });
    let mut firsts = Vec::new();
    for length in 600..640 {
        let text = &"ab".repeat(length)[..length];
        let expected = slow(&library, text, 20);
        for first in [250, 251, 400, 401] {
            let (row, _) = by_parts(&tokenizer, text, right(20), first).unwrap();
            assert_eq!((&row.ids, row.truncated), (&expected.0, expected.1), "{length} letters, {first} at first");
        }
        firsts.push(expected.0[0]);
    }
    for length in [30_000, 30_001] {
        let text = &"ab".repeat(length)[..length];
        let left = Limit { tokens: 20, truncation: Truncation::Left };
        let all = library.encode(text, true).unwrap().get_ids().to_vec();
        let row = zoo::row(&tokenizer, Part::whole(text), left);
        assert_eq!(row.ids, all[all.len() - 20..], "the end of {length} letters");
    }
    assert!(firsts.contains(&1) && firsts.contains(&3), "both ways occur: {firsts:?}");
}
