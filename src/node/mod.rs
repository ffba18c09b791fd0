//! The Node addon: arguments in, promises out. No decisions are taken here.
//!
//! Every promise fulfils with an *outcome*, `{value}` or `{error: {code, message, causes}}`; `index.js` makes the
//! errors that users see, because napi's own rejections cannot carry our codes. Every synchronous item catches panics:
//! one that reached Node would end the process.

#![allow(missing_docs, reason = "napi generates undocumented items beside the documented ones")]
// napi's macros take arguments by value and make functions that callers in JavaScript use.
#![allow(clippy::needless_pass_by_value, reason = "JavaScript values arrive by value")]

// Public, or the compiler calls what only JavaScript uses dead.
pub mod calls;
pub mod chunk;
pub mod functions;
pub mod model;
pub mod options;
pub mod outcome;
pub mod requests;
pub mod search;
pub mod store;
pub mod tokenizer;
