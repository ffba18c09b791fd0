//! `1_Pooling/config.json` in both schemas: booleans (up to sentence-transformers 5.3) and `pooling_mode` (from 5.4).

use super::EmbeddingSpec;
use crate::error::{Error, Result};
use crate::files::Object;
use crate::options::Pooling;

/// The old schema's booleans, in the order in which the reference concatenates them.
const POOLING_FLAGS: [(&str, Pooling); 6] = [
    ("pooling_mode_cls_token", Pooling::Cls),
    ("pooling_mode_max_tokens", Pooling::Max),
    ("pooling_mode_mean_tokens", Pooling::Mean),
    ("pooling_mode_mean_sqrt_len_tokens", Pooling::MeanSqrtLen),
    ("pooling_mode_weightedmean_tokens", Pooling::WeightedMean),
    ("pooling_mode_lasttoken", Pooling::Last),
];

pub(super) fn read_pooling(config: &Object, spec: &mut EmbeddingSpec) -> Result<()> {
    spec.include_prompt = config.flag("include_prompt")?.unwrap_or(true);
    spec.pooling = match config.get("pooling_mode") {
        Some(serde_json::Value::String(mode)) => vec![pooling_mode(config, mode)?],
        Some(serde_json::Value::Array(modes)) if !modes.is_empty() => modes
            .iter()
            .map(|mode| {
                let word = mode.as_str().ok_or_else(|| config.wrong("pooling_mode", "a list of strings"))?;
                pooling_mode(config, word)
            })
            .collect::<Result<_>>()?,
        Some(_) => return Err(config.wrong("pooling_mode", "a string or a list of strings")),
        None => {
            let mut pooling = Vec::new();
            for (key, mode) in POOLING_FLAGS {
                if config.flag(key)?.unwrap_or(false) {
                    pooling.push(mode);
                }
            }
            let unknown = config.entries().find(|(key, value)| {
                key.starts_with("pooling_mode_")
                    && value.as_bool() == Some(true)
                    && !POOLING_FLAGS.iter().any(|(known, _)| known == key)
            });
            if let Some((key, _)) = unknown {
                return Err(Error::ModelUnsupported(format!(
                    "{}: \"{key}\" is true, which is not supported",
                    config.file
                )));
            }
            if pooling.is_empty() { vec![Pooling::Mean] } else { pooling }
        }
    };
    Ok(())
}

fn pooling_mode(config: &Object, mode: &str) -> Result<Pooling> {
    Ok(match mode {
        "cls" => Pooling::Cls,
        "max" => Pooling::Max,
        "mean" => Pooling::Mean,
        "mean_sqrt_len_tokens" => Pooling::MeanSqrtLen,
        "weightedmean" => Pooling::WeightedMean,
        "lasttoken" => Pooling::Last,
        _ => {
            return Err(Error::ModelUnsupported(format!(
                "{}: \"pooling_mode\" is \"{mode}\". Known are cls, max, mean, mean_sqrt_len_tokens, weightedmean and lasttoken",
                config.file
            )));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooling(json: &str) -> Result<EmbeddingSpec> {
        let object = Object::new("p.json", serde_json::from_str(json).expect("json"));
        let mut spec = EmbeddingSpec::default();
        read_pooling(&object, &mut spec).map(|()| spec)
    }

    #[test]
    fn both_schemas_are_read() {
        let old =
            pooling(r#"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true, "include_prompt": false}"#);
        let old = old.expect("old schema");
        assert_eq!(old.pooling, [Pooling::Cls, Pooling::Mean]);
        assert!(!old.include_prompt);
        let new =
            pooling(r#"{"pooling_mode": ["lasttoken", "cls"], "pooling_mode_max_tokens": true}"#).expect("new schema");
        assert_eq!(new.pooling, [Pooling::Last, Pooling::Cls]);
        assert!(new.include_prompt);
        assert_eq!(pooling("{}").expect("empty").pooling, [Pooling::Mean]);
    }

    #[test]
    fn an_unknown_pooling_is_an_error_with_file_and_value() {
        let error = pooling(r#"{"pooling_mode": "attention"}"#).expect_err("unknown");
        assert_eq!(error.code(), "ERR_MODEL_UNSUPPORTED");
        assert!(error.to_string().contains("p.json") && error.to_string().contains("attention"), "{error}");
        assert_eq!(
            pooling(r#"{"pooling_mode_attention": true}"#).expect_err("unknown").code(),
            "ERR_MODEL_UNSUPPORTED"
        );
        assert_eq!(pooling(r#"{"pooling_mode_cls_token": 1}"#).expect_err("type").code(), "ERR_MODEL_INVALID");
    }
}
