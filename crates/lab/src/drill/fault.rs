//! The faults of the drills: their names, what each is, and what must hold while it is there.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::stand_in;

/// One fault, under load and for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each has its sentence in `what`")]
pub enum Fault {
    Kill,
    Hang,
    Freeze,
    Reset,
    ResetWithin,
    Cut,
    Unavailable,
    Slow,
    Race,
    Stop,
    AllDown,
    Reload,
    Upgrade,
}

/// Who does a fault.
enum Part {
    /// A stand-in, whose word for it is the drill's name too.
    StandIn(stand_in::Fault),
    /// The lab, by this name.
    Lab(&'static str),
}

/// A list of faults that names one that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no drill {0:?}; there are all, {known}", known = Fault::ALL.map(Fault::name).join(", "))]
pub struct Unknown(String);

impl Fault {
    /// All of them, in the order in which they are drilled.
    pub const ALL: [Self; 13] = [
        Self::Kill,
        Self::Hang,
        Self::Freeze,
        Self::Reset,
        Self::ResetWithin,
        Self::Cut,
        Self::Unavailable,
        Self::Slow,
        Self::Race,
        Self::Stop,
        Self::AllDown,
        Self::Reload,
        Self::Upgrade,
    ];

    /// The faults that a list with commas names; `all` is all of them. None is taken twice.
    pub fn list(text: &str) -> Result<Vec<Self>, Unknown> {
        let mut faults = Vec::new();
        for word in text.split(',').map(str::trim) {
            let named = match word {
                "all" => Self::ALL.to_vec(),
                _ => vec![Self::ALL.into_iter().find(|fault| fault.name() == word).ok_or(Unknown(word.to_owned()))?],
            };
            let new: Vec<Self> = named.into_iter().filter(|fault| !faults.contains(fault)).collect();
            faults.extend(new);
        }
        Ok(faults)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self.part() {
            Part::StandIn(fault) => fault.word(),
            Part::Lab(name) => name,
        }
    }

    /// Who does it: a stand-in, as it is told, or the lab to its processes.
    fn part(self) -> Part {
        use stand_in::Fault as Told;
        match self {
            Self::Kill => Part::Lab("kill"),
            Self::Hang => Part::StandIn(Told::Hang),
            Self::Freeze => Part::Lab("freeze"),
            Self::Reset => Part::StandIn(Told::Reset),
            Self::ResetWithin => Part::StandIn(Told::ResetWithin),
            Self::Cut => Part::StandIn(Told::Cut),
            Self::Unavailable => Part::StandIn(Told::Unavailable),
            Self::Slow => Part::StandIn(Told::Slow),
            Self::Race => Part::StandIn(Told::Race),
            Self::Stop => Part::Lab("stop"),
            Self::AllDown => Part::Lab("all-down"),
            Self::Reload => Part::Lab("reload"),
            Self::Upgrade => Part::Lab("upgrade"),
        }
    }

    /// What it is, as a sentence.
    pub fn what(self) -> &'static str {
        match self {
            Self::Kill => "One server is killed (SIGKILL) and started again.",
            Self::Hang => "One server accepts connections and answers nothing.",
            Self::Freeze => "One server is stopped (SIGSTOP): its kernel accepts connections, and nobody reads.",
            Self::Reset => "One server does each request and resets its connection in place of an answer.",
            Self::ResetWithin => "One server resets the connection in the middle of each answer.",
            Self::Cut => "One server closes the connection in the middle of each answer.",
            Self::Unavailable => "One server answers 503 to everything.",
            Self::Slow => "One server takes two seconds for each answer.",
            Self::Race => "One server closes each kept connection exactly as its next request comes.",
            Self::Stop => "One server stops in good order (SIGTERM) and is started again.",
            Self::AllDown => "All servers are killed and started again.",
            Self::Reload => "The balancer reads its configuration anew twenty times, every 200 ms.",
            Self::Upgrade => "The balancer is replaced by a new process of its own, twice.",
        }
    }

    /// What a stand-in is told, where the fault is one of its answers.
    pub(super) fn order(self) -> Option<stand_in::Fault> {
        match self.part() {
            Part::StandIn(fault) => Some(fault),
            Part::Lab(_) => None,
        }
    }

    /// Whether a balancer has to find out: the others are no failure of a server.
    pub fn is_noticed(self) -> bool {
        !matches!(self, Self::Race | Self::Reload | Self::Upgrade)
    }

    /// Whether no server is left meanwhile.
    pub fn takes_all(self) -> bool {
        self == Self::AllDown
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_each_fault_once() {
        assert_eq!(Fault::list("all").unwrap(), Fault::ALL);
        assert_eq!(Fault::list("cut, kill,cut").unwrap(), [Fault::Cut, Fault::Kill]);
        assert_eq!(Fault::list("slow,all").unwrap().len(), Fault::ALL.len());
        for wrong in ["", "kil", "kill,,hang"] {
            let said = Fault::list(wrong).unwrap_err().to_string();
            assert!(said.starts_with("there is no drill ") && said.contains("all, kill, hang"), "{said}");
        }
    }
}
