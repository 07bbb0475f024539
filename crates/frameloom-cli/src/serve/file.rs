//! The file of `frameloom serve FILE`: its three tables. The keys of `[server]` are the rows of
//! `options/serve.rs`, those of `[pipelines.NAME]` and `[models.NAME]` are in `options/keys.rs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use frameloom::Error;
use frameloom::internal::os_words;

use super::models::MOST as MOST_MODELS;
use super::models::settings::ModelSettings;
use super::node::{FileFault, Node, NodeEntry, NodeValue, unknown};
use super::pipelines::circle::{self, Clash};
use super::pipelines::settings::Settings;
use super::place::Here;
use crate::usage::usage;

/// Longest file, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// What a file says beside `[server]`, checked as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileContents {
    pub(crate) pipelines: Vec<Settings>,
    pub(crate) models: Vec<ModelSettings>,
}

/// A file whose form is right; what it says is judged by those it concerns.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// `[server]`.
    pub(crate) server: Vec<NodeEntry>,
    pipelines: Vec<NodeEntry>,
    models: Vec<NodeEntry>,
    /// The environment variables that it names.
    pub(crate) variables: BTreeSet<String>,
}

impl File {
    /// Reads the file at `path`; `${NAME}` in it stands for what the environment has.
    ///
    /// # Errors
    /// A file that can't be read or is not what it should be, with the place.
    pub(crate) fn read(
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<File, Error> {
        let failed = |cause: &str| usage(format!("'{}' can't be read: {cause}", path.display()));
        let unread = |error: std::io::Error| failed(&os_words(&error)).because(error);
        let size = std::fs::metadata(path).map_err(unread)?.len();
        if size > MOST_BYTES {
            return Err(failed("it is longer than 1 MiB"));
        }
        let text = std::fs::read_to_string(path).map_err(unread)?;
        File::parse(path, &text, environment).map_err(|fault| fault_error(path, &fault))
    }

    /// The same of its text.
    ///
    /// # Errors
    /// A text that is not what it should be, with the place.
    pub(crate) fn parse(
        path: &Path,
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<File, FileFault> {
        let mut root = Node::from_toml(text)?;
        refuse_secrets_in_words(&root)?;
        let variables = root.variables();
        root.fill_in(environment)?;
        let mut file = File {
            path: path.to_owned(),
            server: Vec::new(),
            pipelines: Vec::new(),
            models: Vec::new(),
            variables,
        };
        let NodeValue::Table(entries) = root.value else { return Ok(file) };
        for NodeEntry { key, place, node } in entries {
            let wanted = match key.as_str() {
                "server" => &mut file.server,
                "pipelines" => &mut file.pipelines,
                "models" => &mut file.models,
                _ => return Err(unknown("", &key, place, ["server", "pipelines", "models"])),
            };
            match node.value {
                NodeValue::Table(inner) => *wanted = inner,
                _ => {
                    let kind = node.kind();
                    return Err(FileFault::new(place, key, format!("it is a table, not {kind}")));
                }
            }
        }
        Ok(file)
    }

    /// The pipelines and models, each one checked by itself and all of them together.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub(crate) fn contents(&self, here: &Here) -> Result<FileContents, Error> {
        self.checked(here).map_err(|fault| fault_error(&self.path, &fault))
    }

    fn checked(&self, here: &Here) -> Result<FileContents, FileFault> {
        let read = |entry: &NodeEntry| ModelSettings::read(&entry.key, &entry.node, entry.place);
        let models: Vec<ModelSettings> = self.models.iter().map(read).collect::<Result<_, _>>()?;
        if let Some(entry) = self.models.get(MOST_MODELS) {
            let text = format!("more than {MOST_MODELS} models are too many");
            return Err(FileFault::new(entry.place, "models", text));
        }
        let read = |entry: &NodeEntry| Settings::read(&entry.key, &entry.node, entry.place, here);
        let pipelines: Vec<Settings> = self.pipelines.iter().map(read).collect::<Result<_, _>>()?;
        let names = || models.iter().map(|model| model.name.as_str());
        pipelines.iter().try_for_each(|settings| settings.check_model(names()))?;
        circle::check(pipelines.iter()).map_err(|Clash { name, text, .. }| {
            let place = self.pipelines.iter().find(|entry| entry.key == name);
            let place = place.and_then(|entry| entry.place);
            FileFault::new(place, format!("pipelines.{name}"), text)
        })?;
        Ok(FileContents { pipelines, models })
    }
}

/// Every user of a machine sees the words of a program that runs.
fn refuse_secrets_in_words(root: &Node) -> Result<(), FileFault> {
    let entries = |node: &Node| match &node.value {
        NodeValue::Table(entries) => entries.clone(),
        _ => Vec::new(),
    };
    for NodeEntry { key: parent, node, .. } in entries(root) {
        // What of a table becomes the words of a program.
        let seen: &[&str] = match parent.as_str() {
            "pipelines" => &["command"],
            "models" => &["command", "file", "options"],
            _ => continue,
        };
        for table in entries(&node) {
            for NodeEntry { key, place, node } in entries(&table.node) {
                let variables = node.variables();
                let Some(name) = variables.first().filter(|_| seen.contains(&key.as_str())) else {
                    continue;
                };
                let text = format!(
                    "a command's words are seen by every user of the machine: give it {name} by \
                     env = {{ {name} = \"${{{name}}}\" }}"
                );
                return Err(FileFault::new(place, format!("{parent}.{}.{key}", table.key), text));
            }
        }
    }
    Ok(())
}

/// The error for what is wrong in the file at `path`.
pub(crate) fn fault_error(path: &Path, fault: &FileFault) -> Error {
    let place = fault.place.map(|place| format!(":{place}")).unwrap_or_default();
    usage(format!("{}{place}: {fault}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        let environment = |name: &str| (name == "CAMERA_KEY").then(|| "sesame-open".to_owned());
        let here = Here { rtmp: Some(([127, 0, 0, 1], 1935).into()), ..Here::default() };
        let file = File::parse(Path::new("f.toml"), text, &environment);
        match file.and_then(|file| file.checked(&here)) {
            Ok(_) => String::new(),
            Err(fault) => fault_error(Path::new("f.toml"), &fault).to_string(),
        }
    }

    #[test]
    fn a_good_file_is_taken() {
        let said = check(
            "[server]\nrtmp_listen = '0.0.0.0:1935'\n[pipelines.a]\n\
             input = 'rtmp://cam/live/${CAMERA_KEY}'\n\
             outputs = ['rtmp://localhost/live/a', { url = 'rtmp://127.0.0.1/live/b', options = \
             { 'b:v' = '2M' } }]\ncommand = ['cat']\non_slow = 'bypass'\ndeadline = '80ms'\n\
             filter = 'hflip'\nframe_size = '64x36'\n\
             input_options = { rtmp_buffer = 100 }\noutput_options = { 'c:v' = 'libx264', g = 50 }\n\
             on_demand = true\nidle_timeout = '5s'\n[pipelines.b]\ninput = 'rtmp://localhost/live/a'\n\
             outputs = ['rtmp://elsewhere/live/b']\nno_reconnect = true\nenabled = false\n",
        );
        assert_eq!(said, "");
    }

    /// The first file in a guide: what is indented, from `begins` on.
    fn in_guide(guide: &str, begins: &str) -> String {
        let from = guide.find(begins).expect("the guide has no such file");
        let lines = guide[from..].lines().take_while(|l| l.is_empty() || l.starts_with("    "));
        lines.map(|line| line.trim_start_matches("    ").to_owned() + "\n").collect()
    }

    #[test]
    fn the_files_of_the_guides_are_good() {
        let guide = include_str!("../../../../docs/ten-cameras.md");
        let detect = include_str!("../../../../docs/detect.md");
        let readme = include_str!("../../../../README.md");
        for (text, count) in [
            (in_guide(guide, "    [server]"), 3),
            (in_guide(guide, "    [pipelines.wall]"), 1),
            (in_guide(readme, "    [pipelines.faces]"), 2),
            (in_guide(detect, "    [models.faces]"), 2),
        ] {
            // Programs are looked for, and not every machine has this one.
            let text = text.replace("python3", "cat").replace("frameloom serve frameloom.toml", "");
            // Any file that is there.
            let text = text.replace("centerface.onnx", "Cargo.toml");
            let here = Here { rtmp: Some(([0, 0, 0, 0], 1935).into()), ..Here::default() };
            let file = File::parse(Path::new("f.toml"), &text, &|_| Some("sesame-open".to_owned()));
            let checked = file.and_then(|file| file.checked(&here));
            assert_eq!(checked.expect(&text).pipelines.len(), count, "{text}");
        }
    }

    #[test]
    fn secrets_reach_a_command_by_env_alone() {
        let file = |more: &str| {
            format!(
                "[pipelines.a]\ninput = 'rtmp://h/live/a'\noutputs = ['rtmp://h/live/b']\n{more}\n"
            )
        };
        let by_env = file("command = ['cat']\nenv = { KEY = '${CAMERA_KEY}', MODE = 'live' }");
        assert_eq!(check(&by_env), "");
        let environment = |_: &str| Some("sesame-open".to_owned());
        let read = File::parse(Path::new("f.toml"), &by_env, &environment).unwrap();
        assert_eq!(read.variables, BTreeSet::from(["CAMERA_KEY".to_owned()]));
        let settings = read.checked(&Here::default()).unwrap().pipelines.remove(0);
        assert_eq!(settings.order().env["KEY"], "sesame-open");
        // Shown, neither is seen; sent back, both are as they were.
        let shown = settings.shown();
        assert_eq!(shown["env"], serde_json::json!({ "KEY": "***", "MODE": "***" }));
        assert_eq!(settings.restored(Node::from_json(shown)), *settings.source());
        for (more, mentions) in [
            (
                "command = ['cat', '--key=${CAMERA_KEY}']",
                "f.toml:4:1: pipelines.a.command: a command",
            ),
            ("command = ['cat']\nenv = { FRAMELOOM_WIDTH = '1' }", "Frameloom's own"),
            ("command = ['cat']\nenv = { 'a=b' = '1' }", "no name of an environment variable"),
            ("command = ['cat']\nenv = { A = 1 }", "its value is a string"),
            ("env = { A = '1' }", "it has none"),
            ("output_options = { g = 1e30 }", "g: '1e30' can't be (it takes a whole number from"),
            ("filter = \"hflip\\u0000\"", "NUL"),
        ] {
            let said = check(&file(more));
            assert!(said.contains(mentions), "{more}: {said}");
        }
    }

    /// Four cameras in one picture, on nine lines.
    fn wall(more: &str) -> String {
        let graph = "[0:v][1:v][2:v][3:v]xstack=inputs=4:layout=0_0|w0_0|0_h0|w0_h0[wall]";
        format!(
            "[pipelines.a]\ninput_options = {{ rtmp_buffer = 100 }}\ninputs = [\n \
             {{ url = 'rtmp://h/live/1', options = {{ t = 60 }} }},\n 'rtmp://h/live/2',\n \
             {{ url = 'rtmp://h/live/3', options = {{ t = 60 }} }}, 'rtmp://h/live/4',\n]\n\
             filter_complex = '{graph}'\n\
             outputs = [{{ url = 'rtmp://h/live/out', options = {{ map = ['[wall]', '0:a?'] }} }}]\n\
             {more}"
        )
    }

    #[test]
    fn several_inputs_and_graphs_are_taken() {
        assert_eq!(check(&wall("")), "");
        for (keys, words) in [
            ("input = 'a.flv'", "-i a.flv"),
            ("inputs = 'a.flv'", "-i a.flv"),
            ("inputs = { url = 'a.flv', options = { re = true } }", "-re -i a.flv"),
            ("input = ['a.flv', 'b.flv']", "-i a.flv -i b.flv"),
            (
                "inputs = ['a.flv', { url = 'b.flv', options = { itsoffset = 2 } }]\n\
                 input_options = { re = true }",
                "-re -i a.flv -re -itsoffset 2 -i b.flv",
            ),
            (
                "input = 'a.flv'\nfilter_complex = ['[0:v]hflip[v]', '[0:a]volume=2[s]']\n\
                 output_options = { map = ['[v]', '[s]'] }",
                "-filter_complex [0:v]hflip[v] -filter_complex [0:a]volume=2[s] -i a.flv \
                 -map [v] -map [s]",
            ),
            (
                "input = { url = 'a.flv', options = { hwaccel = 'auto', hwaccel_device = '1' } }",
                "-hwaccel auto -hwaccel_device 1 -i a.flv",
            ),
            (
                "input = 'a.flv'\ninit_hw_device = ['vaapi=a', 'vaapi=b:1']\nfilter_hw_device = 'a'",
                "-init_hw_device vaapi=a -init_hw_device vaapi=b:1 -filter_hw_device a -i a.flv",
            ),
        ] {
            let text = format!("[pipelines.a]\n{keys}\noutputs = ['out.flv']\n");
            let file = File::parse(Path::new("f.toml"), &text, &|_| None);
            let contents = file.and_then(|file| file.checked(&Here::default())).expect(keys);
            let order = contents.pipelines[0].order().words.join(" ");
            assert_eq!(order, format!("{words} out.flv"), "{keys}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let input = "[pipelines.a]\ninput = 'rtmp://h/live/a'\n";
        let both = format!("{input}outputs = ['rtmp://h/live/b']\n");
        for (text, place, mentions) in [
            ("[pipeline.a]\n".to_owned(), "1:2", "did you mean pipelines?"),
            ("server = 3\n".to_owned(), "1:1", "server: it is a table, not a number"),
            (format!("{both}on_slwo = 'latest'\n"), "4:1", "did you mean on_slow?"),
            (format!("{both}on_slow = 7\n"), "4:11", "a.on_slow: it is a string, not a number"),
            (format!("{both}on_slow = 'never'\n"), "4:1", "latest, block, bypass or hold"),
            (format!("{both}on_demand = 'yes'\n"), "4:13", "true or false, not a string"),
            (format!("{both}on_demand = true\n"), "4:1", "played from this server"),
            (format!("{both}idle_timeout = 'soon'\n"), "4:16", "'soon' is not a time"),
            (format!("{both}output_options = {{ nosuch = 1 }}\n"), "4:20", "no option nosuch"),
            (format!("{both}filter = ['hflip']\n"), "4:10", "a.filter: it is a string, not a list"),
            (format!("{both}[pipelines.a]\n"), "4:1", "duplicate key"),
            (format!("{both}input = 'x'\n"), "4:1", "duplicate key"),
            ("[pipelines.a]\noutputs = ['x.flv']\n".to_owned(), "1:12", "needs an input"),
            (input.to_owned(), "1:12", "neither outputs nor a command"),
            (format!("{input}outputs = ['-']\n"), "3:12", "no stdout"),
            (format!("{input}outputs = [3]\n"), "3:12", "a string or a table"),
            (format!("{input}outputs = [{{ ulr = 'x' }}]\n"), "3:14", "did you mean url?"),
            (
                format!("{input}command = ['no-such-program-at-all']\n"),
                "3:11",
                "no program 'no-such-prog",
            ),
            (format!("{input}outputs = ['rtmp://h/live/a']\n"), "1:12", "circle"),
            (
                format!(
                    "{both}[pipelines.b]\ninput='rtmp://h/live/b'\noutputs=['rtmp://h/live/a']"
                ),
                "1:12",
                "circle: a, b, a",
            ),
            (
                format!(
                    "{both}[pipelines.b]\ninput='rtmp://h/live/x'\noutputs=['rtmp://h/live/b']"
                ),
                "4:12",
                "a publishes there too",
            ),
            ("[pipelines.'a b']\n".to_owned(), "1:12", "letters, digits"),
            ("[pipelines.a]\ninput = '${GONE}'\n".to_owned(), "2:9", "has no GONE"),
            ("[pipelines\n".to_owned(), "1:", "]"),
            (
                wall("").replace("rtmp://h/live/3'", "rtmp://h/live/out'"),
                "1:12",
                "in a circle: a, a",
            ),
            (wall("input = 'x.flv'\n"), "10:1", "a.input: inputs and input say the same"),
            (
                wall("").replace("'rtmp://h/live/2'", "7"),
                "5:2",
                "it is a list, each of it a string",
            ),
            (
                wall("").replace("'rtmp://h/live/2'", "{ options = {} }"),
                "5:2",
                "an input needs a URL",
            ),
            (wall("").replace("'rtmp://h/live/2'", "'-'"), "5:2", "no stdin"),
            (wall("").replace("'rtmp://h/live/2'", "'rtmp://h:0/live/2'"), "5:2", "port"),
            (
                wall("").replace("3', options = { t = 60", "3', options = { t = 'soon'"),
                "6:41",
                "'soon' is not a time",
            ),
            (
                wall("").replace("3', options = { t = 60", "3', options = { crf = 3"),
                "6:41",
                "put it into output_options",
            ),
            (
                wall("").replace("urll", "url").replace("url =", "urll ="),
                "4:4",
                "did you mean url?",
            ),
            (wall("").replace("xstack", "xstakc"), "8:1", "did you mean xstack"),
            (wall("").replace("[0:v][1:v]", "[door][1:v]"), "8:1", "there is no [door]"),
            (
                wall("").replace("filter_complex =", "filter_complex = 3 #"),
                "8:18",
                "a list of strings",
            ),
            (
                wall("output_options = { filter_complex = 'hflip' }"),
                "10:20",
                "graphs stand in filter_complex",
            ),
            (wall("init_hw_device = ['vaapi', 'nosuch']"), "10:1", "'nosuch' is no kind of device"),
            (wall("filter_hw_device = 'gpu'"), "10:1", "there is no device 'gpu'"),
        ] {
            let said = check(&text);
            assert!(said.contains(&format!("f.toml:{place}")), "{text}: {said}");
            assert!(said.contains(mentions), "{text}: {said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }

    #[test]
    fn pipelines_share_a_model_of_the_file() {
        let pipeline = |name: &str, more: &str| {
            format!(
                "[pipelines.{name}]\ninput = 'rtmp://h/live/{name}'\n\
                 outputs = ['rtmp://h/live/{name}-out']\ncommand = ['cat']\n{more}\n"
            )
        };
        // Any file that is there, from where the tests run.
        let model = "[models.faces]\nfile = 'Cargo.toml'\ncommand = ['cat']\n";
        let both = [model, &pipeline("a", "model = 'faces'"), &pipeline("b", "model = 'faces'")];
        assert_eq!(check(&both.concat()), "");
        let file = File::parse(Path::new("f.toml"), &both.concat(), &|_| None).unwrap();
        let contents = file.checked(&Here::default()).unwrap();
        assert_eq!((contents.models.len(), contents.pipelines[1].model()), (1, Some("faces")));
        let options = "options = { threads = 2, size = '640x384', device = 'cpu' }\n";
        assert_eq!(check(&format!("{model}{options}")), "");
        let no_command = pipeline("a", "model = 'faces'").replace("command = ['cat']\n", "");
        for (text, place, mentions) in [
            (pipeline("a", "model = 'faces'"), "5:9", "no model 'faces' ([models.NAME] makes one)"),
            (format!("{model}{}", pipeline("a", "model = 'face'")), "8:9", "did you mean faces?"),
            (format!("{model}{}", pipeline("a", "model = 'quux'")), "8:9", "it has faces"),
            (format!("{model}{}", pipeline("a", "model = 7")), "8:9", "a string, not a number"),
            (format!("{model}{no_command}"), "4:12", "model is for its command, and it has none"),
            (format!("{model}{no_command}"), "4:12", "pipelines.a: "),
            ("models = 3\n".to_owned(), "1:1", "models: it is a table, not a number"),
            ("[models]\nfaces = 'm.onnx'\n".to_owned(), "2:9", "models.faces: it is a table"),
            ("[models.'a b']\n".to_owned(), "1:9", "a model's name has up to 64 letters"),
            ("[models.a]\ncommand = ['cat']\n".to_owned(), "1:9", "models.a: it needs a file"),
            (
                "[models.a]\nfile = 'none.onnx'\n".to_owned(),
                "2:8",
                "a.file: there is no file 'none",
            ),
            ("[models.a]\nfile = 7\n".to_owned(), "2:8", "a.file: it is a string, not a number"),
            (format!("{model}fiel = 'x'\n"), "4:1", "did you mean file?"),
            (format!("{model}options = 'fast'\n"), "4:11", "it is a table, not a string"),
            (format!("{model}options = {{ thread = 2 }}\n"), "4:13", "did you mean threads?"),
            (format!("{model}options = {{ conf = 0.4 }}\n"), "4:13", "labels, device, threads"),
            (format!("{model}options = {{ threads = '2' }}\n"), "4:23", "from 1 on, not a string"),
            (format!("{model}options = {{ threads = 0 }}\n"), "4:23", "a whole number from 1 on"),
            (format!("{model}options = {{ threads = 1.5 }}\n"), "4:23", "a whole number from 1"),
            (format!("{model}options = {{ size = '640x' }}\n"), "4:20", "such as '640x384'"),
            (format!("{model}options = {{ size = true }}\n"), "4:20", "not true or false"),
            (
                format!("{model}options = {{ device = 1 }}\n"),
                "4:22",
                "options.device: it is a string",
            ),
            (format!("{model}options = {{ labels = 'no.txt' }}\n"), "4:22", "no file 'no.txt'"),
            (model.replace("'cat'", "'no-such-program'"), "3:11", "no program 'no-such-program'"),
            (model.replace("['cat']", "'cat'"), "3:11", "faces.command: it is a list of strings"),
            (format!("{model}env = {{ FRAMELOOM_X = '1' }}\n"), "4:9", "Frameloom's own"),
            (
                format!("{model}options = {{ device = '${{CAMERA_KEY}}' }}\n"),
                "4:1",
                "seen by every",
            ),
            (model.replace("Cargo.toml", "${CAMERA_KEY}"), "2:1", "seen by every user"),
        ] {
            let said = check(&text);
            assert!(said.contains(&format!("f.toml:{place}: ")), "{text}: {said}");
            assert!(said.contains(mentions), "{text}: {said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_in_keys() {
        let both =
            "[pipelines.a]\ninput = 'rtmp://h/live/a'\noutputs = ['rtmp://h/live/b']\n".to_owned();
        for (keys, place, mentions) in [
            ("no_reconnect = true\non_loss = 'hold'", "4:1", "no_reconnect and on_loss = \"hold\""),
            ("on_loss = 'end'\nreconnect_for = '3s'", "4:1", "reconnect_for and no_reconnect"),
            ("slate = 'card.png'\non_loss = 'hold'", "4:1", "on_loss = \"slate\" alone"),
            ("slate = 'nowhere.png'", "4:1", "slate takes a picture"),
            ("deadline = '40ms'\non_slow = 'latest'", "4:1", "deadline can't go together"),
            ("on_error = 'restart'", "4:1", "on_error = \"restart\" is for a COMMAND"),
            ("stall_timeout = 0", "4:1", "stall_timeout must be more than 0"),
            ("frame_size = '64x36'", "4:1", "frame_size is about a COMMAND"),
            ("loglevel = 'loud'", "4:1", "'loud' is not a log level"),
            (
                "filter = 'hflip'\noutput_options = { 'c:v' = 'copy' }",
                "4:1",
                "c:v = \"copy\" and filter",
            ),
            ("output_options = { stream_loop = 2 }", "4:20", "put it into input_options"),
            ("input_options = { vf = 'hflip' }", "4:19", "put it into output_options"),
            ("input_options = { t = 0 }", "4:19", "t must be more than 0"),
            (
                "output_options = { map = 'a' }",
                "4:20",
                "does not begin with the number of an input",
            ),
            ("output_options = { pixfmt = 'gray' }", "4:20", "did you mean pix_fmt"),
            ("output_options = { g = 1e30 }", "4:20", "g: '1e30' can't be"),
            ("output_options = { 'b:v' = -5 }", "4:20", "from 0 on"),
            ("output_options = { preset = 'nonsense' }", "4:20", "ultrafast"),
            ("output_options = { flvflags = 'nothing' }", "4:20", "with + or - before it"),
            ("input_options = { probesize = 1 }", "4:19", "from 32"),
            ("input_options = { rtmp_buffer = 'soon' }", "4:19", "rtmp_buffer"),
            ("filter = 'hflp'", "4:1", "did you mean hflip"),
            ("filter = 'eq=eval=sometimes'", "4:1", "init or frame"),
            ("output_options = { c = 'libx264' }", "4:20", "use c:v and c:a, or c = \"copy\""),
        ] {
            let said = check(&format!("{both}{keys}\n"));
            assert!(said.contains(&format!("f.toml:{place}: ")), "{keys}: {said}");
            assert!(said.contains(mentions), "{keys}: {said}");
            let is_dashed = |word: &str| {
                word.strip_prefix('-').is_some_and(|rest| rest.starts_with(char::is_alphabetic))
                    || word.starts_with("--")
            };
            assert!(!said.split([' ', '(', '\'']).any(is_dashed), "{keys}: {said}");
        }
    }

    #[test]
    fn a_secret_of_the_environment_is_in_no_error() {
        let said = check("[pipelines.a]\ninput = 'x${CAMERA_KEY}'\non_slow = '${CAMERA_KEY}'\n");
        assert!(said.contains("f.toml:") && !said.contains("sesame"), "{said}");
    }
}
