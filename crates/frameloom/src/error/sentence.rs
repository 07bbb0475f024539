//! Sentences that name settings as data.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::setting::Setting;
use super::wording::{Wording, default_wording};

/// A sentence, or a part of one, in which settings are data until it is shown.
///
/// Its `Display` writes them as the front that runs does; [`Sentence::display`] writes them in
/// another front's words. [`sentence!`](crate::sentence) makes one with settings in it; text
/// without any is a sentence by `into()`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sentence(Vec<SentencePart>);

/// A piece of a [`Sentence`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[doc(hidden)]
pub enum SentencePart {
    Text(Cow<'static, str>),
    Setting(Setting),
    Sentence(Sentence),
}

impl From<Setting> for SentencePart {
    fn from(setting: Setting) -> SentencePart {
        SentencePart::Setting(setting)
    }
}

impl From<&Setting> for SentencePart {
    fn from(setting: &Setting) -> SentencePart {
        SentencePart::Setting(setting.clone())
    }
}

impl From<Sentence> for SentencePart {
    fn from(sentence: Sentence) -> SentencePart {
        SentencePart::Sentence(sentence)
    }
}

impl From<&Sentence> for SentencePart {
    fn from(sentence: &Sentence) -> SentencePart {
        SentencePart::Sentence(sentence.clone())
    }
}

macro_rules! text {
    ($($text:ty),*) => {
        $(
            impl From<$text> for SentencePart {
                fn from(text: $text) -> SentencePart {
                    SentencePart::Text(Cow::Owned(text.to_string()))
                }
            }
            impl From<$text> for Sentence {
                fn from(text: $text) -> Sentence {
                    Sentence(vec![text.into()])
                }
            }
        )*
    };
}
text!(&str, &&str, String, &String, Cow<'_, str>, &Cow<'_, str>, char, u8, u32, u64, usize, f64);

impl From<Setting> for Sentence {
    fn from(setting: Setting) -> Sentence {
        Sentence(vec![SentencePart::Setting(setting)])
    }
}

impl From<&Sentence> for Sentence {
    fn from(sentence: &Sentence) -> Sentence {
        sentence.clone()
    }
}

/// Makes a [`Sentence`](crate::Sentence): each `{}` of the template stands for one of what
/// follows, which is text, a [`Setting`](crate::Setting), or a sentence itself.
///
/// ```
/// use frameloom::{Setting, sentence};
///
/// let (slate, loss) = (Setting::own("slate"), Setting::own("on-loss").to("hold"));
/// let said = sentence!("{} and {} can't go together", slate, loss);
/// assert_eq!(said.to_string(), "--slate and --on-loss=hold can't go together");
/// ```
#[macro_export]
macro_rules! sentence {
    ($template:literal $(, $part:expr)* $(,)?) => {
        $crate::Sentence::fill($template, [$($crate::Sentence::part($part)),*])
    };
}
pub(crate) use sentence;

impl Sentence {
    #[doc(hidden)]
    pub fn part(part: impl Into<SentencePart>) -> SentencePart {
        part.into()
    }

    #[doc(hidden)]
    pub fn fill(template: &'static str, parts: impl IntoIterator<Item = SentencePart>) -> Sentence {
        let mut parts = parts.into_iter();
        let mut filled = Vec::new();
        for (n, text) in template.split("{}").enumerate() {
            if n > 0 {
                filled.extend(parts.next());
            }
            if !text.is_empty() {
                filled.push(SentencePart::Text(Cow::Borrowed(text)));
            }
        }
        Sentence(filled)
    }

    /// "a", "a and b", or "a, b and c", with `joint` between the last two.
    pub fn list<T: Into<SentencePart>>(
        items: impl IntoIterator<Item = T>,
        joint: &str,
    ) -> Sentence {
        let mut items: Vec<SentencePart> = items.into_iter().map(Into::into).collect();
        let last = items.pop();
        let mut parts = Vec::new();
        for (n, item) in items.into_iter().enumerate() {
            if n > 0 {
                parts.push(SentencePart::Text(Cow::Borrowed(", ")));
            }
            parts.push(item);
        }
        if !parts.is_empty() {
            parts.push(SentencePart::Text(Cow::Owned(format!(" {joint} "))));
        }
        parts.extend(last);
        Sentence(parts)
    }

    /// The sentence in the words of `wording`.
    pub fn display<'a>(&'a self, wording: &'a dyn Wording) -> impl fmt::Display + 'a {
        SentenceDisplay { sentence: self, wording }
    }

    /// Its texts and settings, in their order, those of sentences within it among them.
    #[doc(hidden)]
    pub fn flat(&self) -> Box<dyn Iterator<Item = &SentencePart> + '_> {
        Box::new(self.0.iter().flat_map(|part| match part {
            SentencePart::Sentence(inner) => inner.flat(),
            part => Box::new(std::iter::once(part)),
        }))
    }

    /// The settings that it names, in their order.
    pub fn settings(&self) -> Vec<&Setting> {
        let mut named = Vec::new();
        for part in &self.0 {
            match part {
                SentencePart::Text(_) => {}
                SentencePart::Setting(setting) => named.push(setting),
                SentencePart::Sentence(sentence) => named.extend(sentence.settings()),
            }
        }
        named
    }

    /// The sentence with every text in it, and every value, passed through `redact`.
    pub(super) fn redacted(self, redact: &dyn Fn(&str) -> String) -> Sentence {
        let parts = self.0.into_iter().map(|part| match part {
            // What the program itself says holds no secret.
            SentencePart::Text(Cow::Borrowed(text)) => SentencePart::Text(Cow::Borrowed(text)),
            SentencePart::Text(Cow::Owned(text)) => SentencePart::Text(Cow::Owned(redact(&text))),
            SentencePart::Setting(setting) => SentencePart::Setting(setting.redacted(redact)),
            SentencePart::Sentence(sentence) => SentencePart::Sentence(sentence.redacted(redact)),
        });
        Sentence(parts.collect())
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display(default_wording()).fmt(f)
    }
}

struct SentenceDisplay<'a> {
    sentence: &'a Sentence,
    wording: &'a dyn Wording,
}

impl fmt::Display for SentenceDisplay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.sentence.0 {
            match part {
                SentencePart::Text(text) => one_line(text, f)?,
                SentencePart::Setting(setting) => one_line(&self.wording.written(setting), f)?,
                SentencePart::Sentence(sentence) => sentence.display(self.wording).fmt(f)?,
            }
        }
        Ok(())
    }
}

/// "1 frame", "2 frames".
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// "1 frame was", "2 frames were".
pub(crate) fn were(count: u64, noun: &str) -> String {
    format!("{} {}", counted(count, noun), if count == 1 { "was" } else { "were" })
}

/// Writes a text of several lines as one.
pub(super) fn one_line(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut lines = text.split('\n');
    if let Some(first) = lines.next() {
        f.write_str(first)?;
    }
    lines.try_for_each(|line| write!(f, " {}", line.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_data_until_they_are_shown() {
        let copy = Setting::ffmpeg("c:v").to("copy");
        let said = sentence!("{} and {} can't go together", &copy, Setting::own("on_loss"));
        assert_eq!(said.to_string(), "-c:v copy and --on-loss can't go together");
        assert_eq!(said.settings(), [&copy, &Setting::own("on_loss")]);
        let outer = sentence!("it was lost: {}", said);
        assert_eq!(outer.settings().len(), 2);
    }

    #[test]
    fn a_value_with_braces_stays_as_it_is() {
        let said = sentence!("'{}' is no value of {}", "{}", Setting::own("slate"));
        assert_eq!(said.to_string(), "'{}' is no value of --slate");
    }

    #[test]
    fn lists_are_english() {
        let list = |items: &[&str]| Sentence::list(items.iter().copied(), "or").to_string();
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b"]), "a or b");
        assert_eq!(list(&["a", "b", "c"]), "a, b or c");
        assert_eq!(list(&[]), "");
    }
}
