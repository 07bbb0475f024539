//! What is wrong with a setting or a change, as data: what the API answers beside its sentence.

use frameloom::internal::SentencePart;
use frameloom::{Error, ErrorKind, ExpectedValue, Hint, Sentence, Setting, ValueKind, Wording};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::wording::Keys;

/// What kind of thing is wrong, for a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// A key is needed and not there.
    Missing,
    /// Nothing knows a key or an option of this name.
    Unknown,
    /// A value is of another type, such as a number in place of a string.
    WrongType,
    /// A value is none that its key or option takes.
    WrongValue,
    /// A value has `***` in it, as hidden ones are shown.
    Hidden,
    /// The name is none that a pipeline can have, or another one than that of the pipeline.
    WrongName,
    /// There is no such program.
    NoProgram,
    /// A file or folder is not there.
    NotFound,
    /// A file is there already, and may not be overwritten.
    AlreadyExists,
    /// The system doesn't allow it.
    NotAllowed,
    /// What is asked for can't be, for another reason.
    #[default]
    Invalid,
    /// There is a pipeline of this name.
    NameTaken,
    /// Another pipeline has the same output.
    OutputTaken,
    /// The output comes back as the input.
    Circle,
    /// There is no such pipeline.
    NoPipeline,
    /// There is no such model.
    NoModel,
    /// The pipeline was changed by somebody else.
    Changed,
    /// The server can take no more.
    Full,
    /// It is done, but could not be written to the file.
    NotSaved,
    /// The request itself is wrong: no JSON, too long, of another content type.
    BadRequest,
}

/// What is wrong, for a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct FaultDetails {
    pub(crate) kind: FaultKind,
    /// The key that it is about, with the tables and numbers that lead to it: `outputs.1`,
    /// `output_options.g`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// What the key takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<ExpectedValue>,
    /// What resembles the name or value that was given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) near: Vec<String>,
    /// The pipelines that it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) pipelines: Vec<String>,
    /// Why, as text and settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cause: Vec<Json>,
    /// What to do about it, in the same way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) advice: Vec<Json>,
}

impl FaultDetails {
    pub(crate) fn of_kind(kind: FaultKind) -> FaultDetails {
        FaultDetails { kind, ..FaultDetails::default() }
    }

    /// What an error of the library or of the command line says, about `key` where that is known.
    pub(crate) fn of_error(error: &Error, key: Option<String>) -> FaultDetails {
        let plain = |kind| FaultDetails::of_kind(kind);
        let wrong = |kind| FaultDetails {
            expected: Some(ExpectedValue::named(kind, [])),
            ..plain(FaultKind::WrongValue)
        };
        let names = |near: &[Setting]| near.iter().map(|near| Keys.name(near)).collect();
        let details = match (error.advice(), error.kind()) {
            (Some(Hint::Takes(expected)), _) => FaultDetails {
                near: expected.near.clone(),
                expected: Some(expected.clone()),
                ..plain(FaultKind::WrongValue)
            },
            (Some(Hint::OneOf { near, all }), _) => FaultDetails {
                near: near.clone(),
                expected: Some(ExpectedValue::named(ValueKind::Name, all.iter().cloned())),
                ..plain(FaultKind::WrongValue)
            },
            (Some(Hint::WriteTime), _) => wrong(ValueKind::Time),
            (Some(Hint::WriteSize), _) => wrong(ValueKind::Size),
            (Some(Hint::WriteRate), _) => wrong(ValueKind::Rate),
            (Some(Hint::DidYouMean(near)), _) => {
                FaultDetails { near: near.clone(), ..plain(FaultKind::WrongValue) }
            }
            (Some(Hint::DidYouMeanSetting(near)), _) => {
                FaultDetails { near: names(near), ..plain(FaultKind::Unknown) }
            }
            (Some(Hint::ListOfOptions), _) => plain(FaultKind::Unknown),
            (_, ErrorKind::NotFound) => plain(FaultKind::NotFound),
            (_, ErrorKind::AlreadyExists) => plain(FaultKind::AlreadyExists),
            (_, ErrorKind::PermissionDenied) => plain(FaultKind::NotAllowed),
            _ => plain(FaultKind::Invalid),
        };
        let advice = error.advice_sentence(&Keys);
        FaultDetails {
            key,
            cause: parts(error.cause()),
            advice: advice.as_ref().map(parts).unwrap_or_default(),
            ..details
        }
    }
}

/// A sentence as text and settings, each by its key.
fn parts(sentence: &Sentence) -> Vec<Json> {
    let part = |part: &SentencePart| match part {
        SentencePart::Text(text) => json!(text),
        SentencePart::Setting(setting) => match setting.value() {
            Some(value) => json!({ "setting": Keys.name(setting), "value": value }),
            None => json!({ "setting": Keys.name(setting) }),
        },
        SentencePart::Sentence(_) => Json::Null,
    };
    sentence.flat().map(part).collect()
}
