//! How far a regular expression can look: whether later text, however long, can change what it matched before.
//!
//! A tokenizer that groups digits from the right (`\d{1,3}(?=(?:\d{3})*(?!\d))`) reads a number to its end before it
//! knows the first group. Most patterns look at no more than the next character. This reads the pattern itself: which
//! characters can an expression walk over without bound? Where that cannot be said, nothing is promised.
//!
//! The syntax is Oniguruma's, in which `tokenizer.json` writes its patterns.

/// What lies between a place in a text and the end of what a pattern looks at from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sight {
    /// A few characters.
    Bounded,
    /// A run of characters that match any of these expressions.
    Run(Vec<String>),
    /// Perhaps all that follows.
    Everything,
}

/// How far the pattern's look-aheads go beyond what it matches.
pub(super) fn look_ahead(pattern: &str) -> Sight {
    sight(pattern, false)
}

/// How far the pattern itself goes, look-aheads included.
pub(super) fn extent(pattern: &str) -> Sight {
    sight(pattern, true)
}

fn sight(pattern: &str, whole: bool) -> Sight {
    let mut reader = Reader { rest: pattern, ignores_case: false };
    let Some(nodes) = reader.alternatives(0).filter(|_| reader.rest.is_empty()) else { return Sight::Everything };
    let mut found = Vec::new();
    let understood = if whole {
        runs(&nodes, &mut found)
    } else {
        look_aheads(&nodes).into_iter().all(|inner| runs(inner, &mut found))
    };
    match (understood, found.is_empty()) {
        (false, _) => Sight::Everything,
        (true, true) => Sight::Bounded,
        (true, false) => Sight::Run(found),
    }
}

/// A part of an expression.
#[derive(Debug)]
struct Node {
    kind: Kind,
    /// Whether it may be repeated without end.
    endless: bool,
}

#[derive(Debug)]
enum Kind {
    /// One character that matches this expression.
    Character(String),
    /// Any character.
    Any,
    /// A place without a character: `^`, `\b`, and what stands behind.
    Place,
    Group(Vec<Node>),
    LookAhead(Vec<Node>),
}

/// The insides of all look-aheads, however deep they stand.
fn look_aheads(nodes: &[Node]) -> Vec<&[Node]> {
    nodes
        .iter()
        .flat_map(|node| match &node.kind {
            Kind::LookAhead(inner) => vec![inner.as_slice()],
            Kind::Group(inner) => look_aheads(inner),
            _ => Vec::new(),
        })
        .collect()
}

/// Puts the characters of an expression that is endless somewhere into `found`: what stands before and behind the endless
/// part is walked over as well. False where that can be any character.
fn runs(nodes: &[Node], found: &mut Vec<String>) -> bool {
    !nodes.iter().any(is_endless) || characters(nodes, found)
}

fn is_endless(node: &Node) -> bool {
    node.endless
        || match &node.kind {
            Kind::Group(inner) | Kind::LookAhead(inner) => inner.iter().any(is_endless),
            _ => false,
        }
}

fn characters(nodes: &[Node], found: &mut Vec<String>) -> bool {
    nodes.iter().all(|node| match &node.kind {
        Kind::Character(expression) => {
            if !found.contains(expression) {
                found.push(expression.clone());
            }
            true
        }
        Kind::Any => false,
        Kind::Place => true,
        Kind::Group(inner) | Kind::LookAhead(inner) => characters(inner, found),
    })
}

/// Deeper nesting is somebody's attempt to exhaust the stack.
const DEEPEST: usize = 64;

struct Reader<'pattern> {
    rest: &'pattern str,
    ignores_case: bool,
}

/// `None` wherever something is not understood.
impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn takes(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// All parts up to the group's end: in which order and under which alternative they stand does not matter here.
    fn alternatives(&mut self, depth: usize) -> Option<Vec<Node>> {
        let mut nodes = Vec::new();
        while let Some(next) = self.peek() {
            match next {
                ')' => break,
                '|' => drop(self.next()),
                _ => {
                    let kind = self.part(depth)?;
                    let endless = self.quantifier();
                    nodes.push(Node { kind, endless });
                }
            }
        }
        Some(nodes)
    }

    fn part(&mut self, depth: usize) -> Option<Kind> {
        let start = self.rest;
        Some(match self.next()? {
            '(' => return self.group(depth),
            '[' => {
                self.set()?;
                self.character(&start[..start.len() - self.rest.len()])
            }
            '\\' => return self.escape(start),
            '.' => Kind::Any,
            '^' | '$' => Kind::Place,
            '*' | '+' | '?' => return None,
            literal => self.character(&escaped(literal)),
        })
    }

    fn character(&self, expression: &str) -> Kind {
        let flags = if self.ignores_case { "(?i)" } else { "" };
        Kind::Character(format!("{flags}{expression}"))
    }

    fn group(&mut self, depth: usize) -> Option<Kind> {
        if depth == DEEPEST {
            return None;
        }
        let before = self.ignores_case;
        let make: fn(Vec<Node>) -> Kind = if self.takes("?=") || self.takes("?!") {
            Kind::LookAhead
        } else if self.takes("?<=") || self.takes("?<!") {
            |_| Kind::Place
        } else if self.takes("?:") || self.takes("?>") {
            Kind::Group
        } else if self.takes("?#") {
            let end = self.rest.find(')')?;
            self.rest = &self.rest[end + 1..];
            return Some(Kind::Place);
        } else if self.takes("?<") || self.takes("?P<") {
            let end = self.rest.find('>')?;
            self.rest = &self.rest[end + 1..];
            Kind::Group
        } else if self.takes("?") {
            let mut on = true;
            loop {
                match self.next()? {
                    '-' => on = false,
                    'i' => self.ignores_case = on,
                    'm' | 's' | 'x' => {}
                    ':' => break Kind::Group,
                    // `(?i)` holds to the end of the group around it.
                    ')' => return Some(Kind::Place),
                    _ => return None,
                }
            }
        } else {
            Kind::Group
        };
        let inner = self.alternatives(depth + 1)?;
        self.ignores_case = before;
        self.takes(")").then(|| make(inner))
    }

    /// Behind `[`: to the matching `]`.
    fn set(&mut self) -> Option<()> {
        let mut depth = 1;
        self.takes("^");
        // A bracket that comes first is a character.
        self.takes("]");
        while depth > 0 {
            match self.next()? {
                '\\' => drop(self.next()?),
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => {}
            }
        }
        Some(())
    }

    /// Behind `\`.
    fn escape(&mut self, start: &str) -> Option<Kind> {
        match self.next()? {
            'b' | 'B' | 'A' | 'z' | 'Z' | 'G' => return Some(Kind::Place),
            'N' | 'O' | 'X' => return Some(Kind::Any),
            'R' => return Some(self.character(r"\s")),
            // References to what was matched before, and calls.
            '0'..='9' | 'k' | 'g' | 'K' | 'y' | 'Y' | 'Q' | 'E' | 'c' | 'C' | 'M' => return None,
            'p' | 'P' if self.takes("{") => self.skip_to('}')?,
            'x' | 'u' if self.takes("{") => self.skip_to('}')?,
            'x' => self.rest = self.rest.get(2..)?,
            'u' => self.rest = self.rest.get(4..)?,
            _ => {}
        }
        Some(self.character(&start[..start.len() - self.rest.len()]))
    }

    fn skip_to(&mut self, end: char) -> Option<()> {
        let at = self.rest.find(end)?;
        self.rest = &self.rest[at + end.len_utf8()..];
        Some(())
    }

    /// Whether what stands before is repeated without end.
    fn quantifier(&mut self) -> bool {
        let mut endless = false;
        loop {
            if self.takes("*") || self.takes("+") {
                endless = true;
            } else if self.takes("?") {
            } else if let Some(most) = self.counted() {
                endless |= most.is_none();
            } else {
                return endless;
            }
        }
    }

    /// `{n}`, `{n,m}`, `{,m}`: the most, `None` where there is no such bound. Other braces are characters.
    fn counted(&mut self) -> Option<Option<usize>> {
        let inside = self.rest.strip_prefix('{')?;
        let (inside, rest) = inside.split_once('}')?;
        let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(least) || !is_number(most) || inside.is_empty() || inside == "," {
            return None;
        }
        self.rest = rest;
        Some(most.parse().ok())
    }
}

fn escaped(literal: char) -> String {
    if literal.is_ascii_punctuation() { format!("\\{literal}") } else { literal.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The patterns of the tokenizers that people use (GPT-2, Llama 3, Qwen, DeepSeek) look at the next character only.
    #[test]
    fn the_known_byte_level_patterns_see_a_character() {
        for pattern in [
            r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"[!-/:-~]+[A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"[一-龥\u{3040}-\u{30ff}]+",
        ] {
            assert_eq!(look_ahead(pattern), Sight::Bounded, "{pattern}");
        }
    }

    #[test]
    fn an_endless_look_ahead_is_a_run_of_its_characters() {
        let run = |characters: &[&str]| Sight::Run(characters.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(look_ahead(r"\d{1,3}(?=(?:\d{3})*(?!\d))"), run(&[r"\d"]));
        assert_eq!(look_ahead(r"\d{1,3}(?=(\d{3})*+\b)|\w+"), run(&[r"\d"]));
        assert_eq!(look_ahead(r"x(?=a[bc]{2,}d)"), run(&["a", "[bc]", "d"]));
        assert_eq!(look_ahead(r"x(?=\p{Lu}+\x{2e}?[^\]x])"), run(&[r"\p{Lu}", r"\x{2e}", r"[^\]x]"]));
        assert_eq!(look_ahead(r"(?i)x(?!ab*)"), run(&["(?i)a", "(?i)b"]));
        assert_eq!(look_ahead(r"x(?=a{2,5})y*"), Sight::Bounded);
        assert_eq!(look_ahead(r"x(?<=a*)y"), Sight::Bounded);
        assert_eq!(extent(" {2,}"), run(&[r" "]));
        assert_eq!(extent(r"\s+$"), run(&[r"\s"]));
        assert_eq!(extent("ab?c{3}"), Sight::Bounded);
    }

    #[test]
    fn what_is_not_understood_promises_nothing() {
        for pattern in [r"x(?=.*y)", r"(a)\1(?=b)", r"(?(1)a|b)", "(", "a)", "*", r"x(?=\X*)", &"(".repeat(1000)] {
            assert_eq!(look_ahead(pattern), Sight::Everything, "{pattern}");
        }
        assert_eq!(extent("a.*b"), Sight::Everything);
    }
}
