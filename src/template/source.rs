//! A template's source, made ready for minijinja, which differs from jinja2 in a few places:
//!
//! - line ends are `\n` alone, as jinja2 makes them
//! - strings are those of Python, with all of its escapes
//! - `{% generation %}` (which of the text the assistant wrote: transformers' own tag) is a block with a scope of its own
//! - `{% set space.name = … %}` stores a checked value: a namespace is the one thing that a loop can put into itself
//!
//! Lines keep their numbers. Size and nesting are bounded, so that what they can make is too (`mod.rs`).

/// The largest source. The largest real ones have 20 kB.
const MOST_BYTES: usize = 256 << 10;
/// Signs that nest or wrap values. The most that real templates have are some 800; each can make a value deeper by one, once a
/// level of recursion.
const MOST_NESTING: usize = 3_000;
/// Words, signs and blanks of one tag. Real ones have some hundreds at most; joining thousands of constants takes minutes.
const MOST_PIECES: usize = 5_000;

/// A source that is ready.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Prepared {
    pub source: String,
    /// Every string that stands in the template's code, once, in their order.
    pub literals: Vec<String>,
}

/// Makes the source ready, or says why it cannot be used.
pub(super) fn prepare(source: &str) -> Result<Prepared, String> {
    if source.len() > MOST_BYTES {
        return Err(format!("the chat template has {} bytes; at most {MOST_BYTES} are taken", source.len()));
    }
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut reader =
        Reader { rest: &source, out: String::with_capacity(source.len() + 64), literals: Vec::new(), nesting: 0 };
    reader.text()?;
    if reader.nesting > MOST_NESTING {
        return Err(format!(
            "the chat template has {} brackets, filters and operators; at most {MOST_NESTING} are taken",
            reader.nesting
        ));
    }
    Ok(Prepared { source: reader.out, literals: reader.literals })
}

struct Reader<'source> {
    rest: &'source str,
    out: String,
    literals: Vec<String>,
    nesting: usize,
}

/// A piece of code.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// As it is written.
    Code(String),
    /// A string, already escaped anew.
    Text(String),
}

impl Piece {
    fn as_str(&self) -> &str {
        match self {
            Piece::Code(code) | Piece::Text(code) => code,
        }
    }
}

impl<'source> Reader<'source> {
    fn take(&mut self, bytes: usize) -> &'source str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn copy(&mut self, bytes: usize) {
        let taken = self.take(bytes);
        self.out.push_str(taken);
    }

    /// Everything: text, and the tags in it.
    fn text(&mut self) -> Result<(), String> {
        while let Some(at) = self.rest.find('{') {
            self.copy(at);
            match self.rest.as_bytes().get(1) {
                Some(b'#') => {
                    let end = self.rest.find("#}").map_or(self.rest.len(), |end| end + 2);
                    self.copy(end);
                }
                Some(b'{') => {
                    self.copy(2);
                    let code = self.code("}}")?;
                    code.iter().for_each(|piece| self.out.push_str(piece.as_str()));
                }
                Some(b'%') => match raw(self.rest) {
                    Some(bytes) => self.copy(bytes),
                    None => self.tag()?,
                },
                _ => self.copy(1),
            }
        }
        self.copy(self.rest.len());
        Ok(())
    }

    /// A tag and its delimiters.
    fn tag(&mut self) -> Result<(), String> {
        let sign = self.rest[2..].starts_with(['-', '+']);
        self.copy(2 + usize::from(sign));
        let mut code = self.code("%}")?;
        let first = code.iter().position(|piece| !piece.as_str().trim().is_empty());
        let name = first.map_or("", |first| code[first].as_str());
        match name {
            "generation" => replace(&mut code, first, "with"),
            "endgeneration" => replace(&mut code, first, "endwith"),
            "set" => checked(&mut code),
            _ => {}
        }
        code.iter().for_each(|piece| self.out.push_str(piece.as_str()));
        Ok(())
    }

    /// The pieces of code up to and with the delimiter `end`, which is none inside of brackets.
    fn code(&mut self, end: &str) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::new();
        let mut open = 0_usize;
        loop {
            let Some(next) = self.rest.chars().next() else { return Ok(pieces) };
            if pieces.len() > MOST_PIECES {
                return Err(format!("the chat template has a tag of more than {MOST_PIECES} words and signs"));
            }
            if open == 0 && self.rest.starts_with(end) {
                pieces.push(Piece::Code(self.take(end.len()).to_owned()));
                return Ok(pieces);
            }
            match next {
                '"' | '\'' => {
                    let Some(bytes) = string_end(self.rest, next) else {
                        // minijinja says where it began.
                        pieces.push(Piece::Code(self.take(self.rest.len()).to_owned()));
                        return Ok(pieces);
                    };
                    let text = unescaped(&self.take(bytes)[1..bytes - 1])?;
                    pieces.push(Piece::Text(escaped(&text)));
                    if !self.literals.contains(&text) {
                        self.literals.push(text);
                    }
                    continue;
                }
                '(' | '[' | '{' => open += 1,
                ')' | ']' | '}' => open = open.saturating_sub(1),
                _ => {}
            }
            self.nesting += usize::from(matches!(next, '(' | '[' | '{' | '|' | ':' | '*' | '+'));
            let word = |letter: char| letter.is_alphanumeric() || letter == '_';
            let bytes = if word(next) {
                self.rest.find(|letter| !word(letter)).unwrap_or(self.rest.len())
            } else {
                next.len_utf8()
            };
            pieces.push(Piece::Code(self.take(bytes).to_owned()));
        }
    }
}

fn replace(code: &mut [Piece], at: Option<usize>, word: &str) {
    if let Some(at) = at {
        code[at] = Piece::Code(word.to_owned());
    }
}

/// `set space.name = value` with the value checked. The last piece, or the last two, are the delimiter.
fn checked(code: &mut Vec<Piece>) {
    let is = |at: usize, sign: &str| matches!(&code[at], Piece::Code(code) if code == sign);
    let Some(equals) = (0..code.len()).find(|at| is(*at, "=")) else { return };
    let is_attribute = (0..equals).any(|at| is(at, "."));
    let Some(mut end) = code.len().checked_sub(1).filter(|end| is(*end, "%}") && is_attribute) else { return };
    if is(end - 1, "-") || is(end - 1, "+") {
        end -= 1;
    }
    if end > equals {
        code.insert(end, Piece::Code(format!(")|{CHECKED} ")));
        code.insert(equals + 1, Piece::Code(" (".into()));
    }
}

/// The filter that checks what a namespace is given. No template knows its name.
pub(super) const CHECKED: &str = "__checked";

/// Bytes of a raw block at the beginning of `text`, if it is one.
fn raw(text: &str) -> Option<usize> {
    let tag = |text: &str, name: &str| -> Option<usize> {
        let inside = text.strip_prefix("{%")?;
        let inside = inside.strip_prefix(['-', '+']).unwrap_or(inside).trim_start().strip_prefix(name)?.trim_start();
        let after = inside.strip_prefix(['-', '+']).unwrap_or(inside).strip_prefix("%}")?;
        Some(text.len() - after.len())
    };
    let begin = tag(text, "raw")?;
    let mut at = begin;
    while let Some(found) = text[at..].find("{%") {
        at += found;
        match tag(&text[at..], "endraw") {
            Some(end) => return Some(at + end),
            None => at += 2,
        }
    }
    Some(text.len())
}

/// Bytes of the string at the beginning of `text`, with its quotes.
fn string_end(text: &str, quote: char) -> Option<usize> {
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            letter if letter == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// What a string of Python means, by the escapes of its `unicode-escape`.
fn unescaped(inside: &str) -> Result<String, String> {
    let mut text = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(letter) = rest.chars().next() else { break };
        rest = &rest[letter.len_utf8()..];
        let plain = match letter {
            '\n' => None,
            '\\' | '\'' | '"' => Some(letter),
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            '0'..='7' => {
                let more = rest.bytes().take(2).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
                let digits = format!("{letter}{}", &rest[..more]);
                rest = &rest[more..];
                u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32)
            }
            'x' => Some(by_number(&mut rest, 2)?),
            'u' => Some(by_number(&mut rest, 4)?),
            'U' => Some(by_number(&mut rest, 8)?),
            'N' => {
                return Err("a string of the chat template names a character (\\N{…}), which is not supported".into());
            }
            other => {
                text.push('\\');
                Some(other)
            }
        };
        text.extend(plain);
    }
    text.push_str(rest);
    Ok(text)
}

/// The character of so many hexadecimal digits; of two surrogates that stand one after the other.
fn by_number(rest: &mut &str, digits: usize) -> Result<char, String> {
    fn number(rest: &mut &str, digits: usize) -> Option<u32> {
        let found = rest.get(..digits).filter(|found| found.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        let number = u32::from_str_radix(found, 16).ok()?;
        *rest = &rest[digits..];
        Some(number)
    }
    let wrong = || "a string of the chat template has an escape that is no character".to_owned();
    let first = number(rest, digits).ok_or_else(wrong)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).ok_or_else(wrong);
    }
    let second = rest.strip_prefix("\\u").and_then(|mut after| {
        let second = number(&mut after, 4).filter(|second| (0xdc00..0xe000).contains(second))?;
        *rest = after;
        Some(second)
    });
    second.and_then(|second| char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))).ok_or_else(wrong)
}

/// The text as a string that minijinja reads. New lines stay, for the lines' numbers.
fn escaped(text: &str) -> String {
    let mut string = String::with_capacity(text.len() + 2);
    string.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => string.extend(['\\', letter]),
            '\r' => string.push_str("\\r"),
            other => string.push(other),
        }
    }
    string.push('"');
    string
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(template: &str) -> String {
        prepare(template).expect("a source").source
    }

    #[test]
    fn only_what_differs_is_changed() {
        for (template, expected) in [
            ("a\r\nb\rc", "a\nb\nc"),
            ("{% generation %}x{%- endgeneration -%}", "{% with %}x{%- endwith -%}"),
            ("{{ '{% generation %}' }}{# {% generation %} #}", "{{ \"{% generation %}\" }}{# {% generation %} #}"),
            (
                "{%- raw -%}{% generation %}'{%- endraw -%}{{'a'}}",
                "{%- raw -%}{% generation %}'{%- endraw -%}{{\"a\"}}",
            ),
            ("{% set ns.x = a, 'b' -%}", "{% set ns.x = ( a, \"b\" )|__checked -%}"),
            ("{% set x = a.b == c %}", "{% set x = a.b == c %}"),
            ("{% set ns.x %}a{% endset %}", "{% set ns.x %}a{% endset %}"),
            ("{{ {'a': {'b': 1}} }}{{ '}}' }}", "{{ {\"a\": {\"b\": 1}} }}{{ \"}}\" }}"),
            (r#"{{ 'it\'s "\x41\101\u00e9\U0001F600\ud83d\ude00\q\a' }}"#, "{{ \"it's \\\"AAé😀😀\\\\q\u{7}\" }}"),
            ("{{ 'unfinished", "{{ 'unfinished"),
            ("{% if 'a", "{% if 'a"),
            ("{", "{"),
        ] {
            assert_eq!(source(template), expected, "{template}");
        }
    }

    #[test]
    fn strings_of_the_code_are_known() {
        let prepared =
            prepare("'no' {# 'no' #}{% if x == 'a' or x == \"b\\n\" %}{{ 'a' }}{% endif %}").expect("a source");
        assert_eq!(prepared.literals, ["a", "b\n"]);
    }

    #[test]
    fn what_is_too_much_is_refused() {
        assert!(prepare(&" ".repeat(MOST_BYTES + 1)).expect_err("too large").contains("bytes"));
        assert!(prepare(&"{{ [1] }}".repeat(MOST_NESTING + 1)).expect_err("too deep").contains("brackets"));
        assert!(prepare(&format!("{{{{ 1{} }}}}", "~1".repeat(MOST_PIECES))).expect_err("too long").contains("a tag"));
        assert!(prepare(r"{{ '\N{BULLET}' }}").expect_err("named").contains("\\N"));
        assert!(prepare(r"{{ '\ud83d' }}").is_err());
    }
}
