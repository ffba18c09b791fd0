//! A template as the texts around its texts: what stands before the first, between them and behind the last.
//!
//! A long text can then be read from its beginning, and the template is not rendered for each. It holds for templates that
//! insert their texts as they are, once and in order. Whether one does is tried, with texts that a template might treat in
//! another way: blank and empty ones, long ones, and every string that stands in the template itself.

use super::{Chat, Format, Template, on_deep_stack};
use crate::error::Result;

/// The texts that a template puts around its texts, one more than those.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Around {
    /// Before the first text, between them, behind the last.
    pub texts: Vec<String>,
}

/// More strings of a template than this are not tried; then each text is rendered whole.
const MOST_LITERALS: usize = 400;

impl Around {
    /// The rendered chat with these texts in it.
    #[must_use]
    pub fn with(&self, texts: &[&str]) -> String {
        let mut rendered = String::new();
        for (at, around) in self.texts.iter().enumerate() {
            rendered.push_str(around);
            rendered.push_str(texts.get(at).copied().unwrap_or(""));
        }
        rendered
    }
}

impl Template {
    /// The constant texts around those of a chat of one message a role. `system` are messages before them that stay as they
    /// are, `variables` what else the template is given. `None` where the template trims, repeats, reorders or otherwise
    /// changes its texts, or looks at them: then each has to be rendered whole.
    ///
    /// # Errors
    /// As [`Template::render`], where it fails with plain texts.
    pub fn around(
        &self,
        roles: &[&str],
        format: Format,
        system: &[(&str, &str)],
        variables: &[(&str, serde_json::Value)],
    ) -> Result<Option<Around>> {
        if self.literals.len() > MOST_LITERALS {
            return Ok(None);
        }
        let chat = |texts: &[String]| {
            let own = roles.iter().copied().zip(texts.iter().map(String::as_str));
            let messages: Vec<(&str, &str)> = system.iter().copied().chain(own).collect();
            Chat::of_texts(&messages, format)
                .with_variables(variables.iter().map(|(name, value)| (*name, value.clone())))
        };
        on_deep_stack(|| {
            let plain: Vec<String> = (0..roles.len()).map(|slot| format!("\u{e000}{slot}\u{e001}")).collect();
            let rendered = self.render_here(&chat(&plain))?;
            let Some(around) = split(&rendered, &plain) else { return Ok(None) };
            let mut texts = plain.clone();
            for slot in 0..roles.len() {
                for probe in self.probes() {
                    texts[slot] = probe;
                    let shown: Vec<&str> = texts.iter().map(String::as_str).collect();
                    // A template may refuse a text; then it is no text for it to go around either.
                    if self.render_here(&chat(&texts)).ok().as_deref() != Some(around.with(&shown).as_str()) {
                        return Ok(None);
                    }
                }
                texts[slot].clone_from(&plain[slot]);
            }
            Ok(Some(around))
        })?
    }

    /// Texts that a template may treat in another way.
    fn probes(&self) -> impl Iterator<Item = String> {
        let fixed = ["", " ", " \n\t\u{3000}a\r\nB\u{1f} \n", "<&>\"'\\ {{ x }}{% y %}", "É é ß ŉ", "0", "null"];
        let long = "word Ä\n".repeat(3_000);
        let literals = self.literals.iter().zip(self.literals.iter().cycle().skip(1)).flat_map(|(one, next)| {
            let middle = "\u{e002} Mid\n";
            [
                one.clone(),
                format!("{one}{middle}"),
                format!("{middle}{one}"),
                format!("{one}{middle}{one}"),
                format!("{one}{middle}{next}"),
            ]
        });
        fixed.into_iter().map(str::to_owned).chain([long]).chain(literals)
    }
}

/// What stands around the texts, if each stands there once and in order.
fn split(rendered: &str, texts: &[String]) -> Option<Around> {
    let mut around = Vec::new();
    let mut rest = rendered;
    for text in texts {
        let (before, after) = rest.split_once(text.as_str())?;
        around.push(before.to_owned());
        rest = after;
    }
    around.push(rest.to_owned());
    let is_once = |text: &String| !around.iter().any(|part| part.contains(text.as_str()));
    texts.iter().all(is_once).then_some(Around { texts: around })
}
