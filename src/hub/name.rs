//! Names that come from outside: from the user, the Hub and the cache's own files. Each is checked before it becomes part
//! of a path or a URL, so that none can leave the cache.

use crate::error::{Error, Result, shown};

/// A repository: `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId(String);

impl ModelId {
    /// The rule of huggingface_hub's `validate_repo_id`, with an owner.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`]
    pub fn parse(text: &str) -> Result<Self> {
        let part = |part: &str| {
            (1..=96).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
                && !part.starts_with(['-', '.'])
                && !part.ends_with(['-', '.'])
        };
        let fits = text.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name));
        if fits && !text.contains("--") && !text.contains("..") && !text.ends_with(".git") {
            return Ok(ModelId(text.to_owned()));
        }
        Err(Error::InvalidArgument(format!(
            "Expected \"owner/name\" for a model on the Hub (letters, digits, '-', '_', '.'; no '--', no '..', at most 96 \
             characters each, not ending in '.git') but received {}",
            shown(text)
        )))
    }

    /// `owner/name`
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Owner and name, as they stand in a URL.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The repository's folder in the cache.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("models--{}", self.0.replace('/', "--"))
    }

    /// The repository of a folder in the cache; `None` where the folder is something else.
    #[must_use]
    pub fn of_folder(folder: &str) -> Option<Self> {
        ModelId::parse(&folder.strip_prefix("models--")?.replacen("--", "/", 1)).ok()
    }
}

impl std::fmt::Display for ModelId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A branch, a tag or a commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(String);

impl Revision {
    /// # Errors
    /// [`Error::InvalidArgument`]
    pub fn parse(text: &str) -> Result<Self> {
        match check_path(text) {
            Ok(()) => Ok(Revision(text.to_owned())),
            Err(reason) => Err(Error::InvalidArgument(format!(
                "Expected a branch, a tag or a commit for `revision` but received {}, which {reason}",
                shown(text)
            ))),
        }
    }

    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The commit, where the name is one in full.
    #[must_use]
    pub fn as_commit(&self) -> Option<Commit> {
        Commit::parse(&self.0)
    }
}

impl std::fmt::Display for Revision {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A commit: 40 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Commit(String);

impl Commit {
    /// `None` where the text is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_hex(text, 40).then(|| Commit(text.to_owned()))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Commit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The Hub's hash of a file, which is also the name of its blob in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Etag {
    /// SHA-256 of a large file (LFS, Xet): 64 digits.
    Sha256(String),
    /// Git's hash of a small file: 40 digits.
    Git(String),
}

impl Etag {
    /// Reads a header's value or a file's name; `None` where it is no hash.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
        match digits.len() {
            64 if is_hex(digits, 64) => Some(Etag::Sha256(digits.to_owned())),
            40 if is_hex(digits, 40) => Some(Etag::Git(digits.to_owned())),
            _ => None,
        }
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Etag::Sha256(digits) | Etag::Git(digits) => digits,
        }
    }
}

pub(crate) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a relative path with `/` is safe on every platform; else what is wrong with it.
pub(crate) fn check_path(path: &str) -> std::result::Result<(), &'static str> {
    if path.is_empty() || path.len() > 1024 {
        return Err("is empty or longer than 1,024 bytes");
    }
    path.split('/').try_for_each(check_segment)
}

fn check_segment(segment: &str) -> std::result::Result<(), &'static str> {
    // What Windows reads as a device, whatever the ending.
    const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];
    let stem = segment.split('.').next().unwrap_or("").trim_end().to_ascii_uppercase();
    let numbered = |name: &str| {
        stem.strip_prefix(name).is_some_and(|rest| rest.chars().count() == 1 && rest.contains(|c: char| c.is_numeric()))
    };
    if segment.is_empty() {
        return Err("has an empty part between slashes");
    }
    if segment.len() > 255 {
        return Err("has a part longer than 255 bytes");
    }
    if segment.chars().all(|letter| letter == '.') {
        return Err("has a part of dots only");
    }
    if segment.contains(|letter: char| letter.is_control() || "\\:*?\"<>|".contains(letter)) {
        return Err("has a character that is not allowed in names of files");
    }
    if segment.ends_with(['.', ' ']) || segment.starts_with(' ') {
        return Err("has a part that begins with a space or ends with a dot or a space");
    }
    if DEVICES.contains(&stem.as_str()) || numbered("COM") || numbered("LPT") {
        return Err("has a part that Windows reserves");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_rule_of_the_hub() {
        for good in ["a/b", "BAAI/bge-small-en-v1.5", "sentence-transformers/all-MiniLM-L6-v2", "a_b/c_d"] {
            assert_eq!(ModelId::parse(good).expect(good).as_str(), good);
        }
        let long = format!("a/{}", "b".repeat(97));
        for bad in [
            "", "a", "a/", "/b", "a/b/c", "../b", "a/..", "a--b/c", "a/b.git", "-a/b", "a/b.", "a\\b/c", "a/b\0",
            "ä/b", &long,
        ] {
            assert_eq!(ModelId::parse(bad).expect_err(bad).code(), "ERR_INVALID_ARG", "{bad}");
        }
        let id = ModelId::parse("a/b-c").expect("id");
        assert_eq!(id.folder(), "models--a--b-c");
        assert_eq!(ModelId::of_folder("models--a--b-c"), Some(id));
        assert_eq!(ModelId::of_folder("datasets--a--b"), None);
    }

    #[test]
    fn hashes_are_hexadecimal_and_of_the_right_length() {
        let (git, sha) = ("a".repeat(40), "0".repeat(64));
        assert_eq!(Etag::parse(&format!("W/\"{git}\"")), Some(Etag::Git(git.clone())));
        assert_eq!(Etag::parse(&sha), Some(Etag::Sha256(sha.clone())));
        for bad in ["", "\"\"", &git[1..], &"A".repeat(40), &"g".repeat(64), "../../../../etc/passwd", "abc-2"] {
            assert_eq!(Etag::parse(bad), None, "{bad}");
        }
        assert_eq!(Commit::parse(&git.to_uppercase()), None);
    }

    #[test]
    fn paths_that_leave_or_mean_devices_are_refused() {
        for good in [
            "config.json",
            "onnx/model.onnx",
            "1_Pooling/config.json",
            "refs/pr/1",
            "v1.0",
            ".gitattributes",
            "COM10.txt",
        ] {
            assert_eq!(check_path(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "a//b",
            "..",
            "a/../b",
            "./a",
            "...",
            "a\\b",
            "C:/x",
            "a\0",
            "a\nb",
            "a.",
            "a ",
            "con",
            "NUL.json",
            "x/aux.c",
            "com1",
            "LPT9.txt",
            "COM²",
            "a?b",
            "a*b",
            &"a".repeat(256),
        ] {
            assert!(check_path(bad).is_err(), "{bad}");
        }
    }
}
