//! The card of a model (`README.md`): the repository that it was made from.
//!
//! Conversions to ONNX often lack the small files of sentence-transformers that say how to pool. Their card names the
//! repository that has them, in the YAML at its top: `base_model: BAAI/bge-small-en-v1.5`.

use super::name::ModelId;
use super::presence::Presence;
use super::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::files::Source;

const MAX_CARD: usize = 4 << 20;

/// What is known of a model's base.
pub(super) enum Base {
    /// It has none, or one that lends nothing.
    None,
    Named(ModelId),
    /// One whose files could not be read when they were last asked for.
    Hidden(ModelId),
    /// The card is not in the cache, and the network may not be used.
    Unread,
}

/// The one base of a model that has no `modules.json`. Of several nobody can say which one's files hold.
pub(super) fn base(snapshot: &Snapshot) -> Result<Base> {
    if snapshot.has("modules.json")? {
        return Ok(Base::None);
    }
    // Where the Hub does not answer a `refresh`, the answer of before is better than none. A lock file has its own.
    let is_asked_anew = snapshot.request.refresh && !snapshot.request.settings.offline && !snapshot.network.is_silent();
    if let (false, Ok(noted)) = (is_asked_anew || snapshot.is_locked(), std::fs::read_to_string(note(snapshot))) {
        return Ok(ModelId::parse(&noted).map_or(Base::None, Base::Hidden));
    }
    if snapshot.request.settings.offline && !snapshot.is_locked() {
        match snapshot.presence("README.md") {
            Presence::Missing => return Ok(Base::Unread),
            // Where it is not known either whether there is a `modules.json`, that is said.
            Presence::Unknown if !snapshot.state().unknown.contains("modules.json") => return Ok(Base::Unread),
            _ => {}
        }
    }
    let Some(card) = snapshot.locate("README.md")? else { return Ok(Base::None) };
    let bytes = std::fs::read(&card).map_err(|source| Error::unreadable(&card, source))?;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_CARD)]);
    let declared = declared(&text);
    Ok(match declared.as_slice() {
        [one] => ModelId::parse(one).ok().filter(|id| *id != snapshot.request.id).map_or(Base::None, Base::Named),
        _ => Base::None,
    })
}

/// Notes that the base lends nothing, or which one is `hidden`, so that it is not asked for again with each load: a cached
/// model makes no request, and gives the same vectors without a network.
pub(super) fn note_useless(snapshot: &Snapshot, hidden: Option<&ModelId>) {
    let hidden = hidden.map_or("", ModelId::as_str);
    drop(snapshot.repository.write(&note(snapshot), hidden.as_bytes()));
}

/// The base does lend: what was noted before does not hold any more.
pub(super) fn note_useful(snapshot: &Snapshot) {
    drop(std::fs::remove_file(note(snapshot)));
}

fn note(snapshot: &Snapshot) -> std::path::PathBuf {
    snapshot.repository.stamps().join("no-base").join(snapshot.commit.as_str())
}

/// The values of `base_model` in the YAML between two lines of `---`.
fn declared(card: &str) -> Vec<String> {
    let mut lines = card.trim_start_matches('\u{feff}').lines();
    if lines.next().map(str::trim_end) != Some("---") {
        return Vec::new();
    }
    let mut lines =
        lines.take_while(|line| line.trim_end() != "---").skip_while(|line| !line.starts_with("base_model:"));
    let Some(first) = lines.next() else { return Vec::new() };
    let inline = without_comment(first.trim_start_matches("base_model:")).trim();
    let items: Vec<&str> = match inline.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(list) => list.split(',').collect(),
        None if !inline.is_empty() => vec![inline],
        None => lines.map_while(|line| line.trim_start().strip_prefix('-')).map(without_comment).collect(),
    };
    items.iter().map(|item| item.trim().trim_matches(['"', '\'']).to_owned()).filter(|item| !item.is_empty()).collect()
}

fn without_comment(text: &str) -> &str {
    text.split(" #").next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::declared;

    #[test]
    fn every_form_of_the_yaml_is_read() {
        let card = |yaml: &str| declared(&format!("---\nlicense: mit\n{yaml}\ntags:\n- x\n---\nbase_model: a/no\n"));
        assert_eq!(card("base_model: a/b"), ["a/b"]);
        assert_eq!(card("base_model: \"a/b\" # the original"), ["a/b"]);
        assert_eq!(card("base_model:\n- a/b"), ["a/b"]);
        assert_eq!(card("base_model:\n  - a/b\n  - 'c/d'"), ["a/b", "c/d"]);
        assert_eq!(card("base_model: [a/b, c/d]"), ["a/b", "c/d"]);
        assert!(card("base_model_relation: quantized").is_empty());
        assert!(declared("# A model\nbase_model: a/b").is_empty());
        assert_eq!(declared("---\r\nbase_model: a/b\r\n---\r\n"), ["a/b"]);
    }
}
