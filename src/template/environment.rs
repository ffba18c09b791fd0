//! jinja2's environment as transformers sets it up (`_compile_jinja_template`), where minijinja's own is another.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Tuple, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, escape_formatter};

use super::clock::Now;
use super::source::CHECKED;
use super::{json, methods, repr};

/// Calls inside of calls. A call of a macro costs some six.
const DEEPEST_CALLS: usize = 300;
/// Values in values that a namespace takes.
const DEEPEST_STORED: usize = 64;

/// What minijinja has and jinja2 has not: a template that used it would fail in the reference.
const NOT_JINJA2: [&str; 6] = ["bool", "chain", "lines", "split", "startswith", "zip"];

/// Why a template refuses its messages: the words of `raise_exception`.
#[derive(Debug)]
pub(super) struct Refusal(pub String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// An environment for chat templates.
pub(super) fn environment(now: Now) -> Environment<'static> {
    let mut environment = Environment::new();
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_recursion_limit(DEEPEST_CALLS);
    environment.set_unknown_method_callback(methods::call);
    environment.set_formatter(|out, state, value| match repr::shown(value) {
        Some(text) => out.write_str(&text).map_err(Error::from),
        None => escape_formatter(out, state, value),
    });
    for name in NOT_JINJA2 {
        environment.remove_filter(name);
        environment.remove_test(name);
    }

    environment.add_function("raise_exception", |reason: Value| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, "raise_exception").with_source(Refusal(reason.to_string())))
    });
    environment.add_function("strftime_now", move |format: &str| {
        let unknown =
            || Error::new(ErrorKind::InvalidOperation, format!("strftime_now: {format:?} has an unknown directive"));
        now.written(format).ok_or_else(unknown)
    });

    environment.add_filter("tojson", json::tojson);
    environment.add_filter("trim", |text: Value, characters: Option<String>| match text.as_str() {
        Some(text) => methods::trimmed(text, characters.as_deref(), true, true).to_owned(),
        None => methods::trimmed(&text.to_string(), characters.as_deref(), true, true).to_owned(),
    });
    environment.add_filter("int", int);
    environment.add_filter("float", |value: Value, default: Option<Value>| {
        number(&value).map(Value::from).or(default).unwrap_or_else(|| Value::from(0.0))
    });
    // Attributes of Python's objects, of which data has none that a template may see; not the items of a dictionary.
    environment.add_filter("attr", |_: Value, _: &str| Value::UNDEFINED);
    environment.add_filter("string", |value: Value| match repr::shown(&value) {
        Some(text) => Value::from(text),
        None if value.as_str().is_some() => value,
        None => Value::from(value.to_string()),
    });
    environment.add_filter(CHECKED, checked);

    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::Seq | ValueKind::String | ValueKind::Map) || is_range(value)
    });
    // Not `none`, which minijinja goes over as if it were an empty list.
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
    environment
}

/// What Python's `range` gives: the one iterable of minijinja that knows its length and is no list.
fn is_range(value: &Value) -> bool {
    value.kind() == ValueKind::Iterable && value.len().is_some()
}

/// A number of a number or of a text, as Python's `float` reads it.
fn number(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        _ => value.as_str().and_then(|text| methods::trimmed(text, None, true, true).replace('_', "").parse().ok()),
    }
}

/// jinja2's `int(value, default=0, base=10)`
fn int(value: &Value, default: Option<Value>, base: Option<u32>, options: Kwargs) -> Result<Value, Error> {
    let default = default.or(options.get("default")?).unwrap_or_else(|| Value::from(0));
    let base: u32 = base.or(options.get("base")?).unwrap_or(10);
    options.assert_all_used()?;
    if value.is_integer() {
        return Ok(value.clone());
    }
    if let Some(text) = value.as_str().filter(|_| (2..=36).contains(&base)) {
        let digits = methods::trimmed(text, None, true, true).replace('_', "");
        let prefix = match base {
            2 => "0b",
            8 => "0o",
            16 => "0x",
            _ => "",
        };
        let digits = digits.to_lowercase();
        let digits = digits.strip_prefix(prefix).unwrap_or(&digits);
        if let Ok(number) = i64::from_str_radix(digits, base) {
            return Ok(Value::from(number));
        }
    }
    #[allow(clippy::cast_possible_truncation, reason = "the range was looked at")]
    let whole = number(value).filter(|number| number.abs() < 9e18).map(|number| Value::from(number as i64));
    Ok(whole.unwrap_or(default))
}

/// What a namespace may hold: data, and not too deep. It could hold itself otherwise, or grow deeper with each turn of a loop,
/// and a value that deep ends the process where it is printed or dropped.
fn checked(state: &State<'_, '_>, value: Value) -> Result<Value, Error> {
    stored(state, value, 0)
}

fn stored(state: &State<'_, '_>, value: Value, depth: usize) -> Result<Value, Error> {
    let refused =
        |reason: &str| Err(Error::new(ErrorKind::InvalidOperation, format!("a namespace cannot hold {reason}")));
    if depth > DEEPEST_STORED {
        return refused("values that are nested that deeply");
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None | ValueKind::Bool | ValueKind::Number | ValueKind::String => Ok(value),
        ValueKind::Seq | ValueKind::Iterable => {
            let mut items = Vec::new();
            for item in value.try_iter()?.checked() {
                state.consume_fuel(1)?;
                items.push(stored(state, item?, depth + 1)?);
            }
            Ok(if value.is_tuple() { Value::from(Tuple::from(items)) } else { Value::from(items) })
        }
        ValueKind::Map if !is_namespace(&value) => {
            for key in value.try_iter()?.checked() {
                state.consume_fuel(1)?;
                stored(state, value.get_item(&key?)?, depth + 1)?;
            }
            Ok(value)
        }
        ValueKind::Map => refused("a namespace"),
        _ => refused("what is not data"),
    }
}

fn is_namespace(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.type_name().ends_with("::Namespace"))
}
