//! The tests that need more than one module, in one program: each program would be linked on its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod engine;
mod layers;
mod long_text;
mod tokens;
mod zoo;
