//! The encoder, through the whole way of a call: what it computes, and what it says of files that are not as they should be.

mod batches;
mod copies;
mod golden;
mod hostile;
mod levels;
mod names;
mod vocabulary;

use std::path::PathBuf;
use std::sync::Arc;

use super::zoo;

use vecrank::Error;
use vecrank::engine::{Answer, Engine, Rows, Ticket};
use vecrank::head::OutputData;
use vecrank::options::{DType, EmbedOptions, EngineOption, LoadOptions, Product, Prompt, ScoreOptions};
use vecrank::products::embedder::{Embeddings, embed};
use vecrank::products::network::forward;
use vecrank::products::reranker::score;
use vecrank::reply::pair;
use vecrank::tokenizer::{Part, TokenRow};

/// A repository with weights in safetensors, and what torch computes from them.
struct Repository {
    name: String,
    folder: PathBuf,
    golden: serde_json::Value,
}

impl Repository {
    fn product(&self) -> Product {
        match self.golden["kind"].as_str() {
            Some("reranker") => Product::Reranker,
            Some("token-classifier") => Product::TokenClassifier,
            _ => Product::Embedder,
        }
    }

    fn is_refused(&self) -> bool {
        self.golden["refused"] == true
    }

    fn load(&self, dtype: DType) -> Arc<Engine> {
        load(&self.folder, self.product(), dtype, 2).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// The run of the golden file that has no prompt and no activation.
    fn run(&self) -> &serde_json::Value {
        let wanted = if self.product() == Product::Embedder { "encode" } else { "logits" };
        self.golden["runs"].as_array().unwrap().iter().find(|run| run["id"] == wanted).unwrap()
    }

    /// What torch gives for each text or pair; `None` where it gives an error.
    fn expected(&self) -> Vec<Option<Vec<f32>>> {
        self.run()["single"].as_array().unwrap().iter().map(numbers).collect()
    }

    fn texts(&self) -> Vec<String> {
        let texts = self.golden["texts"].as_array().unwrap();
        texts.iter().map(|text| text["text"].as_str().unwrap().to_owned()).collect()
    }

    fn pairs(&self) -> Vec<[String; 2]> {
        let pairs = self.golden["pairs"].as_array().unwrap();
        pairs.iter().map(|pair| ["query", "document"].map(|part| pair[part].as_str().unwrap().to_owned())).collect()
    }

    fn prompt(&self) -> Prompt {
        Prompt::Text(self.run()["prompt"].as_str().unwrap_or("").to_owned())
    }

    /// How many texts or pairs there are.
    fn rows(&self) -> usize {
        self.golden["texts"].as_array().or_else(|| self.golden["pairs"].as_array()).unwrap().len()
    }

    /// The tokens of a text, as the golden file has them.
    #[allow(clippy::cast_possible_truncation, reason = "token ids are below 2^32")]
    fn tokens(&self, row: usize) -> TokenRow {
        let ids = self.golden["tokens"]["input_ids"][row].as_array().unwrap();
        let ids: Vec<u32> = ids.iter().map(|id| id.as_u64().unwrap() as u32).collect();
        TokenRow { type_ids: vec![0; ids.len()], ids, truncated: false, unseen: 0 }
    }

    /// What the engine gives for some of the texts or pairs, in one call. A pair's numbers are its one score; those of a text with
    /// labels for tokens are all its tokens' logits.
    fn numbers(&self, engine: &Arc<Engine>, rows: &[usize]) -> Result<Vec<Vec<f32>>, Error> {
        if self.product() == Product::TokenClassifier {
            let (reply, wait) = pair();
            let tokens = rows.iter().map(|row| self.tokens(*row)).collect();
            forward(engine, tokens, Ticket::default(), rows_of("texts"), reply);
            let Answer::Done(found) = wait()? else { panic!("tokens were called short") };
            let mut values = found.values.into_iter();
            return Ok(found.lengths.iter().map(|length| values.by_ref().take(*length).collect()).collect());
        }
        if self.product() == Product::Embedder {
            let texts = self.texts();
            return vectors(engine, rows.iter().map(|row| texts[*row].clone()).collect(), self.prompt());
        }
        let pairs = self.pairs();
        let part = |at: usize| rows.iter().map(|row| Part::whole(pairs[*row][at].as_str())).collect();
        let (reply, wait) = pair();
        let options = ScoreOptions::default();
        score(engine, part(0), part(1), &options, Ticket::default(), rows_of("pairs"), reply);
        match wait()? {
            Answer::Done(scores) => Ok(scores.scores.into_iter().map(|score| vec![score]).collect()),
            Answer::Short(_) => panic!("whole texts were called short"),
        }
    }

    /// What the engine gives for each of them alone.
    fn alone(&self, engine: &Arc<Engine>) -> Vec<Vec<f32>> {
        (0..self.rows()).map(|row| self.numbers(engine, &[row]).unwrap().remove(0)).collect()
    }
}

/// The numbers of a text's vector or of a pair's labels.
#[allow(clippy::cast_possible_truncation, reason = "the encoder computes in float32")]
fn numbers(value: &serde_json::Value) -> Option<Vec<f32>> {
    match value.as_array() {
        // Of tokens each has a list of its own.
        Some(list) if list.first().is_some_and(serde_json::Value::is_array) => {
            Some(list.iter().filter_map(numbers).flatten().collect())
        }
        Some(list) => list.iter().map(|number| Some(number.as_f64()? as f32)).collect(),
        None => Some(vec![value.as_f64()? as f32]),
    }
}

fn rows_of(list: &str) -> Rows {
    Rows { list: list.into(), first: Some(0) }
}

fn load(folder: impl Into<PathBuf>, product: Product, dtype: DType, threads: usize) -> Result<Arc<Engine>, Error> {
    let options = LoadOptions { dtype, threads, engine: EngineOption::Encoder, ..LoadOptions::new(product, folder) };
    Engine::load(options).map(Arc::new)
}

fn embeddings(engine: &Arc<Engine>, texts: Vec<String>, prompt: Prompt) -> Result<Embeddings, Error> {
    let (reply, wait) = pair();
    let texts = texts.into_iter().map(Part::whole).collect();
    let options = EmbedOptions { prompt, ..EmbedOptions::default() };
    embed(engine, texts, options, Ticket::default(), rows_of("texts"), reply);
    match wait()? {
        Answer::Done(embeddings) => Ok(embeddings),
        Answer::Short(_) => panic!("whole texts were called short"),
    }
}

fn vectors(engine: &Arc<Engine>, texts: Vec<String>, prompt: Prompt) -> Result<Vec<Vec<f32>>, Error> {
    let embeddings = embeddings(engine, texts, prompt)?;
    match embeddings.data {
        OutputData::Float32(data) => Ok(data.chunks(embeddings.dimensions).map(<[f32]>::to_vec).collect()),
        _ => panic!("expected floats"),
    }
}

/// The embedders, rerankers and networks with labels for tokens of this folder's fixtures, and those of the zoo. The zoo's weights are not in the repository but,
/// where there are any, in a folder beside it.
fn repositories() -> Vec<Repository> {
    let mut found = Vec::new();
    for collection in ["tests/fixtures/encoder", "../shared/zoo"] {
        let Ok(entries) = std::fs::read_dir(zoo::root().join(collection)) else {
            eprintln!("skipped: there is no folder {collection}");
            continue;
        };
        for entry in entries {
            let folder = entry.unwrap().path();
            let weights = ["model.safetensors", "model.safetensors.index.json"];
            let Ok(golden) = std::fs::read(folder.join("golden.json")) else { continue };
            let golden: serde_json::Value = serde_json::from_slice(&golden).unwrap();
            let of_tokens = golden["kind"] == "token-classifier" && golden.get("runs").is_some();
            let is_known = golden["kind"] == "embedder" || golden["kind"] == "reranker" || of_tokens;
            if is_known && weights.iter().any(|file| folder.join(file).exists()) {
                let name = format!("{collection}/{}", zoo::name(&folder));
                found.push(Repository { name, folder, golden });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() >= 52, "only {} repositories were found", found.len());
    found
}

/// Those that the encoder takes.
fn taken() -> Vec<Repository> {
    repositories().into_iter().filter(|repository| !repository.is_refused()).collect()
}

fn bits(vectors: &[Vec<f32>]) -> Vec<Vec<u32>> {
    vectors.iter().map(|vector| vector.iter().map(|number| number.to_bits()).collect()).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
