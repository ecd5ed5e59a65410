//! The two files of a run, its page and its numbers, which the commands that run something have in common.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::Value;

use super::make::Begin;
use super::output::{self, Output};
use super::run::{Host, Run};
use super::watch::Watch;
use crate::hosts::AgentsArgs;

/// The files that a run goes to, and when it began.
pub(crate) struct Files {
    pub(crate) begin: Begin,
    json: Option<Output>,
    page: Option<Output>,
    watch: Option<Watch>,
}

impl Files {
    /// Tries both files, before anything is run. What lies in `folder` is tried when it is written.
    pub(crate) fn prepare(
        json: Option<&PathBuf>,
        page: Option<&PathBuf>,
        folder: Option<&Path>,
    ) -> anyhow::Result<Self> {
        if let (Some(json), Some(page)) = (json, page) {
            output::differ(json, page)?;
        }
        let output = |path: &PathBuf| match folder {
            Some(folder) => Output::prepare_unless_in(folder, path),
            None => Output::prepare(path),
        };
        Ok(Self {
            begin: Begin::now(),
            json: json.map(output).transpose()?,
            page: page.map(output).transpose()?,
            watch: None,
        })
    }

    /// Begins to look at this machine, and at the agents, if anybody wants to know.
    pub(crate) fn watch(mut self, agents: &AgentsArgs) -> anyhow::Result<Self> {
        if self.is_wanted() {
            self.watch = Some(Watch::start(agents)?);
        } else if !agents.agent.is_empty() {
            bail!("--agent brings hosts into a report: want --report FILE or --json FILE too");
        }
        Ok(self)
    }

    /// The hosts over the last `elapsed_ms`, which are over now.
    pub(crate) fn hosts(&mut self, elapsed_ms: u64) -> Vec<Host> {
        self.watch.take().map(|watch| watch.finish(elapsed_ms)).unwrap_or_default()
    }

    /// Whether anybody wants to know of the run.
    pub(crate) fn is_wanted(&self) -> bool {
        self.json.is_some() || self.page.is_some()
    }

    /// Writes both, the numbers as `run` in a document that has more. If one of them fails the other is written all the
    /// same.
    pub(crate) fn write(self, run: &Run, document: Option<Value>) -> anyhow::Result<()> {
        let paged = self.page.map_or(Ok(()), |page| page.finish(&super::render(run)));
        let Some(json) = self.json else { return paged };
        let text = match document {
            Some(mut document) => {
                document["run"] = serde_json::to_value(run)?;
                serde_json::to_string_pretty(&document)? + "\n"
            }
            None => run.to_json()?,
        };
        json.finish(&text).and(paged)
    }
}
