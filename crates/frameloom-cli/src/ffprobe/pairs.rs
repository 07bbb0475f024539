//! Sections as keys and values.

use frameloom::internal::ffprobe::{FactSection, FactValue};

/// A section's keys and values, in its order, with what stands before the key.
pub(super) type Pairs = Vec<(String, FactValue)>;

/// What a display matrix says, as a section of its own.
pub(super) fn turned(section: &FactSection) -> Option<Pairs> {
    let (degrees, matrix) = section.turned.clone()?;
    Some(vec![
        ("side_data_type".to_owned(), FactValue::Text("Display Matrix".to_owned())),
        ("displaymatrix".to_owned(), FactValue::Text(matrix)),
        ("rotation".to_owned(), FactValue::Number(degrees)),
    ])
}

pub(super) fn facts(section: &FactSection) -> Pairs {
    section.facts.iter().map(|fact| (fact.key.to_owned(), fact.value.clone())).collect()
}

pub(super) fn disposition(section: &FactSection) -> Pairs {
    let pair = |(key, value): &(&str, i64)| ((*key).to_owned(), FactValue::Number(*value));
    section.disposition.iter().map(pair).collect()
}

pub(super) fn tags(section: &FactSection) -> Pairs {
    let pair = |(key, value): &(String, String)| (key.clone(), FactValue::Text(value.clone()));
    section.tags.iter().map(pair).collect()
}

pub(super) fn text(value: &FactValue) -> String {
    match value {
        FactValue::Number(number) => number.to_string(),
        FactValue::Text(text) => text.clone(),
        FactValue::Unknown(text) => (*text).to_owned(),
    }
}
