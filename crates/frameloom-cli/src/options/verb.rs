//! The verbs of the program.

/// What the program is asked to do: its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// No verb: a pipeline.
    Run,
    Probe,
    Serve,
    Demo,
}

impl Verb {
    /// Every verb, in the order that they are shown in.
    pub(crate) const ALL: [Verb; 4] = [Verb::Run, Verb::Probe, Verb::Serve, Verb::Demo];

    /// The verb that this word is.
    pub(crate) fn named(word: &str) -> Option<Verb> {
        Verb::ALL.into_iter().filter(|verb| *verb != Verb::Run).find(|verb| verb.name() == word)
    }

    /// Its word; empty for a pipeline, which has none.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Verb::Run => "",
            Verb::Probe => "probe",
            Verb::Serve => "serve",
            Verb::Demo => "demo",
        }
    }
}
