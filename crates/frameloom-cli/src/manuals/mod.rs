//! What is written from the tables of options: the man page, completions of shells, and
//! docs/options.md. `frameloom manuals FOLDER`, which help doesn't show, writes them all;
//! script/manuals calls it.

mod bash;
mod fish;
mod man;
mod reference;
mod zsh;

use std::path::Path;

use frameloom::{Error, Result, Stage};

/// Every file, by its name.
fn files() -> [(&'static str, String); 5] {
    [
        ("frameloom.1", man::page()),
        ("frameloom.bash", bash::completion()),
        ("_frameloom", zsh::completion()),
        ("frameloom.fish", fish::completion()),
        ("options.md", reference::text()),
    ]
}

/// Writes them into a folder, which is made where it isn't there.
///
/// # Errors
/// What the system says.
pub(crate) fn write(folder: &Path) -> Result<()> {
    let at = |path: &Path, error| Error::io(Stage::Options, error).at(&path.display().to_string());
    std::fs::create_dir_all(folder).map_err(|error| at(folder, error))?;
    for (name, text) in files() {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| at(&path, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::options::Verb;

    /// Runs a program with `text` on stdin and expects it to find nothing wrong; `false` where
    /// there is no such program.
    fn accepts(program: &[&str], text: &str) -> bool {
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).stdin(Stdio::piped()).stdout(Stdio::null());
        let Ok(mut child) = command.stderr(Stdio::piped()).spawn() else { return false };
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && said.is_empty(), "{program:?}: {said}");
        true
    }

    #[test]
    fn every_file_names_every_option() {
        for (name, text) in files() {
            for row in Verb::ALL.into_iter().flat_map(Verb::rows) {
                for option in row.names() {
                    let written = match (name, row.is_long) {
                        ("frameloom.1", _) => row.dashed(option).replace('-', "\\-"),
                        ("_frameloom", _) => row.dashed(option).replace(':', "\\:"),
                        ("frameloom.fish", true) => format!("-l {option} "),
                        ("frameloom.fish", false) if option.len() == 1 => format!("-s {option} "),
                        ("frameloom.fish", false) => format!("-o {option} "),
                        _ => row.dashed(option),
                    };
                    assert!(text.contains(&written), "{name} lacks {written}");
                }
            }
        }
    }

    #[test]
    fn shells_and_man_read_them() {
        assert!(accepts(&["bash", "-n"], &bash::completion()), "bash is not there");
        accepts(&["zsh", "-n", "/dev/stdin"], &zsh::completion());
        accepts(&["fish", "--no-execute", "/dev/stdin"], &fish::completion());
        accepts(&["mandoc", "-T", "lint", "-W", "error"], &man::page());
        accepts(&["groff", "-man", "-ww", "-z", "-K", "utf8"], &man::page());
    }

    /// What bash offers for words, the last of which is being written.
    fn offered(words: &[&str]) -> Vec<String> {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let script = format!(
            "compopt() {{ :; }}\n{}\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_frameloom\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
            bash::completion(),
            quoted.join(" "),
            words.len() - 1
        );
        let done = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let text = String::from_utf8(done.stdout).unwrap();
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn bash_offers_what_fits() {
        let own = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        for (words, expected) in [
            (&["frameloom", "pr"][..], own(&["probe"])),
            (&["frameloom", "--on-s"], own(&["--on-slow="])),
            (&["frameloom", "--on-slow", "=", "b"], own(&["block", "bypass"])),
            (&["frameloom", "--on-slow", "="], own(&["latest", "block", "bypass", "hold"])),
            (&["frameloom", "--on-loss", "s"], own(&["slate"])),
            (&["frameloom", "-i", "in", "-pix"], own(&["-pix_fmt", "-pix_fmts"])),
            (&["frameloom", "serve", "--rtmps"], own(&["--rtmps-listen="])),
            (&["frameloom", "serve", "--on-s"], own(&[])),
            (&["frameloom", "probe", "--on-s"], own(&[])),
            (&["frameloom", "demo", "--pic"], own(&["--picture="])),
            (&["frameloom", "help", "s"], own(&["serve"])),
            (&["frameloom", "-i", "in", "--", "--on-s"], own(&[])),
        ] {
            assert_eq!(offered(words), expected, "{words:?}");
        }
    }

    #[test]
    fn the_reference_is_what_the_tables_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/options.md");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        let same = written == reference::text();
        assert!(same, "docs/options.md differs from the tables of options: run script/manuals");
    }
}
