use serde_json::json;

use super::*;
use crate::options::keys::KeyType;

/// The API's description of a pipeline's settings has the keys and values of the table.
#[test]
fn the_description_of_the_api_has_every_key() {
    let text = include_str!("../../api/openapi.json");
    let description: Json = serde_json::from_str(text).unwrap();
    for (schema, more) in [("Settings", &[][..]), ("NewPipeline", &["name"])] {
        let described = &description["components"]["schemas"][schema]["properties"];
        let described = described.as_object().unwrap();
        let own = KEYS.iter().map(|key| key.name);
        let known: Vec<String> = own.chain(more.iter().copied()).map(str::to_owned).collect();
        let known: Vec<String> = known.into_iter().chain(option_keys().map(Row::key)).collect();
        for key in described.keys() {
            assert!(known.contains(key), "{schema} has '{key}', which no pipeline has");
        }
        for key in &known {
            assert!(described.contains_key(key), "{schema} lacks '{key}'");
        }
        for key in KEYS {
            let found = &described[key.name];
            let expected = match key.value {
                KeyType::Text => json!("string"),
                KeyType::Scalar => json!(["string", "number"]),
                KeyType::Flag => json!("boolean"),
                KeyType::Words => json!("array"),
                KeyType::Variables => json!("object"),
                KeyType::Texts => json!(["string", "array"]),
                KeyType::FfmpegOptions | KeyType::Ends => json!(null),
                KeyType::ModelOptions | KeyType::Count | KeyType::Size => {
                    panic!("{} is no key of a pipeline", key.name)
                }
            };
            assert_eq!(found["type"], expected, "{schema}.{}", key.name);
            let referred = match key.value {
                KeyType::FfmpegOptions => json!("#/components/schemas/FfmpegOptions"),
                KeyType::Ends => json!("#/components/schemas/Ends"),
                _ => json!(null),
            };
            assert_eq!(found["$ref"], referred, "{schema}.{}", key.name);
        }
        for row in option_keys() {
            let (key, found) = (row.key(), &described[&row.key()]);
            let expected = match row.value {
                ValueType::Flag => json!("boolean"),
                ValueType::Duration | ValueType::Number => json!(["string", "number"]),
                ValueType::Integer => json!(["string", "integer"]),
                ValueType::Choice(names) if names.contains(&"yes") => {
                    json!(["string", "boolean"])
                }
                _ => json!("string"),
            };
            assert_eq!(found["type"], expected, "{schema}.{key}");
            let values = found["enum"].as_array().map(Vec::as_slice).unwrap_or_default();
            for choice in row.choices() {
                assert!(values.contains(&json!(choice)), "{schema}.{key} lacks {choice}");
            }
            for value in values.iter().filter_map(Json::as_str) {
                assert!(row.choices().contains(&value), "{schema}.{key} has {value}");
            }
        }
    }
}
