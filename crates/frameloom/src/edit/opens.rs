//! Which filters of a graph open files, programs' libraries or URLs: what a server refuses from whoever
//! is not its owner. The lists stand here alone; a test compares them with libav's tables.

use crate::av::{DescribedFilter, OptionClasses, filters_in};

/// Filters that open something whatever their options say: a default, or a syntax of their own.
const FILTERS: [&str; 18] = [
    "amovie",
    "asr",
    "azmq",
    "coreimage",
    "coreimagesrc",
    "frei0r",
    "frei0r_src",
    "ladspa",
    "lensfun",
    "libvmaf",
    "lv2",
    "movie",
    "nnedi",
    "ocv",
    "vidstabdetect",
    "vidstabtransform",
    "whisper",
    "zmq",
];

/// How the names of options end that name a file or folder, whatever the filter.
const ENDINGS: [&str; 5] = ["dir", "file", "filename", "model", "path"];

/// Options of other names, with their filters.
const OPTIONS: [(&str, &str); 14] = [
    ("cover_rect", "cover"),
    ("curves", "plot"),
    ("dnn_classify", "labels"),
    ("dnn_detect", "labels"),
    ("fieldhint", "hint"),
    ("find_rect", "object"),
    ("libplacebo", "lut"),
    ("libplacebo", "shader_cache"),
    ("openclsrc", "source"),
    ("paletteuse", "debug_kdtree"),
    ("program_opencl", "source"),
    ("sofalizer", "sofa"),
    ("ssim360", "heatmap_str"),
    ("xfade_opencl", "source"),
];

/// Filters that give other filters commands, which set their options.
const COMMANDERS: [&str; 2] = ["asendcmd", "sendcmd"];

/// A filter that opens something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningFilter {
    /// Its name.
    pub filter: String,
    /// The option that has it do so, where it is one.
    pub option: Option<String>,
}

/// The first filter of a graph that opens a file, a library or a URL.
pub fn opening_filter(graph: &str) -> Option<OpeningFilter> {
    // Up to its first semicolon, whatever is quoted before it.
    let flags = graph.trim_start().strip_prefix("sws_flags=");
    let behind_flags = flags.and_then(|flags| flags.split_once(';')).map(|(_, rest)| rest);
    let graphs = [Some(graph), behind_flags].into_iter().flatten();
    graphs.flat_map(filters_in).find_map(|filter| of_filter(&filter))
}

fn of_filter(DescribedFilter { name, values }: &DescribedFilter) -> Option<OpeningFilter> {
    let opens = |option: Option<&str>| {
        let option = option.map(str::to_owned);
        Some(OpeningFilter { filter: name.clone(), option })
    };
    if FILTERS.contains(&name.as_str()) {
        return opens(None);
    }
    let classes = OptionClasses::of_filter(name);
    let mut in_order = classes.names_in_order().into_iter();
    for (key, value) in values {
        let key = match key {
            Some(key) => key.as_str(),
            None => in_order.next().unwrap_or_default(),
        };
        // FFmpeg's newer syntax for a value that stands in a file.
        let is_file = key.starts_with('/')
            || names_file(name, key)
            || classes.aliases(key).into_iter().any(|alias| names_file(name, alias));
        if is_file || COMMANDERS.contains(&name.as_str()) && commands_file(value) {
            return opens(Some(key));
        }
    }
    None
}

fn names_file(filter: &str, option: &str) -> bool {
    ENDINGS.iter().any(|ending| option.ends_with(ending)) || OPTIONS.contains(&(filter, option))
}

/// Whether commands to filters name an option that names a file, however it is quoted.
fn commands_file(commands: &str) -> bool {
    let plain: String = commands.chars().filter(|c| !matches!(c, '\\' | '\'')).collect();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut names = plain.split(|c| !is_name(c));
    names.any(|name| {
        OPTIONS.iter().any(|(_, option)| *option == name)
            || ENDINGS.iter().any(|ending| name.ends_with(ending))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::av::listing::{OptionKind, filters};

    /// Options whose help or name sounds as if they named a file, and that name none.
    const NO_FILES: [(&str, &str); 1] = [("xfade_opencl", "kernel")];

    #[test]
    fn every_option_of_libav_that_names_a_file_is_known() {
        let sounds = |text: &str| {
            let text = text.to_ascii_lowercase();
            let mut words = text.split(|c: char| !c.is_ascii_alphabetic());
            words.any(|word| {
                ["file", "filename", "path", "directory", "plugin", "library"].contains(&word)
            })
        };
        let mut unknown = Vec::new();
        for filter in filters() {
            for option in filter.options().into_iter().flat_map(|table| table.options) {
                let is_one = option.kind == OptionKind::Text
                    && (sounds(option.name) || option.help.is_some_and(sounds));
                let graph = format!("[a]{}={}=x[b]", filter.name, option.name);
                if is_one
                    && !NO_FILES.contains(&(filter.name, option.name))
                    && opening_filter(&graph).is_none()
                {
                    unknown.push(graph);
                }
            }
        }
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn each_of_the_lists_is_refused_in_the_middle_of_a_graph() {
        let (filters, options) =
            (FILTERS.map(str::to_owned), OPTIONS.map(|(f, o)| format!("{f}={o}")));
        for filter in filters.into_iter().chain(options) {
            let graph = format!("[0:v]hflip[a];[1:v]vflip,{filter}=x[b];[a][b]overlay[c]");
            assert!(opening_filter(&graph).is_some(), "{graph}");
        }
    }

    #[test]
    fn what_opens_something_is_found_wherever_it_stands() {
        for (graph, filter, option) in [
            ("movie=a.png", "movie", None),
            ("[0:v]hflip[a];movie=filename=http\\\\://h/a[b];[a][b]overlay", "movie", None),
            ("scale=2:2, amovie@x = a.wav", "amovie", None),
            ("sws_flags='x;movie=a.png[b];hflip", "movie", None),
            ("['x]hflip=a='a]movie=a.png[b]", "movie", None),
            ("drawtext=text=hello:textfile=/etc/passwd", "drawtext", Some("textfile")),
            ("drawtext=fontfile=a.ttf:text=x", "drawtext", Some("fontfile")),
            ("drawtext=/text=/etc/passwd", "drawtext", Some("/text")),
            ("subtitles=a.srt", "subtitles", Some("filename")),
            ("subtitles=f=a.srt", "subtitles", Some("f")),
            ("lut3d=a.cube", "lut3d", Some("file")),
            ("metadata=print:file=-", "metadata", Some("file")),
            ("psnr=f=a.log", "psnr", Some("f")),
            ("arnndn=m=a.rnnn", "arnndn", Some("m")),
            ("sendcmd=f=a.txt", "sendcmd", Some("f")),
            ("sendcmd=c='0 drawtext reinit text\\file=/etc/passwd'", "sendcmd", Some("c")),
            ("asendcmd=0 arnndn model a", "asendcmd", Some("commands")),
            ("paletteuse=debug_kdtree=a.dot", "paletteuse", Some("debug_kdtree")),
            ("zmq", "zmq", None),
        ] {
            let option = option.map(str::to_owned);
            let expected = OpeningFilter { filter: filter.to_owned(), option };
            assert_eq!(opening_filter(graph), Some(expected), "{graph}");
        }
        for graph in [
            "",
            "hflip,scale=2:2",
            "drawtext=text='movie=a.png'",
            "[movie]hflip[amovie]",
            "[0:v][1:v]xstack=inputs=2:layout=0_0|w0_0[wall]",
            "amix=weights=1 2,volume=0.5",
            "sendcmd=c='3 drawtext reinit text=hello'",
            "testsrc2=size=64x36",
        ] {
            assert_eq!(opening_filter(graph), None, "{graph}");
        }
    }
}
