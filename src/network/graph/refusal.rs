//! Why ONNX Runtime refused a graph, in words that say what to do. Its own words are the cause.

use super::provider::Provider;
use crate::error::{Error, shown};
use crate::files::impostor_at;
use crate::spec::NetworkFile;

/// It is known by the words that ONNX Runtime 1.31 and 1.32 use; `__test__/graphs.spec.mjs` holds them for the one that is pinned.
pub(super) fn explain(graph: &NetworkFile, error: &ort::Error, provider: &dyn Provider) -> Error {
    let file = &graph.relative;
    let message = error.message();
    if let Some(impostor) = impostor_at(file, &graph.path) {
        return impostor;
    }
    if let Some(reason) = unsupported(message) {
        return Error::ModelUnsupported(format!(
            "{file} {reason}. Use another file of the model, or export it again with operators of the ONNX standard (opset 14 to 20 \
             is known everywhere)"
        ));
    }
    if !provider.is_shared() {
        // The file may be sound and the device at fault; the CPU would tell.
        return Error::Device {
            message: format!(
                "{file} could not be opened on {}. Use another file of the model, or another device",
                provider.name()
            ),
            source: Some(message.to_owned().into()),
        };
    }
    match error.code() {
        ort::ErrorCode::NotImplemented => Error::ModelUnsupported(format!(
            "{file} uses an operator that ONNX Runtime does not have on the CPU: {message}"
        )),
        ort::ErrorCode::NoSuchFile => Error::FileNotFound(format!("{file} could not be opened: {message}")),
        _ => Error::invalid_model_because(
            format!("{file} is not an ONNX graph that can be used. Copy or download the file again"),
            message.to_owned(),
        ),
    }
}

/// What of a well-formed graph this ONNX Runtime does not have.
fn unsupported(message: &str) -> Option<String> {
    if let Some(found) = number_after(message, "Unsupported model IR version: ") {
        let highest = number_after(message, "max supported IR version: ");
        return Some(newer(&format!("is of the ONNX format's version {found} (IR version)"), highest));
    }
    if message.contains("support for models stamped with official released onnx opset versions") {
        let found = number_after(message, "Opset ")?;
        let domain = word_after(message, "official support for domain ", ' ').unwrap_or("ai.onnx");
        return Some(newer(
            &format!("uses opset {found} of the operators {}", shown(domain)),
            number_after(message, "is till opset "),
        ));
    }
    // Fatal error: com.example:Name(-1) is not a registered function/op
    if message.contains("is not a registered function/op") {
        let operator = word_after(message, "Fatal error: ", '(')?;
        return Some(match operator.split_once(':') {
            Some((domain, name)) if !domain.is_empty() => {
                format!("uses the operator {} of {}, which ONNX Runtime does not have", shown(name), shown(domain))
            }
            _ => format!("uses the operator {}, which ONNX Runtime does not have", shown(operator)),
        });
    }
    // In Node, ("name", Name, "domain", -1) : … Error No Op registered for Name with domain_version of 17
    if let Some(name) = word_after(message, "No Op registered for ", ' ') {
        let opset =
            number_after(message, "domain_version of ").map_or_else(String::new, |opset| format!(" in opset {opset}"));
        return Some(format!("uses the operator {}, which ONNX Runtime does not have{opset}", shown(name)));
    }
    if let Some(domain) = word_after(message, "No opset import for domain '", '\'') {
        return Some(format!("uses operators of {}, which ONNX Runtime does not have", shown(domain)));
    }
    None
}

fn newer(what: &str, highest: Option<u64>) -> String {
    match highest {
        Some(highest) => {
            format!("{what}; the highest that ONNX Runtime {} reads is {highest}", super::runtime_version())
        }
        None => format!("{what}, which is newer than ONNX Runtime {} reads", super::runtime_version()),
    }
}

fn word_after<'message>(message: &'message str, before: &str, end: char) -> Option<&'message str> {
    let rest = &message[message.find(before)? + before.len()..];
    rest.split(end).next().filter(|word| !word.is_empty())
}

fn number_after(message: &str, before: &str) -> Option<u64> {
    let rest = &message[message.find(before)? + before.len()..];
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}
