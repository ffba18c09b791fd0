//! A JSON object of one of the model's files, and the checks of what its keys hold.

use serde_json::Value;

use crate::error::{Error, Result};

/// A JSON object that knows its file's name, so that every complaint names file and key. `null` counts as absent.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// The file, relative to the model's folder.
    pub file: String,
    map: serde_json::Map<String, Value>,
}

impl Object {
    /// The object that `file` holds.
    #[must_use]
    pub fn new(file: &str, map: serde_json::Map<String, Value>) -> Self {
        Object { file: file.to_owned(), map }
    }

    /// The value, where it is there and not `null`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Whether the key is there, if only with `null`.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// The object inside this one.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the value is of another type; so for the three below.
    pub fn object(&self, key: &str) -> Result<Option<Object>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let map = value.as_object().cloned().ok_or_else(|| self.wrong(key, "an object"))?;
        Ok(Some(Object { file: self.file.clone(), map }))
    }

    /// A text.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the value is of another type.
    pub fn text(&self, key: &str) -> Result<Option<&str>> {
        self.get(key).map(|value| value.as_str().ok_or_else(|| self.wrong(key, "a string"))).transpose()
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the value is of another type.
    pub fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.get(key).map(|value| value.as_bool().ok_or_else(|| self.wrong(key, "true or false"))).transpose()
    }

    /// A whole number of at least 0. Python writes 1e30 for "no limit"; such a number is [`usize::MAX`].
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where the value is of another type or negative.
    pub fn count(&self, key: &str) -> Result<Option<usize>> {
        self.get(key)
            .map(|value| match (value.as_u64(), value.as_f64()) {
                (Some(count), _) => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
                (None, Some(float)) if float >= 0.0 => Ok(float as usize),
                _ => Err(self.wrong(key, "a whole number of at least 0")),
            })
            .transpose()
    }

    /// An error that says what the key should hold.
    #[must_use]
    pub fn wrong(&self, key: &str, expected: &str) -> Error {
        let mut found = self.map.get(key).map_or_else(|| "nothing".to_owned(), ToString::to_string);
        if found.chars().count() > 80 {
            found = found.chars().take(80).chain("…".chars()).collect();
        }
        Error::invalid_model(format!("{}: expected {expected} for \"{key}\" but found {found}", self.file))
    }

    /// Takes over the keys of `other`, which are stronger.
    pub fn overlay(&mut self, other: &Object) {
        self.map.extend(other.map.clone());
    }

    /// The keys and values.
    pub fn entries(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.map.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absurd_number_is_no_limit() {
        let map = serde_json::from_str(r#"{"a": 1000000000000000019884624838656, "b": -1, "c": null}"#).expect("json");
        let object = Object { file: "tokenizer_config.json".into(), map };
        assert_eq!(object.count("a").expect("count"), Some(usize::MAX));
        assert!(object.count("b").is_err());
        assert_eq!(object.count("c").expect("count"), None);
    }
}
