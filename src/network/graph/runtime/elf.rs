//! What an ELF library says of itself: the libraries that it needs, by name, and how long its file has to be. Only the few bytes that say
//! so are read: such a library has hundreds of megabytes.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const PROGRAM_LOAD: u32 = 1;
const PROGRAM_DYNAMIC: u32 = 2;
const NEEDED: u64 = 1;
const STRINGS: u64 = 5;
/// Far more than any library has.
const MOST: u64 = 1 << 20;

/// The names of the libraries that a 64-bit little-endian ELF file needs (`DT_NEEDED`), in its order; `None` where it is none such.
pub(super) fn needed(library: &Path) -> Option<Vec<String>> {
    let mut file = File::open(library).ok()?;
    let (_, segments) = header_and_segments(&mut file)?;
    let dynamic = segments.iter().find(|segment| u32_at(segment, 0) == Some(PROGRAM_DYNAMIC))?;
    let entries = bytes(&mut file, u64_at(dynamic, 8)?, u64_at(dynamic, 32)?)?;
    let entries: Vec<(u64, u64)> =
        entries.chunks_exact(16).filter_map(|entry| Some((u64_at(entry, 0)?, u64_at(entry, 8)?))).collect();
    let strings = entries.iter().find(|(tag, _)| *tag == STRINGS)?.1;
    // The table of strings is named by its address in memory; the segment that is loaded there says where it is in the file.
    let in_file = segments.iter().find_map(|segment| {
        let (at, address, length) = (u64_at(segment, 8)?, u64_at(segment, 16)?, u64_at(segment, 32)?);
        let inside = strings.checked_sub(address)?;
        (u32_at(segment, 0)? == PROGRAM_LOAD && inside < length).then(|| at.checked_add(inside)).flatten()
    })?;
    let names = entries.iter().filter(|(tag, _)| *tag == NEEDED).map(|(_, name)| {
        let text = bytes_up_to(&mut file, in_file.checked_add(*name)?, 256)?;
        let end = text.iter().position(|byte| *byte == 0)?;
        String::from_utf8(text[..end].to_vec()).ok()
    });
    names.collect()
}

/// Whether the file has all the bytes that its tables speak of. The system's loader does not look, and ends the process where some are
/// missing. A file of another format has.
pub(in crate::network::graph) fn is_whole(library: &Path) -> bool {
    let Ok(mut file) = File::open(library) else { return true };
    let Ok(length) = file.metadata().map(|found| found.len()) else { return true };
    match bytes_up_to(&mut file, 0, 4) {
        Some(start) if start == b"\x7fELF" => {}
        // The loader says what it thinks of other files, and of empty ones.
        _ => return true,
    }
    let mut ends = || {
        let (header, segments) = header_and_segments(&mut file)?;
        let sections = u64::from(u16_at(&header, 58)?) * u64::from(u16_at(&header, 60)?);
        let mut ends = vec![u64_at(&header, 40)?.checked_add(sections)?];
        for segment in segments.iter().filter(|segment| u32_at(segment, 0) == Some(PROGRAM_LOAD)) {
            ends.push(u64_at(segment, 8)?.checked_add(u64_at(segment, 32)?)?);
        }
        Some(ends)
    };
    ends().is_some_and(|ends| ends.iter().all(|end| *end <= length))
}

/// Program headers, one each.
type Segments = Vec<Vec<u8>>;

/// The header of a 64-bit little-endian file, and its program headers.
fn header_and_segments(file: &mut File) -> Option<(Vec<u8>, Segments)> {
    let header = bytes(file, 0, 64)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (offset, size, count) =
        (u64_at(&header, 32)?, u64::from(u16_at(&header, 54)?), u64::from(u16_at(&header, 56)?));
    let table = bytes(file, offset, size * count)?;
    let size = usize::try_from(size).ok().filter(|size| *size >= 56)?;
    Some((header, table.chunks_exact(size).map(<[u8]>::to_vec).collect()))
}

fn bytes(file: &mut File, at: u64, length: u64) -> Option<Vec<u8>> {
    let found = bytes_up_to(file, at, length)?;
    (found.len() as u64 == length).then_some(found)
}

fn bytes_up_to(file: &mut File, at: u64, length: u64) -> Option<Vec<u8>> {
    if length > MOST {
        return None;
    }
    file.seek(SeekFrom::Start(at)).ok()?;
    let mut found = Vec::new();
    file.take(length).read_to_end(&mut found).ok()?;
    Some(found)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_names_its_libraries() {
        if !cfg!(all(target_os = "linux", target_pointer_width = "64", target_endian = "little")) {
            return;
        }
        let own = std::env::current_exe().expect("this program");
        let names = needed(&own).expect("an ELF file");
        assert!(names.iter().any(|name| name.starts_with("libc.so")), "{names:?}");
    }

    #[test]
    fn a_cut_file_is_not_whole() {
        if !cfg!(all(target_os = "linux", target_pointer_width = "64", target_endian = "little")) {
            return;
        }
        let own = std::env::current_exe().expect("this program");
        assert!(is_whole(&own));
        let whole = std::fs::read(&own).expect("its bytes");
        let cut = std::env::temp_dir().join(format!("vecrank-cut-{}", std::process::id()));
        for length in [whole.len() - 1, whole.len() / 2, 4096, 63, 4] {
            std::fs::write(&cut, &whole[..length]).expect("a file");
            assert!(!is_whole(&cut), "{length} bytes");
        }
        let _ = std::fs::remove_file(&cut);
        assert!(is_whole(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))));
    }

    #[test]
    fn what_is_no_elf_file_names_none() {
        assert_eq!(needed(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))), None);
        assert_eq!(needed(Path::new("/nowhere")), None);
    }
}
