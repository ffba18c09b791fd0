//! Texts to vectors.

use std::sync::Arc;

use crate::engine::{Answer, Counted, Engine, Head, Inputs, Request, Rows, Ticket};
use crate::error::{Error, Result};
use crate::head::{OutputData, finite, normalize, pool, quantize};
use crate::network::{OutputKind, RunOutput};
use crate::options::{EmbedOptions, Output, Pooling, Prompt};
use crate::reply::Reply;
use crate::spec::{EmbeddingSpec, HeadSpec};
use crate::tokenizer::{Limit, Part, TokenRow};

/// The vectors of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// Row after row.
    pub data: OutputData,
    /// How many rows.
    pub rows: usize,
    /// Length of a vector, before bits are packed.
    pub dimensions: usize,
    /// Tokens that went into the network.
    pub tokens: usize,
    /// Texts that were cut.
    pub truncated: usize,
}

/// Embeds `texts`. The answer comes on another thread.
pub fn embed(
    engine: &Arc<Engine>,
    texts: Vec<Part>,
    options: EmbedOptions,
    ticket: Ticket,
    rows: Rows,
    reply: Reply<Answer<Embeddings>>,
) {
    engine.submit_for(options.task, |engine| request(engine, texts, options, ticket, rows), reply);
}

/// How many numbers a vector has where the call does not say otherwise.
///
/// # Errors
/// [`Error::ModelInvalid`] where the model's parts do not fit.
pub fn dimensions(engine: &Engine) -> Result<usize> {
    let spec = embedding_spec(engine)?;
    let whole = whole_dimensions(engine, spec.pooling.len())?;
    Ok(spec.dimensions.map_or(whole, |kept| kept.min(whole)))
}

fn embedding_spec(engine: &Engine) -> Result<&EmbeddingSpec> {
    match &engine.spec.head {
        HeadSpec::Embedding(spec) => Ok(spec),
        _ => Err(Error::InvalidArgument("Expected a model that was loaded as an embedder".into())),
    }
}

fn whole_dimensions(engine: &Engine, poolings: usize) -> Result<usize> {
    match engine.output_kind() {
        OutputKind::Tokens | OutputKind::Means => engine.layers.dimensions(engine.width * poolings.max(1)),
        _ => Ok(engine.width),
    }
}

fn request(
    engine: &Arc<Engine>,
    texts: Vec<Part>,
    options: EmbedOptions,
    ticket: Ticket,
    rows: Rows,
) -> Result<Request<EmbeddingHead>> {
    let spec = embedding_spec(engine)?;
    let max_length = engine.spec.max_length;
    let task = options.task;
    let limit = Limit {
        tokens: max_length.of(options.max_length.or(max_length.of_task(task)))?,
        truncation: engine.truncation(options.truncation),
    };
    let prompt = match &options.prompt {
        Prompt::Text(text) => text.clone(),
        named => engine.spec.prompt(named)?.to_owned(),
    };
    let skip = if spec.include_prompt || prompt.is_empty() || engine.reads_chats() {
        0
    } else {
        engine.prompt_length(&prompt, limit)?
    };
    let head = EmbeddingHead::new(engine, spec, &options, skip)?;
    Ok(Request { inputs: Inputs::Texts { prompt, task, texts }, limit, head, ticket, rows })
}

/// From the network's output to vectors in the format of the call.
#[derive(Debug)]
pub struct EmbeddingHead {
    engine: Arc<Engine>,
    pooling: Vec<Pooling>,
    /// Tokens of the prompt that take no part in pooling.
    skip: usize,
    kept: usize,
    normalize_before_cut: bool,
    normalize_after_cut: bool,
    output: Output,
    ranges: Option<crate::options::Ranges>,
}

impl EmbeddingHead {
    fn new(engine: &Arc<Engine>, spec: &EmbeddingSpec, options: &EmbedOptions, skip: usize) -> Result<Self> {
        let pooled_inside = engine.output_kind() != OutputKind::Tokens;
        if engine.spec.is_static && options.pooling.is_some() {
            return Err(Error::ModelUnsupported(
                "The model is a table of vectors, of which a text's vector is the mean, so `pooling` cannot be chosen"
                    .into(),
            ));
        }
        if pooled_inside && (options.pooling.is_some() || engine.options.pooling.is_some() || skip > 0) {
            return Err(Error::ModelUnsupported(format!(
                "{} pools inside the graph, so `pooling` cannot be chosen and a prompt cannot be left out",
                engine.file().relative
            )));
        }
        let pooling = options.pooling.map_or_else(|| spec.pooling.clone(), |pooling| vec![pooling]);
        let whole = whole_dimensions(engine, pooling.len()).map_err(|error| match options.pooling {
            Some(pooling) => {
                Error::InvalidArgument(format!("`pooling` '{}' does not fit this model: {error}", pooling.as_str()))
            }
            None => error,
        })?;
        if let Some(wanted) = options.dimensions
            && !(1..=whole).contains(&wanted)
        {
            return Err(Error::InvalidArgument(format!(
                "Expected from 1 to {whole} for `dimensions`, the size of this model's vectors, but received {wanted}"
            )));
        }
        // Vectors cut by a call are normalised after the cut. For the repository's own `truncate_dim` the reference
        // keeps its order: the Normalize module first, then the cut, and nothing after it unless that is asked for.
        let asked = options.normalize.or(engine.options.normalize);
        let normalized = asked.unwrap_or(spec.normalize);
        let cut_by_repository = options.dimensions.is_none() && spec.dimensions.is_some() && asked.is_none();
        Ok(EmbeddingHead {
            engine: engine.clone(),
            pooling,
            skip,
            kept: options.dimensions.or(spec.dimensions).map_or(whole, |kept| kept.min(whole)),
            normalize_before_cut: normalized && cut_by_repository,
            normalize_after_cut: normalized && !cut_by_repository,
            output: options.output.unwrap_or(Output::Float32),
            ranges: options.ranges.clone(),
        })
    }

    fn vector(&self, pooled: Vec<f32>) -> Vec<f32> {
        let mut vector = match self.engine.output_kind() {
            OutputKind::Tokens | OutputKind::Means => self.engine.layers.apply(pooled),
            _ => pooled,
        };
        if self.normalize_before_cut {
            normalize(&mut vector);
        }
        vector.truncate(self.kept);
        if self.normalize_after_cut {
            normalize(&mut vector);
        }
        vector
    }
}

impl Head for EmbeddingHead {
    type Output = Embeddings;
    type Row = Vec<f32>;

    fn read(&self, output: &RunOutput<'_>, at: usize, _: &TokenRow) -> Result<Vec<f32>> {
        let pooled = match output {
            RunOutput::Rows(rows) => rows.row(at).to_vec(),
            RunOutput::Tokens(tokens) => {
                let hidden = tokens.row(at);
                if self.engine.token_layers.is_empty() {
                    pool(hidden, self.skip, &self.pooling)
                } else {
                    pool(self.engine.token_layers.apply_rows(hidden).view(), self.skip, &self.pooling)
                }
            }
        };
        let vector = self.vector(pooled);
        finite(vector)
    }

    /// A text without tokens (an empty one where the model adds no special tokens) is a zero vector before the dense
    /// layers, as the reference has it in a batch.
    fn read_nothing(&self) -> Result<Vec<f32>> {
        Ok(self.vector(vec![0.0; self.engine.width * self.pooling.len().max(1)]))
    }

    fn finish(&self, rows: Vec<Vec<f32>>, counted: Counted) -> Result<Embeddings> {
        Ok(Embeddings {
            data: quantize(rows.concat(), self.kept, self.output, self.ranges.as_ref())?,
            rows: counted.truncated.len(),
            dimensions: self.kept,
            tokens: counted.tokens,
            truncated: counted.truncated.iter().filter(|cut| **cut).count(),
        })
    }
}
