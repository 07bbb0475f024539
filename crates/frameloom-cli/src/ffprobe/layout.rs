//! ffprobe's layouts.

use frameloom::internal::ffprobe::{FactSection, FactValue};
use frameloom::{Hint, Result, Setting, sentence};

use super::pairs::{Pairs, disposition, facts, tags, text, turned};
use super::xml;
use crate::usage::usage;

/// How it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// A line for each key, sections in brackets.
    Plain { has_wrappers: bool, has_keys: bool },
    /// One JSON object; with `compact` each section in one line.
    Json { compact: bool },
    /// XML.
    Xml,
    /// A line for each section.
    Rows { is_csv: bool, separator: char, has_keys: bool, has_name: bool },
}

impl Default for Layout {
    fn default() -> Layout {
        Layout::Plain { has_wrappers: true, has_keys: true }
    }
}

const NAMES: [&str; 5] = ["default", "json", "xml", "csv", "compact"];

impl Layout {
    /// `json`, `default=noprint_wrappers=1:nokey=1`, `csv=p=0` and the like.
    pub(crate) fn parse(text: &str) -> Result<Layout> {
        let (name, options) = text.split_once('=').unwrap_or((text, ""));
        let mut layout = match name {
            "default" => Layout::default(),
            "json" => Layout::Json { compact: false },
            "xml" => Layout::Xml,
            "csv" => Layout::Rows { is_csv: true, separator: ',', has_keys: false, has_name: true },
            "compact" => {
                Layout::Rows { is_csv: false, separator: '|', has_keys: true, has_name: true }
            }
            _ => {
                let cause = sentence!("{} knows no '{}'", Setting::ffmpeg("of"), name);
                return Err(usage(cause).hint(Hint::one_of(name, NAMES)));
            }
        };
        for option in options.split(':').filter(|option| !option.is_empty()) {
            layout.set(name, option)?;
        }
        Ok(layout)
    }

    fn set(&mut self, name: &str, option: &str) -> Result<()> {
        let wrong = || {
            let cause = sentence!("{} can't be '{}' of {}", Setting::ffmpeg("of"), option, name);
            usage(cause)
        };
        let (key, value) = option.split_once('=').ok_or_else(wrong)?;
        let flag = || match value {
            "1" => Ok(true),
            "0" => Ok(false),
            _ => Err(wrong()),
        };
        match (self, key) {
            (Layout::Plain { has_wrappers, .. }, "noprint_wrappers" | "nw") => {
                *has_wrappers = !flag()?;
            }
            (Layout::Plain { has_keys, .. } | Layout::Rows { has_keys, .. }, "nokey" | "nk") => {
                *has_keys = !flag()?;
            }
            (Layout::Json { compact }, "compact" | "c") => *compact = flag()?,
            // The document itself is the same.
            (Layout::Xml, "fully_qualified" | "q" | "xsd_strict" | "x") if !flag()? => {}
            (Layout::Rows { has_name, .. }, "print_section" | "p") => *has_name = flag()?,
            (Layout::Rows { separator, .. }, "item_sep" | "s") => {
                let mut letters = value.chars();
                *separator =
                    letters.next().filter(|_| letters.next().is_none()).ok_or_else(wrong)?;
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }
}

/// Writes sections one after the other.
pub(super) struct Writer {
    layout: Layout,
    /// Something stands in the JSON object, or in the XML document.
    has_begun: bool,
}

fn quoted(text: &str) -> String {
    // Text only: nothing in it can fail.
    serde_json::to_string(text).unwrap_or_default()
}

/// A JSON object of what is known, its lines indented by so many steps; in one line where it is
/// `compact`.
fn object(pairs: &[(String, String)], depth: usize, compact: bool) -> String {
    let (between, end) = match compact {
        true => (", ".to_owned(), " ".to_owned()),
        false => {
            let line = |depth: usize| format!("\n{}", "    ".repeat(depth));
            (format!(",{}", line(depth + 1)), line(depth))
        }
    };
    let pairs: Vec<String> =
        pairs.iter().map(|(key, value)| format!("{}: {value}", quoted(key))).collect();
    let begin = between.trim_start_matches(',');
    format!("{{{begin}{}{end}}}", pairs.join(&between))
}

fn json_pairs(pairs: Pairs) -> Vec<(String, String)> {
    let shown = |(key, value): (String, FactValue)| match value {
        FactValue::Number(number) => Some((key, number.to_string())),
        FactValue::Text(text) => Some((key, quoted(&text))),
        FactValue::Unknown(_) => None,
    };
    pairs.into_iter().filter_map(shown).collect()
}

fn json(section: &FactSection, depth: usize, compact: bool) -> String {
    let mut pairs = json_pairs(facts(section));
    let inner = |pairs: Pairs| object(&json_pairs(pairs), depth + 1, compact);
    for (name, pairs_within) in [("disposition", disposition(section)), ("tags", tags(section))] {
        if !pairs_within.is_empty() {
            pairs.push((name.to_owned(), inner(pairs_within)));
        }
    }
    if let Some(turned) = turned(section) {
        pairs.push(("side_data_list".to_owned(), format!("[{}]", inner(turned))));
    }
    object(&pairs, depth, compact)
}

impl Writer {
    pub(super) fn new(layout: Layout) -> Writer {
        Writer { layout, has_begun: false }
    }

    /// What begins a value of the JSON object.
    fn begin(&mut self, name: &str) -> String {
        let before = if std::mem::replace(&mut self.has_begun, true) { ",\n" } else { "{\n" };
        format!("{before}    {}: ", quoted(name))
    }

    /// What stands before an element that is next to the document's root.
    fn begin_xml(&mut self) -> &'static str {
        if std::mem::replace(&mut self.has_begun, true) { "\n" } else { xml::HEAD }
    }

    /// A list of sections, or a part of it: whether others were before it, and whether it is the last.
    pub(super) fn list(
        &mut self,
        plural: &str,
        name: &str,
        sections: &[FactSection],
        goes_on: bool,
        is_last: bool,
    ) -> String {
        let compact = match self.layout {
            Layout::Json { compact } => compact,
            Layout::Xml => {
                let begin = match goes_on {
                    true => String::new(),
                    false => format!("{}    <{plural}>\n", self.begin_xml()),
                };
                let lines: String =
                    sections.iter().map(|section| xml::section(name, section, 2)).collect();
                let end = if is_last { format!("    </{plural}>\n") } else { String::new() };
                return begin + &lines + &end;
            }
            _ => return sections.iter().map(|section| self.lines(name, section)).collect(),
        };
        let mut text = if goes_on { String::new() } else { self.begin(plural) + "[" };
        for (n, section) in sections.iter().enumerate() {
            text += if goes_on || n > 0 { ",\n        " } else { "\n        " };
            text += &json(section, 2, compact);
        }
        let is_empty = !goes_on && sections.is_empty();
        match (is_last, is_empty) {
            (true, true) => text + "]",
            (true, false) => text + "\n    ]",
            (false, _) => text,
        }
    }

    /// A section that is there once.
    pub(super) fn single(&mut self, name: &str, section: &FactSection) -> String {
        match self.layout {
            Layout::Json { compact } => self.begin(name) + &json(section, 1, compact),
            Layout::Xml => self.begin_xml().to_owned() + &xml::section(name, section, 1),
            _ => self.lines(name, section),
        }
    }

    pub(super) fn end(&mut self) -> String {
        match (&self.layout, self.has_begun) {
            (Layout::Json { .. }, true) => "\n}\n".to_owned(),
            (Layout::Json { .. }, false) => "{\n\n}\n".to_owned(),
            (Layout::Xml, true) => xml::FOOT.to_owned(),
            (Layout::Xml, false) => xml::HEAD.to_owned() + xml::FOOT,
            _ => String::new(),
        }
    }

    fn lines(&self, name: &str, section: &FactSection) -> String {
        match self.layout {
            Layout::Plain { has_wrappers, has_keys } => {
                let line = |before: &str, (key, value): &(String, FactValue)| match has_keys {
                    true => format!("{before}{key}={}\n", text(value)),
                    false => format!("{}\n", text(value)),
                };
                let all = |before: &str, pairs: &Pairs| -> String {
                    pairs.iter().map(|pair| line(before, pair)).collect()
                };
                let wrapped = |name: &str, lines: String| match has_wrappers {
                    true => format!("[{name}]\n{lines}[/{name}]\n"),
                    false => lines,
                };
                let mut lines = all("", &facts(section));
                lines += &all("DISPOSITION:", &disposition(section));
                lines += &all("TAG:", &tags(section));
                if let Some(turned) = turned(section) {
                    lines += &wrapped("SIDE_DATA", all("", &turned));
                }
                wrapped(&name.to_uppercase(), lines)
            }
            Layout::Rows { is_csv, separator, has_keys, has_name } => {
                let item = |before: &str, (key, value): &(String, FactValue)| {
                    let value = escaped(&text(value), is_csv, separator);
                    if has_keys { format!("{before}{key}={value}") } else { value }
                };
                let mut items: Vec<String> = Vec::new();
                items.extend(Some(name.to_owned()).filter(|_| has_name));
                let groups = [("", facts(section)), ("disposition:", disposition(section))];
                for (before, pairs) in groups.into_iter().chain([("tag:", tags(section))]) {
                    items.extend(pairs.iter().map(|pair| item(before, pair)));
                }
                if let Some(turned) = turned(section) {
                    items.extend(Some("side_data".to_owned()).filter(|_| has_name));
                    items.extend(turned.iter().map(|pair| item("side_datum/", pair)));
                }
                items.join(&separator.to_string()) + "\n"
            }
            Layout::Json { .. } | Layout::Xml => String::new(),
        }
    }
}

/// A value within a row: quoted as CSV has it, or with what would end it behind a backslash.
fn escaped(value: &str, is_csv: bool, separator: char) -> String {
    if is_csv {
        return match value.contains([separator, '"', '\n', '\r']) {
            true => format!("\"{}\"", value.replace('"', "\"\"")),
            false => value.to_owned(),
        };
    }
    let escape = |letter: char| match letter {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\\' => "\\\\".to_owned(),
        letter if letter == separator => format!("\\{letter}"),
        letter => letter.to_string(),
    };
    value.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_has_its_options() {
        let plain = |has_wrappers, has_keys| Layout::Plain { has_wrappers, has_keys };
        for (text, layout) in [
            ("default", plain(true, true)),
            ("default=noprint_wrappers=1:nokey=1", plain(false, false)),
            ("default=nw=1", plain(false, true)),
            ("json", Layout::Json { compact: false }),
            ("json=c=1", Layout::Json { compact: true }),
        ] {
            assert_eq!(Layout::parse(text).unwrap(), layout, "{text}");
        }
        let rows = Layout::parse("csv=p=0:s=;").unwrap();
        let expected =
            Layout::Rows { is_csv: true, separator: ';', has_keys: false, has_name: false };
        assert_eq!(rows, expected);
        assert_eq!(Layout::parse("xml=q=0:x=0").unwrap(), Layout::Xml);
        for text in ["xml=q=1", "yaml", "json=nk=1", "default=nw", "csv=s=ab", "csv=p=2"] {
            assert!(Layout::parse(text).is_err(), "{text}");
        }
    }
}
