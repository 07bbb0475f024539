//! What the user can do about the program's own words, as data.

use serde::{Deserialize, Serialize};

use super::sentence::{Sentence, sentence};
use super::setting::Setting;
use super::wording::Wording;

/// What the user can do about words that the program takes beside the library's options: its verbs,
/// and what is given to a server or the demo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProgramHint {
    /// These verbs exist.
    Verbs(Vec<String>),
    /// Name an input.
    NameInput,
    /// A COMMAND stands behind two dashes.
    DashesBeforeCommand,
    /// Name an output, or give code.
    NameOutputOrCode,
    /// Options stand before the input.
    BeforeInput,
    /// Options stand before the input or output that they belong to.
    BeforeItsEnd,
    /// This setting is the one for a COMMAND.
    ForCommand(Setting),
    /// The verb takes these settings, and code.
    SettingsAndCode(Vec<Setting>),
    /// The verb takes settings alone, written as this one.
    SettingsAlone(Setting),
    /// The verb has a help of its own.
    HelpOf(String),
    /// Write an address to listen on.
    WriteAddress,
    /// Write origins of pages.
    WriteOrigins,
    /// Write a size of memory.
    WriteBytes,
    /// This setting lists the names there are.
    ListedBy(Setting),
    /// A program makes tokens.
    MakeToken,
    /// Give a token of at least so many characters, by this variable or setting.
    GiveToken {
        /// How many.
        least_characters: usize,
        /// The environment variable.
        variable: String,
        /// The setting.
        setting: Setting,
    },
    /// Install what is missing, or give code.
    InstallOrGiveCode,
    /// Run the program by itself, not inside another.
    RunByItself,
}

impl ProgramHint {
    /// The sentence for it.
    pub(super) fn sentence(&self, wording: &dyn Wording) -> Sentence {
        match self {
            ProgramHint::Verbs(verbs) => sentence!("the verbs are {}", verbs.join(", ")),
            ProgramHint::NameInput => sentence!(
                "write {} and its name; {}",
                Setting::ffmpeg("i"),
                wording.list_of_options()
            ),
            ProgramHint::DashesBeforeCommand => "write -- before a COMMAND".into(),
            ProgramHint::NameOutputOrCode => sentence!("name an OUTPUT, or {}", wording.code()),
            ProgramHint::BeforeInput => "options stand before the INPUT".into(),
            ProgramHint::BeforeItsEnd => {
                "options stand before the INPUT or OUTPUT they belong to".into()
            }
            ProgramHint::ForCommand(setting) => sentence!("for COMMAND there is {}", setting),
            ProgramHint::SettingsAndCode(settings) => {
                sentence!("it takes {}; {}", Sentence::list(settings, "and"), wording.code())
            }
            ProgramHint::SettingsAlone(setting) => {
                sentence!("it takes options alone, as {}", setting)
            }
            ProgramHint::HelpOf(verb) => sentence!("see frameloom {} -h", verb),
            ProgramHint::WriteAddress => "write HOST:PORT, such as 0.0.0.0:1935, or none".into(),
            ProgramHint::WriteOrigins => {
                "write what stands before the path in the address line, as https://pages.example, or *"
                    .into()
            }
            ProgramHint::WriteBytes => "write a number of bytes, or one as 512M or 2G".into(),
            ProgramHint::ListedBy(setting) => sentence!("{} lists them", setting),
            ProgramHint::MakeToken => "make one with: openssl rand -hex 16".into(),
            ProgramHint::GiveToken { least_characters, variable, setting } => sentence!(
                "give a token of {} characters or more as ${} or {}, or listen on 127.0.0.1",
                *least_characters,
                variable,
                setting
            ),
            ProgramHint::InstallOrGiveCode => sentence!("install them, or {}", wording.code()),
            ProgramHint::RunByItself => "run frameloom as a program of its own".into(),
        }
    }
}
