//! Which files an ONNX graph keeps its weights in, read from the graph itself. Only the wire format of protobuf is walked
//! (`ModelProto.graph.initializer`, fields of onnx.proto), and what is long is skipped on the disk: a graph of gigabytes takes
//! a few milliseconds. What cannot be read here is left to ONNX Runtime to refuse.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Longest key or value of an entry that is read. Real ones are names of files and numbers.
const MAX_TEXT: u64 = 4096;

/// The files that the graph at `path` names as places of its weights, relative to its folder, with the bytes that each must
/// have at least.
pub(super) fn external(path: &Path) -> BTreeMap<String, u64> {
    let mut files = BTreeMap::new();
    let walked = File::open(path).and_then(|file| {
        let length = file.metadata()?.len();
        let mut model = Message { input: BufReader::new(file), left: length };
        while let Some(field) = model.next()? {
            match field {
                // ModelProto.graph
                Field { number: 7, wire: Wire::Bytes(length) } => graph(&mut model, length, &mut files)?,
                field => model.skip(&field)?,
            }
        }
        Ok(())
    });
    // A damaged file: what was found before is as good as nothing, and the network's loader says more.
    walked.map(|()| files).unwrap_or_default()
}

fn graph(outer: &mut Message, length: u64, files: &mut BTreeMap<String, u64>) -> std::io::Result<()> {
    outer.inside(length, |graph| {
        while let Some(field) = graph.next()? {
            match field {
                // GraphProto.initializer
                Field { number: 5, wire: Wire::Bytes(length) } => {
                    graph.inside(length, |tensor| weights(tensor, files))?
                }
                field => graph.skip(&field)?,
            }
        }
        Ok(())
    })
}

/// A `TensorProto`: its `external_data` are entries of key and value.
fn weights(tensor: &mut Message, files: &mut BTreeMap<String, u64>) -> std::io::Result<()> {
    let mut entries = BTreeMap::new();
    while let Some(field) = tensor.next()? {
        match field {
            Field { number: 13, wire: Wire::Bytes(length) } => tensor.inside(length, |entry| {
                let (mut key, mut value) = (String::new(), String::new());
                while let Some(field) = entry.next()? {
                    match field {
                        Field { number: 1, wire: Wire::Bytes(length) } => key = entry.text(length)?,
                        Field { number: 2, wire: Wire::Bytes(length) } => value = entry.text(length)?,
                        field => entry.skip(&field)?,
                    }
                }
                entries.insert(key, value);
                Ok(())
            })?,
            field => tensor.skip(&field)?,
        }
    }
    if let Some(location) = entries.remove("location") {
        let number = |key: &str| entries.get(key).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let end = number("offset").saturating_add(number("length"));
        let needed = files.entry(location).or_insert(0);
        *needed = end.max(*needed);
    }
    Ok(())
}

/// A message whose fields are read one after the other.
struct Message {
    input: BufReader<File>,
    /// Bytes to its end.
    left: u64,
}

struct Field {
    number: u64,
    wire: Wire,
}

enum Wire {
    Number,
    /// So many bytes follow.
    Bytes(u64),
}

fn malformed() -> std::io::Error {
    std::io::ErrorKind::InvalidData.into()
}

impl Message {
    fn next(&mut self) -> std::io::Result<Option<Field>> {
        if self.left == 0 {
            return Ok(None);
        }
        let tag = self.number()?;
        let wire = match tag & 7 {
            0 => {
                self.number()?;
                Wire::Number
            }
            1 => Wire::Bytes(8),
            2 => Wire::Bytes(self.number()?),
            5 => Wire::Bytes(4),
            _ => return Err(malformed()),
        };
        Ok(Some(Field { number: tag >> 3, wire }))
    }

    fn number(&mut self) -> std::io::Result<u64> {
        let mut number = 0;
        for place in 0..10 {
            let mut byte = [0];
            self.input.read_exact(&mut byte)?;
            self.left = self.left.checked_sub(1).ok_or_else(malformed)?;
            number |= u64::from(byte[0] & 0x7f) << (7 * place);
            if byte[0] < 0x80 {
                return Ok(number);
            }
        }
        Err(malformed())
    }

    fn skip(&mut self, field: &Field) -> std::io::Result<()> {
        let Wire::Bytes(length) = field.wire else { return Ok(()) };
        self.take(length)?;
        self.input.seek_relative(i64::try_from(length).map_err(|_| malformed())?)
    }

    fn take(&mut self, length: u64) -> std::io::Result<()> {
        self.left = self.left.checked_sub(length).ok_or_else(malformed)?;
        Ok(())
    }

    fn text(&mut self, length: u64) -> std::io::Result<String> {
        self.take(length)?;
        if length > MAX_TEXT {
            return Err(malformed());
        }
        let mut bytes = Vec::new();
        (&mut self.input).take(length).read_to_end(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| malformed())
    }

    /// Reads the message that the next `length` bytes are.
    fn inside(&mut self, length: u64, read: impl FnOnce(&mut Message) -> std::io::Result<()>) -> std::io::Result<()> {
        self.take(length)?;
        let after = std::mem::replace(&mut self.left, length);
        let result = read(self);
        self.left = after;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
    }

    #[test]
    fn a_graph_names_the_files_of_its_weights() {
        // 16,368 bytes is the size of the file that `onnx` wrote.
        let found = external(&fixture("extra/onnx-external-data/onnx/model.onnx"));
        assert_eq!(found, BTreeMap::from([("model.onnx_data".to_owned(), 16_368)]));
        assert!(external(&fixture("zoo/bert-mean/onnx/model.onnx")).is_empty());
    }

    #[test]
    fn what_is_no_graph_names_nothing() {
        assert!(external(&fixture("zoo/bert-mean/tokenizer.json")).is_empty());
        assert!(external(&fixture("zoo/bert-mean")).is_empty());
        assert!(external(&fixture("none")).is_empty());
    }
}
