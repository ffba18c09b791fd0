//! What lies in a file's place when a copy or download went wrong: a pointer of Git LFS, a web page, nothing. Looked at only
//! once a file has turned out not to be what it should be.

use std::io::Read;
use std::path::Path;

use crate::error::{Error, shown};

/// Enough for a pointer, and for the beginning of a page.
const HEAD_BYTES: u64 = 512;

/// What `bytes`, the beginning of `file` at least, are instead of the file; `None` where they are nothing that is known.
#[must_use]
pub fn impostor(file: &str, bytes: &[u8]) -> Option<Error> {
    if bytes.is_empty() {
        return Some(Error::invalid_model(format!("{file} is empty. Copy or download the file again")));
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(usize::try_from(HEAD_BYTES).unwrap_or(0))]);
    let head = head.trim_start_matches('\u{feff}').trim_start();
    if head.starts_with("version https://git-lfs.github.com/spec/") {
        let size = head.lines().find_map(|line| line.strip_prefix("size ")).map(str::trim);
        let size = size.filter(|size| size.len() < 20 && size.bytes().all(|byte| byte.is_ascii_digit()));
        return Some(Error::invalid_model(format!(
            "{file} is a Git LFS pointer and not the file itself{}. Run `git lfs install` and `git lfs pull` in the clone that \
             the folder comes from",
            size.map_or_else(String::new, |size| format!(", which has {size} bytes")),
        )));
    }
    if head.starts_with('<') {
        let beginning: String = head.chars().take(40).collect();
        return Some(Error::invalid_model(format!(
            "{file} is a web page (it begins with {}), such as a server sends with an error or before a login. Download the \
             file again",
            shown(&beginning)
        )));
    }
    None
}

/// As [`impostor`], of the file at `path`.
#[must_use]
pub fn impostor_at(file: &str, path: &Path) -> Option<Error> {
    let mut head = Vec::new();
    std::fs::File::open(path).ok()?.take(HEAD_BYTES).read_to_end(&mut head).ok()?;
    impostor(file, &head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_pages_and_nothing_are_told_from_files() {
        let said = |bytes: &[u8]| impostor("a.bin", bytes).map(|error| error.to_string());
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 90868376\n";
        assert!(said(pointer).is_some_and(|text| text.contains("git lfs pull") && text.contains("90868376")));
        assert!(said(b"\xef\xbb\xbf\n<!DOCTYPE html>").is_some_and(|text| text.contains("web page")));
        assert!(said(b"<?xml version=\"1.0\"?><Error>").is_some_and(|text| text.contains("web page")));
        assert!(said(b"").is_some_and(|text| text.contains("empty")));
        assert_eq!(said(b"{\"a\": \"<html>\"}"), None);
        assert_eq!(said(&[8, 8, 18, 7]), None);
    }
}
