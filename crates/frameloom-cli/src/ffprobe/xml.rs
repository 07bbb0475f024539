//! ffprobe's XML.

use frameloom::internal::ffprobe::{FactSection, FactValue, IS_SEVEN};

use super::pairs::{Pairs, disposition, facts, tags, text, turned};

/// What the document begins with.
pub(super) const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ffprobe>\n";
/// What it ends with.
pub(super) const FOOT: &str = "</ffprobe>\n";

/// A value within quotes.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// An element by itself, or around others.
fn element(name: &str, pairs: &Pairs, depth: usize, within: &str) -> String {
    let is_known = |(_, value): &&(String, FactValue)| !matches!(value, FactValue::Unknown(_));
    let attribute =
        |(key, value): &(String, FactValue)| format!(" {key}=\"{}\"", escaped(&text(value)));
    let attributes: String = pairs.iter().filter(is_known).map(attribute).collect();
    let indent = "    ".repeat(depth);
    match within.is_empty() {
        true => format!("{indent}<{name}{attributes}/>\n"),
        false => format!("{indent}<{name}{attributes}>\n{within}{indent}</{name}>\n"),
    }
}

fn key_and_value(name: &str, (key, value): &(String, FactValue), depth: usize) -> String {
    let pair = |name: &str, value: String| (name.to_owned(), FactValue::Text(value));
    element(name, &vec![pair("key", key.clone()), pair("value", text(value))], depth, "")
}

/// A section so many steps inside the document.
pub(super) fn section(name: &str, section: &FactSection, depth: usize) -> String {
    let mut within = String::new();
    let disposition = disposition(section);
    if !disposition.is_empty() {
        within += &element("disposition", &disposition, depth + 1, "");
    }
    let tags = tags(section);
    let tag_depth = if IS_SEVEN { depth + 2 } else { depth + 1 };
    let lines: String = tags.iter().map(|tag| key_and_value("tag", tag, tag_depth)).collect();
    within += &match IS_SEVEN && !lines.is_empty() {
        true => element("tags", &Vec::new(), depth + 1, &lines),
        false => lines,
    };
    if let Some(turned) = turned(section) {
        let data = match IS_SEVEN {
            true => {
                let datum = |pair| key_and_value("side_datum", pair, depth + 3);
                let lines: String = turned.iter().map(datum).collect();
                let kind = turned.iter().find(|(key, _)| key == "side_data_type");
                let kind = kind.map(|(_, value)| ("type".to_owned(), value.clone()));
                element("side_data", &kind.into_iter().collect(), depth + 2, &lines)
            }
            false => element("side_data", &turned, depth + 2, ""),
        };
        within += &element("side_data_list", &Vec::new(), depth + 1, &data);
    }
    element(name, &facts(section), depth, &within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_value_is_escaped() {
        let pairs = vec![
            ("name".to_owned(), FactValue::Text("<a & \"b\">'".to_owned())),
            ("count".to_owned(), FactValue::Number(2)),
            ("rest".to_owned(), FactValue::Unknown("N/A")),
        ];
        let line = element("stream", &pairs, 1, "");
        assert_eq!(line, "    <stream name=\"&lt;a &amp; &quot;b&quot;&gt;'\" count=\"2\"/>\n");
    }
}
