//! Files of weights beside a graph, read by us and not by ONNX Runtime.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::spec::NetworkFile;

/// A file of weights in memory, by the name that the graph has for it.
pub(super) type Weights<'graph> = (&'graph str, Arc<[u8]>);

/// The files of weights that may be replaced at any time, whole. ONNX Runtime would map them: who then writes to one changes
/// a model that is in use, and who shortens one ends the process. Files of the cache are never written to and are left to it.
pub(super) fn in_memory(graph: &NetworkFile) -> Result<Vec<Weights<'_>>> {
    if !graph.may_change {
        return Ok(Vec::new());
    }
    let read = |path: &Path| -> std::io::Result<Arc<[u8]>> {
        let mut file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        // One allocation, filled in place: the file may be as large as half of the memory.
        let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, length).collect();
        if let Some(bytes) = Arc::get_mut(&mut bytes) {
            file.read_exact(bytes)?;
        }
        Ok(bytes)
    };
    let files = graph.weights.iter().map(|(name, path)| {
        let bytes = read(path).map_err(|source| Error::unreadable(path, source))?;
        Ok((name.as_str(), bytes))
    });
    files.collect()
}
