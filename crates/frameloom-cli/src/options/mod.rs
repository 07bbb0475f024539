//! The program's options: one table for each verb, what of the library's table a verb takes, and the
//! keys of pipelines and models in a file that are no option.

pub(crate) mod demo;
pub(crate) mod keys;
pub(crate) mod listing;
pub(crate) mod program;
pub(crate) mod serve;
mod verb;

use frameloom::internal::{LibraryOption, Row, Scope, library};

pub(crate) use self::verb::Verb;

impl Verb {
    /// Every option that it takes, in the order that they are shown in.
    pub(crate) fn rows(self) -> Vec<&'static Row> {
        let own = program::TABLE.iter().filter(|entry| entry.verbs.contains(&self));
        let listings = listing::TABLE.iter().filter(|_| listing::VERBS.contains(&self));
        let own = own.map(|entry| &entry.row).chain(listings.map(|listing| &listing.row));
        match self {
            Verb::Run => library().iter().map(|entry| &entry.row).chain(own).collect(),
            Verb::Probe => {
                library().iter().filter(|e| is_for_probe(e)).map(|e| &e.row).chain(own).collect()
            }
            Verb::Serve => serve::TABLE.iter().map(|setting| &setting.row).chain(own).collect(),
            Verb::Demo => demo::TABLE.iter().map(|setting| &setting.row).chain(own).collect(),
        }
    }
}

fn is_for_probe(entry: &LibraryOption) -> bool {
    entry.is_for_input() && entry.row.scope != Scope::Output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_option_of_a_verb() {
        for verb in Verb::ALL {
            let rows = verb.rows();
            let names = rows.iter().flat_map(|row| row.names().map(|name| row.dashed(name)));
            let mut names: Vec<String> = names.collect();
            names.sort();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all, "{verb:?}");
            for row in rows {
                let is_shown = !row.placeholder.is_empty() || !row.choices().is_empty();
                assert_eq!(row.takes_value(), is_shown, "{}", row.name);
                assert!(!row.help.ends_with('.'), "{}: {}", row.name, row.help);
            }
        }
    }
}
