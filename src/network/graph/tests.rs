//! A graph on a device that is measured and takes one run at a time, as a GPU does. The device is the CPU under another description, as
//! no machine that builds this has a GPU. Needs ONNX Runtime's library (`npm run build` puts it into the root).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ort::session::builder::SessionBuilder;

use super::provider::{Provider, RunTokens, cpu};
use super::{Graph, set_library};
use crate::files::ModelFolder;
use crate::network::{Network, Placement, RunOutput};
use crate::options::{LoadOptions, Product};
use crate::spec::NetworkFile;
use crate::tokenizer::TokenRow;

/// The CPU, as a device of its own.
#[derive(Debug)]
struct Device;

impl Provider for Device {
    fn name(&self) -> String {
        cpu().name()
    }

    fn prepare(&self) -> Result<(), String> {
        Ok(())
    }

    fn register(&self, builder: SessionBuilder, graph: Option<&NetworkFile>) -> ort::Result<SessionBuilder> {
        cpu().register(builder, graph)
    }

    fn run_tokens(&self) -> RunTokens {
        RunTokens::Measured
    }
}

fn load(provider: Arc<dyn Provider>) -> Graph {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let file = ["libvecrank-onnxruntime.so.1", "libvecrank-onnxruntime.dylib", "vecrank-onnxruntime.dll"]
        .map(|name| root.join(name))
        .into_iter()
        .find(|library| library.exists());
    let named = std::env::var_os("VECRANK_ONNXRUNTIME").map(PathBuf::from).or(file);
    set_library(&named.expect("ONNX Runtime's library: run `npm run build` first"));
    let folder = root.join("tests/fixtures/zoo/bert-mean");
    let options = LoadOptions::new(Product::Embedder, folder.clone());
    let folder = ModelFolder::open(Path::new(&folder)).expect("a folder");
    let spec = Network::spec(&folder, &options, &Placement::cpu()).expect("a model");
    let choice = spec.choices.last().expect("a file");
    Graph::load(&spec, &choice.fetch(&folder).expect("a file"), provider).expect("a graph")
}

fn vectors(graph: &Graph, rows: &[&TokenRow]) -> Vec<Vec<f32>> {
    let mut found = Vec::new();
    let mut read = |output: &RunOutput<'_>| {
        let RunOutput::Tokens(tokens) = output else { panic!("not tokens") };
        found.extend((0..rows.len()).map(|row| tokens.row(row).iter().copied().collect::<Vec<f32>>()));
        Ok(())
    };
    graph.run(rows, &mut read).expect("a run");
    found
}

#[test]
fn a_device_is_measured_and_gives_the_rows_of_the_cpu() {
    let (device, plain) = (load(Arc::new(Device)), load(cpu()));
    // The least that is tried, or more; never nothing.
    device.try_out(64).expect("a run");
    assert!(device.fits(64, 4) && device.fits(1, 256));
    assert!(plain.fits(64, 4) && !plain.fits(64, 5));
    assert_eq!((plain.runs_at_once(), plain.packs()), (None, false));
    assert_eq!((device.runs_at_once(), device.packs()), (Some(2), true));

    let rows: Vec<TokenRow> = (1..60_u32)
        .map(|length| {
            let ids: Vec<u32> = (0..length % 17 + 1).map(|at| 5 + (length * 31 + at * 7) % 900).collect();
            TokenRow { type_ids: vec![0; ids.len()], ids, truncated: false, unseen: 0 }
        })
        .collect();
    let rows: Vec<&TokenRow> = rows.iter().collect();
    let expected: Vec<Vec<f32>> = rows.iter().flat_map(|row| vectors(&plain, &[row])).collect();
    let found = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| vectors(&device, &rows))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).collect::<Vec<_>>()
    });
    for vectors in found {
        for (row, expected) in vectors.iter().zip(&expected) {
            assert_eq!(row.len(), expected.len());
            assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4));
        }
    }
}
