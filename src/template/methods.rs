//! Methods of Python's strings, lists and dictionaries. What is not here is as `minijinja-contrib` has it.

use minijinja::value::{Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

/// A method that minijinja's values do not have.
pub(super) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    if let Some(text) = value.as_str()
        && let Some(result) = of_string(state, text, method, arguments)
    {
        return result;
    }
    if value.kind() == ValueKind::Map && method == "copy" {
        let () = from_args(arguments)?;
        return Ok(value.clone());
    }
    pycompat::unknown_method_callback(state, value, method, arguments)
}

fn failed(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.to_owned())
}

fn of_string(state: &State<'_, '_>, text: &str, method: &str, arguments: &[Value]) -> Option<Result<Value, Error>> {
    type Places = (Option<i64>, Option<i64>);
    let one = || from_args::<(Option<&str>,)>(arguments).map(|(only,)| only);
    let needle =
        || from_args::<(&str, Option<i64>, Option<i64>)>(arguments).map(|(what, start, end)| (what, (start, end)));
    let found = |last: bool, must: bool| {
        let (what, (start, end)): (&str, Places) = needle()?;
        let (before, part) = window(text, start, end);
        let at = if last { part.rfind(what) } else { part.find(what) };
        match at {
            Some(at) => Ok(Value::from(before + part[..at].chars().count())),
            None if must => Err(failed("substring not found")),
            None => Ok(Value::from(-1)),
        }
    };
    let edge = |start: bool| {
        let (what, from, to) = from_args::<(&Value, Option<i64>, Option<i64>)>(arguments)?;
        let (_, part) = window(text, from, to);
        let is = |what: &str| if start { part.starts_with(what) } else { part.ends_with(what) };
        match what.as_str() {
            Some(what) => Ok(Value::from(is(what))),
            None if what.is_tuple() => {
                for item in what.try_iter()?.checked() {
                    let item = item?;
                    if is(item.as_str().ok_or_else(|| failed("expected a tuple of strings"))?) {
                        return Ok(Value::from(true));
                    }
                }
                Ok(Value::from(false))
            }
            None => Err(failed("expected a string or a tuple of strings")),
        }
    };
    let padded = |left: bool, right: bool| {
        let (width, fill) = from_args::<(usize, Option<char>)>(arguments)?;
        let missing = width.saturating_sub(text.chars().count());
        state.consume_fuel(missing as u64 / 16)?;
        let (before, after) = match (left, right) {
            // CPython's `str.center`: the odd one goes to the left where the width is odd.
            (true, true) => {
                let before = missing / 2 + (missing & width & 1);
                (before, missing - before)
            }
            (true, false) => (missing, 0),
            _ => (0, missing),
        };
        let fill = fill.unwrap_or(' ');
        let filled = |count: usize| std::iter::repeat_n(fill, count);
        Ok(Value::from(filled(before).chain(text.chars()).chain(filled(after)).collect::<String>()))
    };
    let parts = |last: bool| {
        let (separator,) = from_args::<(&str,)>(arguments)?;
        if separator.is_empty() {
            return Err(failed("empty separator"));
        }
        let cut = if last { text.rsplit_once(separator) } else { text.split_once(separator) };
        let three = match cut {
            Some((before, after)) => [before, separator, after],
            None if last => ["", "", text],
            None => [text, "", ""],
        };
        Ok(Value::from(Tuple::from(three.map(Value::from))))
    };
    Some(match method {
        "strip" => one().map(|characters| Value::from(trimmed(text, characters, true, true))),
        "lstrip" => one().map(|characters| Value::from(trimmed(text, characters, true, false))),
        "rstrip" => one().map(|characters| Value::from(trimmed(text, characters, false, true))),
        "split" => split(text, arguments, false),
        "rsplit" => split(text, arguments, true),
        "splitlines" => from_args::<(Option<bool>,)>(arguments).map(|(keep,)| lines(text, keep.unwrap_or(false))),
        "find" => found(false, false),
        "rfind" => found(true, false),
        "index" => found(false, true),
        "rindex" => found(true, true),
        "startswith" => edge(true),
        "endswith" => edge(false),
        "partition" => parts(false),
        "rpartition" => parts(true),
        "removeprefix" => {
            from_args::<(&str,)>(arguments).map(|(part,)| Value::from(text.strip_prefix(part).unwrap_or(text)))
        }
        "removesuffix" => {
            from_args::<(&str,)>(arguments).map(|(part,)| Value::from(text.strip_suffix(part).unwrap_or(text)))
        }
        "center" => padded(true, true),
        "ljust" => padded(false, true),
        "rjust" => padded(true, false),
        "format" => match format_cost(text, arguments) {
            Some(steps) => match state.consume_fuel(steps) {
                Ok(()) => return None,
                Err(error) => Err(error),
            },
            None => Err(failed("format: a width or precision of more than 9999")),
        },
        "isspace" => from_args::<()>(arguments).map(|()| Value::from(!text.is_empty() && text.chars().all(is_space))),
        _ => return None,
    })
}

/// Steps that a `format` may take, or `None` where it pads to an absurd width: nobody else asks before memory is taken.
fn format_cost(text: &str, arguments: &[Value]) -> Option<u64> {
    let is_absurd = text.split(|letter: char| !letter.is_ascii_digit()).any(|digits| digits.len() > 4);
    let places = text.matches('{').count() as u64;
    let sizes: u64 = arguments.iter().map(|argument| argument.as_str().map_or(64, str::len) as u64).sum();
    (!is_absurd).then(|| places.saturating_mul(sizes + 9_999) / 64)
}

/// Python's `str.isspace`: Unicode's white space, and the separators of ASCII.
fn is_space(letter: char) -> bool {
    letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter)
}

/// `strip`, `lstrip`, `rstrip`: without `characters` white space goes.
pub(super) fn trimmed<'text>(text: &'text str, characters: Option<&str>, start: bool, end: bool) -> &'text str {
    let goes = |letter: char| characters.map_or_else(|| is_space(letter), |characters| characters.contains(letter));
    let text = if start { text.trim_start_matches(goes) } else { text };
    if end { text.trim_end_matches(goes) } else { text }
}

/// The part of a text between two characters, counted as a slice counts them, with the characters before it.
fn window(text: &str, start: Option<i64>, end: Option<i64>) -> (usize, &str) {
    if start.is_none() && end.is_none() {
        return (0, text);
    }
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let place = |at: i64| usize::try_from(if at < 0 { (length + at).max(0) } else { at.min(length) }).unwrap_or(0);
    let (start, end) = (place(start.unwrap_or(0)), place(end.unwrap_or(length)));
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    (start, if start < end { &text[byte(start)..byte(end)] } else { "" })
}

/// `split` and `rsplit`, at a separator or at runs of white space.
fn split(text: &str, arguments: &[Value], from_right: bool) -> Result<Value, Error> {
    let (separator, most) = from_args::<(Option<&str>, Option<i64>)>(arguments)?;
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX).saturating_add(1);
    let mut parts: Vec<&str> = match (separator, from_right) {
        (Some(""), _) => return Err(failed("empty separator")),
        (Some(separator), false) => text.splitn(most, separator).collect(),
        (Some(separator), true) => text.rsplitn(most, separator).collect(),
        (None, _) => words(text, most, from_right),
    };
    if from_right {
        parts.reverse();
    }
    Ok(Value::from(parts.into_iter().map(Value::from).collect::<Vec<_>>()))
}

/// At most so many words, from one end; the last of them is all that is left.
fn words(text: &str, most: usize, from_right: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = trimmed(text, None, !from_right, from_right);
    while !rest.is_empty() {
        let cut = if from_right { rest.rfind(is_space) } else { rest.find(is_space) };
        let (word, after) = match cut.filter(|_| parts.len() + 1 < most) {
            Some(at) if from_right => {
                let width = rest[at..].chars().next().map_or(0, char::len_utf8);
                (&rest[at + width..], &rest[..at])
            }
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        parts.push(word);
        rest = trimmed(after, None, !from_right, from_right);
    }
    parts
}

/// `splitlines`: at every line boundary that Python knows.
fn lines(text: &str, keep: bool) -> Value {
    let is_end = |letter: char| {
        matches!(
            letter,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}' | '\u{1d}' | '\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some(at) = rest.find(is_end) else {
            lines.push(Value::from(rest));
            break;
        };
        let width =
            if rest[at..].starts_with("\r\n") { 2 } else { rest[at..].chars().next().map_or(0, char::len_utf8) };
        lines.push(Value::from(&rest[..if keep { at + width } else { at }]));
        rest = &rest[at + width..];
    }
    Value::from(lines)
}
