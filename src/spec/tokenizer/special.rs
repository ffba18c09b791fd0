//! Special tokens by name, as the tokenizer's class knows them: those that `tokenizer_config.json` names, else the class's own
//! (the defaults of each `__init__` in transformers 5.23). `null` means that there is none.

use std::collections::BTreeMap;

use super::class::Class;
use super::parts::token_name;
use crate::files::Object;

/// The names.
pub(crate) const SPECIAL_TOKENS: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The tokens that there are.
pub(super) fn named_tokens(config: &Object, class: Option<Class>) -> BTreeMap<String, String> {
    let token = |name: &'static str| {
        let own = || class.and_then(|class| default(class, name));
        let token = if config.has(name) { token_name(config, name) } else { own() };
        token.map(|token| (name.to_owned(), token.to_owned()))
    };
    SPECIAL_TOKENS.into_iter().filter_map(token).collect()
}

fn default(class: Class, name: &str) -> Option<&'static str> {
    // Beginning, end, unknown, separator, padding, class, mask.
    let tokens = match class {
        Class::Bert => ["", "", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"],
        Class::MpNet => ["<s>", "</s>", "[UNK]", "</s>", "<pad>", "<s>", "<mask>"],
        Class::Roberta | Class::XlmRoberta | Class::Camembert => {
            ["<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"]
        }
        Class::Gpt2 => ["<|endoftext|>", "<|endoftext|>", "<|endoftext|>", "", "", "", ""],
        Class::Deberta | Class::DebertaV2 => ["[CLS]", "[SEP]", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"],
        Class::T5 => ["", "</s>", "<unk>", "", "<pad>", "", ""],
        Class::Albert => ["[CLS]", "[SEP]", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"],
        Class::Gemma => ["<bos>", "<eos>", "<unk>", "", "<pad>", "", "<mask>"],
        Class::Llama => ["<s>", "</s>", "<unk>", "", "", "", ""],
        Class::Qwen2 | Class::Qwen35 => ["", "<|endoftext|>", "<|endoftext|>", "", "<|endoftext|>", "", ""],
    };
    let at = SPECIAL_TOKENS.iter().position(|known| *known == name)?;
    Some(tokens[at]).filter(|token| !token.is_empty())
}
