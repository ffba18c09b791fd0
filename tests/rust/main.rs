//! The tests that need more than one module, in one program: each program would be linked on its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod encoder;
mod engine;
mod handover;
mod layers;
mod long_text;
mod memory;
mod pairs;
mod placed;
mod reach;
mod tokens;
mod zoo;
