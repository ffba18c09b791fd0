//! Tokens have the places that the library gives them, however long the text is.

use super::{handover, long_text, zoo};

use std::time::{Duration, Instant};

use handover::{altered, text, tokenizers};
use vecrank::tokenizer::{PlacedToken, Tokenizer};
use zoo::Random;

type Placed = Vec<(u32, usize, usize)>;

fn read(tokenizer: &Tokenizer, text: &str) -> Vec<PlacedToken> {
    let mut reader = tokenizer.placed(text.to_owned());
    let mut found = Vec::new();
    while !reader.is_over() {
        tokenizer.read_placed(&mut reader, &mut found).unwrap();
        assert_eq!(reader.text(), text);
    }
    found
}

fn places(tokens: &[PlacedToken]) -> Placed {
    tokens.iter().map(|token| (token.id, token.start, token.end)).collect()
}

/// As Python has them, which counts characters: from the whole text at once.
fn expected(library: &tokenizers::Tokenizer, text: &str) -> Placed {
    let bytes: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let tokens = library.encode_char_offsets(text, true).unwrap();
    let rows = tokens.get_ids().iter().zip(tokens.get_offsets()).zip(tokens.get_special_tokens_mask());
    rows.filter(|(_, special)| **special == 0)
        .map(|((id, (start, end)), _)| (*id, bytes[*start], bytes[*end]))
        .collect()
}

fn check(name: &str, tokenizer: &Tokenizer, library: &tokenizers::Tokenizer, text: &str) -> usize {
    let (found, expected) = (places(&read(tokenizer, text)), expected(library, text));
    if let Some(at) = found.iter().zip(&expected).position(|(found, expected)| found != expected) {
        panic!("{name}: token {at} is {:?} and should be {:?}, of {} bytes", found[at], expected[at], text.len());
    }
    assert_eq!(found.len(), expected.len(), "{name}");
    found.len()
}

#[test]
fn places_are_the_librarys() {
    let mut random = Random(0x91ACE);
    let tokenizers = tokenizers();
    for round in 0..1500 {
        let (name, tokenizer, library) = &tokenizers[round % tokenizers.len()];
        check(name, tokenizer, library, &text(&mut random));
    }
}

#[test]
fn long_texts_have_the_places_of_the_whole() {
    let mut random = Random(0xFA2);
    let tokenizers = tokenizers();
    let mut tokens = 0;
    for round in 0..4 * tokenizers.len() {
        let (name, tokenizer, library) = &tokenizers[round % tokenizers.len()];
        tokens += check(name, tokenizer, library, &long_text::long_text(&mut random));
    }
    assert!(tokens > 100_000, "only {tokens} tokens were compared");
}

#[test]
fn blanks_stay_out_of_places_as_the_post_processor_says() {
    let mut random = Random(0x7217);
    for (trims, prefixed) in [(true, true), (true, false), (false, true), (false, false)] {
        for twice in [false, true] {
            let (tokenizer, library) = altered("zoo/qwen3-lasttoken", |json| {
                let bytes = serde_json::json!({
                    "type": "ByteLevel", "add_prefix_space": prefixed, "trim_offsets": trims, "use_regex": true
                });
                json["pre_tokenizer"] = bytes.clone();
                let again = if twice { vec![bytes.clone(), bytes.clone()] } else { vec![bytes.clone()] };
                json["post_processor"] = serde_json::json!({ "type": "Sequence", "processors": again });
            });
            for _ in 0..100 {
                let text = format!("{}{}", " ".repeat(random.below(3)), text(&mut random));
                check(&format!("trims {trims}, prefixed {prefixed}, twice {twice}"), &tokenizer, &library, &text);
            }
        }
    }
}

/// No step may take long, and what gives no tokens is passed over.
#[test]
fn a_long_stretch_is_passed_over_and_its_token_covers_it() {
    for (name, tokenizer, library) in tokenizers() {
        for piece in ["a", " ", "\u{3000}\n"] {
            let around = |count: usize| format!("river {} bank and the other side", piece.repeat(count));
            let (short, long) = (around(20_000), around(4 << 20));
            let (start, mut longest) = (Instant::now(), Duration::ZERO);
            let mut reader = tokenizer.placed(long.clone());
            let mut found = Vec::new();
            let mut outcome = Ok(());
            while !reader.is_over() && outcome.is_ok() && found.len() < 1_000_000 {
                let step = Instant::now();
                outcome = tokenizer.read_placed(&mut reader, &mut found);
                longest = longest.max(step.elapsed());
            }
            assert!(longest < Duration::from_millis(400), "{name}: a step of {longest:?}");
            if outcome.is_err() {
                continue;
            }
            let of_short = expected(&library, &short);
            // Some have a token for every few of these letters.
            if of_short.len() > 100 {
                continue;
            }
            assert!(start.elapsed() < Duration::from_secs(5), "{name}: {:?}", start.elapsed());
            let more = long.len() - short.len();
            let moved = |at: usize| if at > "river ".len() + piece.len() { at + more } else { at };
            let of_long: Placed = of_short.iter().map(|(id, start, end)| (*id, moved(*start), moved(*end))).collect();
            assert_eq!(places(&found), of_long, "{name}: {piece:?}");
        }
    }
}

/// What continues a word, by the golden files of transformers.
#[test]
fn words_are_the_reference() {
    let mut compared = 0;
    for (folder, golden) in zoo::repositories_in(&["tests/fixtures/zoo", "tests/fixtures/beyond"], "token-classifier") {
        let name = zoo::name(&folder);
        let tokenizer = zoo::tokenizer(&zoo::spec(&folder, vecrank::options::Product::TokenClassifier));
        let texts = golden["texts"].as_array().unwrap();
        for (text, tokens) in texts.iter().zip(golden["tokens"].as_array().unwrap()) {
            let text = text["text"].as_str().unwrap();
            let bytes: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let numbers = |key: &str| -> Vec<usize> {
                let list = tokens[key].as_array().into_iter().flatten();
                list.map(|number| number.as_u64().map_or(usize::from(number == true), |n| usize::try_from(n).unwrap()))
                    .collect()
            };
            let [ids, special, continues] = ["input_ids", "special_tokens_mask", "is_subword"].map(numbers);
            let offsets = tokens["offsets_code_points"].as_array().unwrap();
            let found = read(&tokenizer, text);
            let own = (0..ids.len()).filter(|at| special[*at] == 0);
            for (found, at) in found.iter().zip(own) {
                let place = |side: usize| bytes[usize::try_from(offsets[at][side].as_u64().unwrap()).unwrap()];
                assert_eq!(
                    (found.id as usize, found.start, found.end),
                    (ids[at], place(0), place(1)),
                    "{name}: {text:?}"
                );
                if !continues.is_empty() {
                    assert_eq!(usize::from(found.continues), continues[at], "{name}: {text:?}, token {at}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 500, "only {compared} tokens were compared");
}

/// Blanks that an added token takes belong to it, unless the post-processor leaves blanks out; also where a long text is read word by word.
#[test]
fn an_added_token_has_the_blanks_that_it_takes() {
    let added = |json: &mut serde_json::Value, trims: bool| {
        let count = json["model"]["vocab"]
            .as_object()
            .map_or_else(|| json["model"]["vocab"].as_array().unwrap().len(), serde_json::Map::len);
        let id = json["added_tokens"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|token| token["id"].as_u64())
            .max()
            .unwrap_or(0)
            .max(count as u64)
            + 1;
        json["added_tokens"].as_array_mut().unwrap().push(serde_json::json!({
            "id": id, "content": "<taker>", "lstrip": true, "rstrip": false, "single_word": false, "normalized": false, "special": true
        }));
        if trims {
            json["post_processor"] = serde_json::json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
        }
    };
    for (folder, trims) in [
        ("zoo/qwen3-lasttoken", true),
        ("zoo/qwen3-lasttoken", false),
        ("zoo/xlmr-mean-prefix", false),
        ("zoo/bert-mean", false),
    ] {
        let (tokenizer, library) = altered(folder, |json| added(json, trims));
        for text in ["a   <taker> b", "a <taker>", "<taker> a", "  <taker><taker>  <taker>", "a\n\n<taker>\tb"] {
            check(&format!("{folder}, trims {trims}, {text:?}"), &tokenizer, &library, text);
        }
        for blanks in ["", " ", "   ", "\n \n", &" ".repeat(600), &" ".repeat(3000)] {
            let text = format!("{}{blanks}<taker> end, {blanks}<take none", "word ".repeat(6000));
            check(&format!("{folder}, trims {trims}, long, {} blanks", blanks.len()), &tokenizer, &library, &text);
        }
    }
}
