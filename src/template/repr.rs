//! Values as Python writes them: `str` of what a template prints, `repr` of what stands in lists and dictionaries.

use std::fmt::Write;

use minijinja::Value;
use minijinja::value::ValueKind;

/// Values in values that are written.
const DEEPEST: usize = 500;

/// The value as `str` gives it, where minijinja would write it in another way.
pub(super) fn shown(value: &Value) -> Option<String> {
    match value.kind() {
        ValueKind::Number if !value.is_integer() => number(value),
        ValueKind::Seq | ValueKind::Map => {
            let mut out = String::new();
            repr(&mut out, value, 0).then_some(out)
        }
        _ => None,
    }
}

/// Writes the value as `repr` gives it; false where it is too deep for that.
fn repr(out: &mut String, value: &Value, depth: usize) -> bool {
    if depth > DEEPEST {
        return false;
    }
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::String => string(out, value.as_str().unwrap_or("")),
        ValueKind::Number if !value.is_integer() => out.push_str(&number(value).unwrap_or_default()),
        ValueKind::Seq => {
            let (open, close) = if value.is_tuple() { ('(', ')') } else { ('[', ']') };
            out.push(open);
            for (at, item) in value.try_iter().into_iter().flatten().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                if !repr(out, &item, depth + 1) {
                    return false;
                }
            }
            out.push_str(if value.is_tuple() && value.len() == Some(1) { "," } else { "" });
            out.push(close);
        }
        ValueKind::Map => {
            out.push('{');
            for (at, key) in value.try_iter().into_iter().flatten().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                let item = value.get_item(&key).unwrap_or_default();
                let key = repr(out, &key, depth + 1);
                out.push_str(": ");
                if !(key && repr(out, &item, depth + 1)) {
                    return false;
                }
            }
            out.push('}');
        }
        _ => {
            let _ = write!(out, "{value}");
        }
    }
    true
}

fn number(value: &Value) -> Option<String> {
    let number = f64::try_from(value.clone()).ok()?;
    Some(if number.is_finite() { float(number) } else { number.to_string().to_lowercase() })
}

/// A finite number: the shortest digits that mean it, with an exponent below 1e-4 and from 1e16.
pub(super) fn float(number: f64) -> String {
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let short = format!("{number:e}");
        let (digits, exponent) = short.split_once('e').unwrap_or((&short, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    let short = number.to_string();
    if short.contains('.') { short } else { short + ".0" }
}

fn string(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for letter in text.chars() {
        let _ = match letter {
            '\\' => write!(out, "\\\\"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            _ if letter == quote => write!(out, "\\{letter}"),
            _ if is_printable(letter) => write!(out, "{letter}"),
            _ if letter < '\u{100}' => write!(out, "\\x{:02x}", letter as u32),
            _ if letter < '\u{1_0000}' => write!(out, "\\u{:04x}", letter as u32),
            _ => write!(out, "\\U{:08x}", letter as u32),
        };
    }
    out.push(quote);
}

/// `str.isprintable`, as far as it can be told without tables: blanks but the plain one, controls, and the invisible characters
/// that stand in real texts are not.
fn is_printable(letter: char) -> bool {
    let is_invisible = matches!(
        letter,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}'
    );
    letter == ' ' || !(letter.is_control() || letter.is_whitespace() || is_invisible)
}
