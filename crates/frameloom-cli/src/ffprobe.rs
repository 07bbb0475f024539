//! `frameloom probe` with ffprobe's options: what ffprobe tells, in its layouts.

mod layout;
mod pairs;
mod xml;

use std::collections::BTreeMap;

use frameloom::internal::ffprobe::{self, Contents, ContentsRequest, FactSection};
use frameloom::options::InputOptions;
use frameloom::{Hint, Result, Setting, Stop, sentence};

use crate::stdout::print;
use crate::usage::usage;
pub(crate) use layout::Layout;

/// ffprobe's options that are not here.
const ABSENT: [&str; 27] = [
    "show_frames",
    "show_programs",
    "show_stream_groups",
    "show_data",
    "show_data_hash",
    "show_error",
    "show_log",
    "show_pixel_formats",
    "show_private_data",
    "private",
    "show_program_version",
    "show_library_versions",
    "show_versions",
    "show_optional_fields",
    "read_intervals",
    "sections",
    "pretty",
    "unit",
    "prefix",
    "byte_binary_prefix",
    "sexagesimal",
    "bitexact",
    "analyze_frames",
    "dump_attachment",
    "o",
    "output",
    "print_filename",
];

/// Refuses an option of ffprobe's that is not here.
pub(crate) fn check_absent(name: &str) -> Result<()> {
    match ABSENT.contains(&name) {
        true => Err(ffprobe::not_told(Setting::ffmpeg(name.to_owned()))),
        false => Ok(()),
    }
}

/// A part of what is told, and the parts of it.
const PARTS: [(&str, &[&str]); 9] = [
    ("packet", &[]),
    ("stream", &["stream_tags", "stream_disposition", "stream_side_data"]),
    ("stream_tags", &[]),
    ("stream_disposition", &[]),
    ("stream_side_data", &[]),
    ("chapter", &["chapter_tags"]),
    ("chapter_tags", &[]),
    ("format", &["format_tags"]),
    ("format_tags", &[]),
];

/// What is asked for, in ffprobe's options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Parts, each with the only keys that are wanted of it.
    parts: BTreeMap<&'static str, Option<Vec<String>>>,
    /// `-show_entries` named streams, so that those of programs are meant, too.
    names_streams: bool,
    pub(crate) streams: String,
    pub(crate) counts_packets: bool,
    pub(crate) counts_frames: bool,
    pub(crate) layout: Option<Layout>,
}

impl Asked {
    /// Whether ffprobe's answer is wanted.
    pub(crate) fn is_asked(&self) -> bool {
        !self.parts.is_empty() || self.layout.is_some()
    }

    /// Shows a part with all that is in it.
    pub(crate) fn show(&mut self, part: &'static str) {
        self.parts.insert(part, None);
        let inner =
            PARTS.iter().find(|(name, _)| *name == part).map_or(&[][..], |(_, inner)| inner);
        inner.iter().for_each(|inner| self.show(inner));
    }

    /// `-show_entries`: `stream=index,codec_name:format_tags`.
    pub(crate) fn show_entries(&mut self, text: &str) -> Result<()> {
        for entry in text.split(':') {
            let (name, keys) = match entry.split_once('=') {
                Some((name, keys)) => (name.trim(), Some(keys)),
                None => (entry.trim(), None),
            };
            let Some((part, _)) = PARTS.iter().find(|(part, _)| *part == name) else {
                let names = PARTS.iter().map(|(part, _)| *part);
                let cause = sentence!("{} knows no '{}'", Setting::ffmpeg("show_entries"), name);
                return Err(usage(cause).hint(Hint::one_of(name, names)));
            };
            self.names_streams |= *part == "stream";
            match keys {
                None => self.show(part),
                Some(keys) => {
                    let keys = keys.split(',').map(|key| key.trim().to_owned());
                    let wanted = self.parts.entry(*part).or_insert_with(|| Some(Vec::new()));
                    wanted.iter_mut().for_each(|all| all.extend(keys.clone()));
                }
            }
        }
        Ok(())
    }

    /// Whether the section of this name, or a part of it, is wanted.
    fn wants(&self, name: &str) -> bool {
        let inner =
            PARTS.iter().find(|(part, _)| *part == name).map_or(&[][..], |(_, inner)| inner);
        self.parts.contains_key(name) || inner.iter().any(|part| self.parts.contains_key(part))
    }

    fn wants_key(&self, part: &str, key: &str) -> bool {
        match self.parts.get(part) {
            None => false,
            Some(None) => true,
            Some(Some(keys)) => keys.iter().any(|wanted| wanted == key),
        }
    }

    /// What is wanted of a section.
    fn pick(&self, name: &str, mut section: FactSection) -> FactSection {
        section.facts.retain(|fact| self.wants_key(name, fact.key));
        section.tags.retain(|(key, _)| self.wants_key(&format!("{name}_tags"), key));
        section.disposition.retain(|(key, _)| self.wants_key(&format!("{name}_disposition"), key));
        section.turned = section.turned.filter(|_| self.parts.contains_key("stream_side_data"));
        section
    }
}

/// Tells what is asked for of an input.
pub(crate) fn tell(url: &str, options: &InputOptions, asked: &Asked, stop: &Stop) -> Result<()> {
    let mut writer = layout::Writer::new(asked.layout.clone().unwrap_or_default());
    let request = ContentsRequest {
        streams: asked.streams.clone(),
        packets: asked.wants("packet"),
        counts_packets: asked.counts_packets,
        counts_frames: asked.counts_frames,
    };
    let mut packets = Vec::new();
    let mut is_begun = false;
    let told = ffprobe::contents(url, options, &request, stop, |packet| {
        packets.push(asked.pick("packet", packet));
        if packets.len() < 1000 {
            return Ok(());
        }
        let text = writer.list("packets", "packet", &packets, is_begun, false);
        is_begun = true;
        packets.clear();
        print(&text)
    });
    let Contents { streams, chapters, format } = told?;
    let mut text = String::new();
    if request.packets {
        text += &writer.list("packets", "packet", &packets, is_begun, true);
    }
    if asked.names_streams {
        text += &writer.list("programs", "program", &[], false, true);
        if ffprobe::IS_SEVEN {
            text += &writer.list("stream_groups", "stream_group", &[], false, true);
        }
    }
    for (plural, name, sections) in
        [("streams", "stream", streams), ("chapters", "chapter", chapters)]
    {
        if asked.wants(name) {
            let sections: Vec<_> = sections.into_iter().map(|s| asked.pick(name, s)).collect();
            text += &writer.list(plural, name, &sections, false, true);
        }
    }
    if asked.wants("format") {
        text += &writer.single("format", &asked.pick("format", format));
    }
    print(&(text + &writer.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_name_parts_and_keys() {
        let mut asked = Asked::default();
        assert!(!asked.is_asked());
        asked.show_entries("stream=index, codec_name:format_tags:chapter").unwrap();
        assert!(asked.wants_key("stream", "codec_name") && !asked.wants_key("stream", "width"));
        assert!(!asked.wants_key("stream_tags", "language"));
        assert!(asked.wants("format") && !asked.wants_key("format", "duration"));
        assert!(
            asked.wants_key("format_tags", "title") && asked.wants_key("chapter_tags", "title")
        );
        assert!(!asked.wants("packet"));
        let error = asked.show_entries("frame=pts_time").unwrap_err().to_string();
        assert!(error.contains("-show_entries knows no 'frame'"), "{error}");
    }
}
