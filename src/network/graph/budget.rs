//! How many tokens a run has at most. On a CPU that is a fixed number; on other devices it is measured when the model is loaded, and
//! becomes smaller for good where a run does not fit into the device's memory.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::error::{Error, Result};

/// The least that is tried first, and the most that is tried at all.
const TRIED: std::ops::RangeInclusive<usize> = 512..=65_536;
/// Runs that double their tokens must gain this much per token to be worth while.
const GAIN: f64 = 0.9;
/// What measuring may take.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Bytes of a run's output, which is copied to the processor's memory. Logits of a vocabulary are a hundred times as many as the
/// numbers of token vectors.
const OUTPUT_BYTES: usize = 256 << 20;

/// Tokens of a run, padding included.
#[derive(Debug)]
pub(super) struct Budget {
    tokens: AtomicUsize,
    /// However well larger runs would do.
    most: usize,
}

impl Budget {
    pub fn new(tokens: usize) -> Self {
        Budget { tokens: AtomicUsize::new(tokens.max(1)), most: usize::MAX }
    }

    /// The same where each token gives so many numbers.
    pub fn of_width(self, width: Option<usize>) -> Self {
        let most = width.map_or(usize::MAX, |width| (OUTPUT_BYTES / size_of::<f32>() / width.max(1)).max(1));
        Budget { tokens: AtomicUsize::new(self.tokens().min(most)), most }
    }

    pub fn tokens(&self) -> usize {
        self.tokens.load(Ordering::Relaxed)
    }

    /// A run of so many tokens did not fit: none is as large again.
    pub fn shrink_below(&self, tokens: usize) {
        self.tokens.fetch_min((tokens / 2).max(1), Ordering::Relaxed);
    }

    /// Runs `rows` rows, in halves for as long as memory is not enough: the outputs of the parts, in order. `tokens` says how many a part has.
    pub fn fitting<T>(
        &self,
        rows: usize,
        tokens: impl Fn(&Range<usize>) -> usize,
        run: &dyn Fn(Range<usize>) -> Result<T>,
    ) -> Result<Vec<(Range<usize>, T)>> {
        let mut done = Vec::new();
        let whole = 0..rows;
        let mut left = vec![whole];
        while let Some(part) = left.pop() {
            match run(part.clone()) {
                Ok(output) => done.push((part, output)),
                Err(error) if part.len() > 1 && is_of_memory(&error) => {
                    self.shrink_below(tokens(&part));
                    let middle = part.start + part.len() / 2;
                    left.extend([middle..part.end, part.start..middle]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Doubles the tokens of a run for as long as each costs less by it. `run` runs so many tokens and says how long that took, or
    /// nothing where they do not fit.
    pub fn measure(&self, mut run: impl FnMut(usize) -> Option<Duration>) {
        let mut spent = Duration::ZERO;
        let mut best: Option<(usize, f64)> = None;
        let mut tokens = *TRIED.start();
        while TRIED.contains(&tokens) && tokens <= self.most && spent < PATIENCE {
            // Once for what a new shape costs, once for the time.
            let (Some(first), Some(second)) = (run(tokens), run(tokens)) else { break };
            spent += first + second;
            #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
            let cost = second.as_secs_f64() / tokens as f64;
            if best.is_some_and(|(_, least)| cost > least * GAIN) {
                break;
            }
            best = Some((tokens, cost));
            tokens *= 2;
        }
        let found = best.map_or(*TRIED.start() / 2, |(tokens, _)| tokens);
        self.tokens.store(found.min(self.most), Ordering::Relaxed);
    }
}

/// Whether a failure says that memory was not enough, in the words of ONNX Runtime's arena, CUDA, cuBLAS, DirectML and WebGPU.
pub(super) fn is_of_memory(error: &Error) -> bool {
    let words = [
        "Failed to allocate memory",
        "Available memory of",
        "out of memory",
        "OUT_OF_MEMORY",
        "OUTOFMEMORY",
        "ALLOC_FAILED",
        "8007000E",
        "bad allocation",
        "std::bad_alloc",
    ];
    error.causes().iter().any(|said| words.iter().any(|word| said.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_grow_while_it_is_worth_while() {
        // A device that needs 4 ms for any run up to 2048 tokens, and then twice as long for twice as many.
        let budget = Budget::new(1);
        let mut largest = 0;
        budget.measure(|tokens| {
            largest = largest.max(tokens);
            Some(Duration::from_millis(4) * u32::try_from(tokens.max(2048) / 2048).expect("small"))
        });
        assert_eq!(budget.tokens(), 2048);
        assert_eq!(largest, 4096);
    }

    #[test]
    fn a_run_of_wide_rows_is_no_larger_than_its_output_may_be() {
        let of_width = |width| {
            let budget = Budget::new(1).of_width(Some(width));
            budget.measure(|_| Some(Duration::from_millis(1)));
            budget.tokens()
        };
        assert_eq!(of_width(768), 65_536);
        // A gigabyte and more would be the output of 8192 tokens, with the vocabularies of BERT and of XLM-R.
        assert_eq!(of_width(30_522), 2048);
        assert_eq!(of_width(250_002), 256);
        assert_eq!(Budget::new(256).of_width(Some(1 << 20)).tokens(), 64);
    }

    #[test]
    fn what_does_not_fit_is_not_taken() {
        let budget = Budget::new(1);
        budget.measure(|tokens| (tokens <= 1024).then_some(Duration::from_millis(1)));
        assert_eq!(budget.tokens(), 1024);
        let nothing = Budget::new(1);
        nothing.measure(|_| None);
        assert_eq!(nothing.tokens(), 256);
    }

    #[test]
    fn a_run_that_did_not_fit_is_remembered() {
        let budget = Budget::new(4096);
        budget.shrink_below(3000);
        assert_eq!(budget.tokens(), 1500);
        budget.shrink_below(8000);
        assert_eq!(budget.tokens(), 1500);
        budget.shrink_below(1);
        assert_eq!(budget.tokens(), 1);
    }

    fn failed(message: &str) -> Error {
        Error::runtime("model.onnx: the network failed", message.to_owned())
    }

    #[test]
    fn rows_that_do_not_fit_run_in_halves_and_in_their_order() {
        let budget = Budget::new(10_000);
        // Rows of 100 tokens on a device with room for 300.
        let run = |part: Range<usize>| {
            if part.len() > 3 { Err(failed("CUDA error: out of memory")) } else { Ok(part.collect::<Vec<_>>()) }
        };
        let parts = budget.fitting(11, |part| part.len() * 100, &run).expect("fits in parts");
        assert_eq!(parts.iter().flat_map(|(_, rows)| rows.clone()).collect::<Vec<_>>(), (0..11).collect::<Vec<_>>());
        assert!(parts.iter().all(|(part, rows)| part.len() == rows.len()));
        assert!(budget.tokens() <= 300, "{} tokens are remembered", budget.tokens());
    }

    #[test]
    fn a_row_that_does_not_fit_alone_and_other_failures_end_the_run() {
        let budget = Budget::new(10_000);
        let never = budget.fitting(4, Range::len, &|_| -> Result<()> { Err(failed("out of memory")) });
        assert!(is_of_memory(&never.expect_err("fits nowhere")));
        let calls = AtomicUsize::new(0);
        let other = budget.fitting(4, Range::len, &|_| -> Result<()> {
            calls.fetch_add(1, Ordering::Relaxed);
            Err(failed("Got invalid dimensions"))
        });
        assert!(!is_of_memory(&other.expect_err("failed")));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn failures_for_memory_are_known() {
        let of_arena =
            "BFCArena::AllocateRawInternal: Available memory of 1048576 is smaller than requested bytes of 4194304";
        for message in [of_arena, "CUDA error cudaErrorMemoryAllocation:out of memory", "CUBLAS_STATUS_ALLOC_FAILED"] {
            assert!(is_of_memory(&failed(message)), "{message}");
        }
        assert!(!is_of_memory(&failed("Got invalid dimensions for input")));
    }
}
