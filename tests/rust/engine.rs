//! The whole way of a call in plain Rust: many threads on one session, equal rows, cancelled and broken calls.
//! Needs ONNX Runtime's library (`npm run build` puts it into the root).

use super::zoo;

use std::sync::Arc;

use vecrank::engine::{Answer, Engine, Rows, Ticket};
use vecrank::head::OutputData;
use vecrank::network::graph;
use vecrank::options::{EmbedOptions, LoadOptions, Product};
use vecrank::products::embedder::{Embeddings, embed};
use vecrank::registry::{Holding, Origin};
use vecrank::reply::pair;
use vecrank::tokenizer::Part;
use vecrank::{Error, registry};
use zoo::Random;

/// Says where ONNX Runtime is.
pub fn set_library() {
    let library = if cfg!(target_os = "macos") {
        "libvecrank-onnxruntime.dylib"
    } else if cfg!(windows) {
        "vecrank-onnxruntime.dll"
    } else {
        "libvecrank-onnxruntime.so.1"
    };
    let library = std::env::var_os("VECRANK_ONNXRUNTIME").map_or_else(|| zoo::root().join(library), Into::into);
    assert!(library.exists(), "{} is missing: run `npm run build` first", library.display());
    graph::set_library(&library);
}

fn load(name: &str, threads: usize) -> Arc<Engine> {
    set_library();
    let options = LoadOptions {
        threads,
        ..LoadOptions::new(Product::Embedder, zoo::root().join("tests/fixtures/zoo").join(name))
    };
    Arc::new(Engine::load(options).unwrap())
}

fn call(engine: &Arc<Engine>, texts: &[String], ticket: Ticket) -> Result<Embeddings, Error> {
    let (reply, wait) = pair();
    embed(
        engine,
        texts.iter().map(|text| Part::whole(text.as_str())).collect(),
        EmbedOptions::default(),
        ticket,
        Rows { list: "texts".into(), first: Some(0) },
        reply,
    );
    match wait()? {
        Answer::Done(embeddings) => Ok(embeddings),
        Answer::Short(_) => panic!("whole texts were called short"),
    }
}

fn floats(embeddings: Embeddings) -> Vec<f32> {
    match embeddings.data {
        OutputData::Float32(data) => data,
        _ => panic!("expected floats"),
    }
}

fn texts(random: &mut Random, count: usize) -> Vec<String> {
    let words = ["river", "the", "of", "quick", "Berlin", "is", "a", "capital", "?", "bank", "and", "123"];
    (0..count).map(|_| (0..random.below(40)).map(|_| *random.pick(&words)).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn many_threads_share_one_session() {
    let engine = load("bert-mean", 8);
    let mut random = Random(7);
    let texts = texts(&mut random, 64);
    let alone: Vec<Vec<f32>> = texts
        .iter()
        .map(|text| floats(call(&engine, std::slice::from_ref(text), Ticket::default()).unwrap()))
        .collect();
    std::thread::scope(|scope| {
        for worker in 0..8_u64 {
            let (engine, texts, alone) = (&engine, &texts, &alone);
            scope.spawn(move || {
                let mut random = Random(100 + worker);
                for _ in 0..40 {
                    let rows: Vec<usize> = (0..1 + random.below(40)).map(|_| random.below(texts.len())).collect();
                    let some: Vec<String> = rows.iter().map(|row| texts[*row].clone()).collect();
                    let found = floats(call(engine, &some, Ticket::default()).unwrap());
                    let width = found.len() / rows.len();
                    for (at, row) in rows.iter().enumerate() {
                        for (a, b) in found[at * width..][..width].iter().zip(&alone[*row]) {
                            assert!((a - b).abs() < 1e-5, "a row in a batch differs from the lone row");
                        }
                    }
                }
            });
        }
    });
}

#[test]
fn a_cancelled_call_is_answered() {
    let engine = load("bert-mean", 1);
    let ticket = Ticket::default();
    ticket.cancel();
    assert!(matches!(call(&engine, &["text".to_owned()], ticket), Err(Error::Cancelled)));
    call(&engine, &["text".to_owned()], Ticket::default()).unwrap();
}

#[test]
fn an_empty_text_and_no_texts_work() {
    let engine = load("bert-mean", 1);
    let width = floats(call(&engine, &[String::new()], Ticket::default()).unwrap()).len();
    assert_eq!(width, 32);
    assert!(floats(call(&engine, &[], Ticket::default()).unwrap()).is_empty());
    // This tokenizer adds nothing, so an empty text has no token at all: a zero vector, as in the reference's batches.
    let engine = load("../extra/include-prompt-false-no-special", 1);
    let nothing = floats(call(&engine, &[String::new()], Ticket::default()).unwrap());
    assert!(!nothing.is_empty() && nothing.iter().all(|number| *number == 0.0));
}

#[test]
fn equal_options_share_one_model() {
    load("bert-cls", 1);
    let origin = Origin::Folder(zoo::root().join("tests/fixtures/zoo/bert-cls"));
    let options = LoadOptions::new(Product::Embedder, "");
    let waits: Vec<_> = (0..50)
        .map(|_| {
            let (reply, wait) = pair();
            registry::get_or_load(origin.clone(), options.clone(), Arc::default(), reply);
            wait
        })
        .collect();
    let holdings: Vec<Arc<Holding>> = waits.into_iter().map(|wait| wait().unwrap().holding).collect();
    assert!(holdings.iter().all(|holding| Arc::ptr_eq(holding, &holdings[0])));
    let (freed, call) = (Arc::downgrade(&holdings[0]), holdings[0].engine.clone());
    drop(holdings);
    assert!(freed.upgrade().is_none(), "the registry keeps the model alive");
    // A call that is still under way keeps its model, and shares it with nobody new.
    let (reply, wait) = pair();
    registry::get_or_load(origin, options, Arc::default(), reply);
    assert!(!Arc::ptr_eq(&wait().unwrap().holding.engine, &call));
}

#[test]
fn a_failed_load_reaches_every_waiter_and_is_forgotten() {
    load("bert-mean", 1);
    let origin = Origin::Folder(zoo::root().join("tests/fixtures/zoo/no-such-model"));
    let options = LoadOptions::new(Product::Embedder, "");
    for _ in 0..3 {
        let (first, wait_first) = pair();
        let (second, wait_second) = pair();
        registry::get_or_load(origin.clone(), options.clone(), Arc::default(), first);
        registry::get_or_load(origin.clone(), options.clone(), Arc::default(), second);
        for error in [wait_first().unwrap_err(), wait_second().unwrap_err()] {
            assert_eq!(error.code(), "ERR_MODEL_NOT_FOUND");
        }
    }
}
