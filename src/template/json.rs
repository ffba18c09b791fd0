//! `tojson` as transformers has it: Python's `json.dumps`, without the escapes for HTML that Jinja's own filter makes.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use super::repr::float;

/// Values in values; Python gives up some way below.
const DEEPEST: usize = 500;
/// Blanks of an indent.
const WIDEST: usize = 1_000;

/// The options of `json.dumps` that the filter takes.
struct Style {
    ascii: bool,
    indent: Option<String>,
    comma: String,
    colon: String,
    sorted: bool,
}

/// `tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)`
pub(super) fn tojson(
    state: &State<'_, '_>,
    value: &Value,
    ensure_ascii: Option<bool>,
    indent: Option<Value>,
    options: Kwargs,
) -> Result<String, Error> {
    let ensure_ascii = ensure_ascii.or(options.get("ensure_ascii")?);
    let indent = indent.or(options.get("indent")?).filter(|indent| !indent.is_none());
    let separators: Option<Value> = options.get("separators")?;
    let sorted: Option<bool> = options.get("sort_keys")?;
    options.assert_all_used()?;
    let indent = match indent {
        None => None,
        Some(text) if text.as_str().is_some() => text.as_str().map(str::to_owned),
        Some(count) => {
            let count = usize::try_from(i64::try_from(count)?.max(0)).ok().filter(|count| *count <= WIDEST);
            Some(" ".repeat(count.ok_or_else(|| failed("tojson: an indent of more than 1000"))?))
        }
    };
    let (comma, colon) = match separators.filter(|pair| !pair.is_none()) {
        Some(pair) => {
            let part = |at: usize| -> Result<String, Error> {
                let part = pair.get_item_by_index(at)?;
                part.as_str().map(str::to_owned).ok_or_else(|| failed("`separators` must be two strings"))
            };
            (part(0)?, part(1)?)
        }
        None if indent.is_some() => (",".to_owned(), ": ".to_owned()),
        None => (", ".to_owned(), ": ".to_owned()),
    };
    let style = Style { ascii: ensure_ascii.unwrap_or(false), indent, comma, colon, sorted: sorted.unwrap_or(false) };
    let mut out = String::new();
    write(state, &mut out, value, &style, 0)?;
    Ok(out)
}

fn failed(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.to_owned())
}

fn write(state: &State<'_, '_>, out: &mut String, value: &Value, style: &Style, depth: usize) -> Result<(), Error> {
    let before = out.len();
    if depth > DEEPEST {
        return Err(failed("tojson: values are nested too deeply"));
    }
    match value.kind() {
        ValueKind::None | ValueKind::Bool | ValueKind::Number => out.push_str(&scalar(value)?),
        ValueKind::String => write_string(out, value.as_str().unwrap_or(""), style.ascii),
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            let mut count = 0;
            for item in value.try_iter()?.checked() {
                separate(out, style, depth + 1, &mut count);
                write(state, out, &item?, style, depth + 1)?;
            }
            close(out, style, depth, count, ']');
        }
        ValueKind::Map => {
            out.push('{');
            let mut entries = Vec::new();
            for key in value.try_iter()?.checked() {
                let key = key?;
                let name = match key.kind() {
                    ValueKind::String => key.as_str().unwrap_or("").to_owned(),
                    ValueKind::None | ValueKind::Bool | ValueKind::Number => scalar(&key)?,
                    _ => return Err(failed("tojson: keys must be strings, numbers, true, false or none")),
                };
                entries.push((name, value.get_item(&key)?));
            }
            if style.sorted {
                entries.sort_by(|one, other| one.0.cmp(&other.0));
            }
            let mut count = 0;
            for (name, item) in entries {
                separate(out, style, depth + 1, &mut count);
                write_string(out, &name, style.ascii);
                out.push_str(&style.colon);
                write(state, out, &item, style, depth + 1)?;
            }
            close(out, style, depth, count, '}');
        }
        other => return Err(failed(&format!("tojson: a value of type {other} has no JSON"))),
    }
    // Paid for while it grows; the whole is paid for again where it is returned.
    state.consume_fuel((out.len() - before) as u64 / 64 + 1)
}

/// What stands before an item: a comma from the second on, and a new line where there is an indent.
fn separate(out: &mut String, style: &Style, depth: usize, count: &mut usize) {
    if *count > 0 {
        out.push_str(&style.comma);
    }
    *count += 1;
    new_line(out, style, depth);
}

fn close(out: &mut String, style: &Style, depth: usize, count: usize, bracket: char) {
    if count > 0 {
        new_line(out, style, depth);
    }
    out.push(bracket);
}

fn new_line(out: &mut String, style: &Style, depth: usize) {
    if let Some(indent) = &style.indent {
        out.push('\n');
        (0..depth).for_each(|_| out.push_str(indent));
    }
}

fn scalar(value: &Value) -> Result<String, Error> {
    Ok(match value.kind() {
        ValueKind::None => "null".to_owned(),
        ValueKind::Bool => if value.is_true() { "true" } else { "false" }.to_owned(),
        _ if value.is_integer() => value.to_string(),
        _ => {
            let number = f64::try_from(value.clone())?;
            match number {
                _ if number.is_nan() => "NaN".to_owned(),
                _ if number.is_infinite() => if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
                _ => float(number),
            }
        }
    })
}

fn write_string(out: &mut String, text: &str, ascii: bool) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            other if other < ' ' || (ascii && !other.is_ascii()) => {
                let mut units = [0; 2];
                other.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
