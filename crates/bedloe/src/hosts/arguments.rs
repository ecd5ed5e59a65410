//! `--agent NAME=URL` and what goes with it, for all jobs that show hosts.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::Source;
use crate::agent::Token;
use crate::fetch::{Credentials, Origin};
use crate::secrets::{read_authorities, read_identity, warn_if_open};

/// Agents of one dashboard or report: a request a second each.
pub(crate) const AGENTS_MAX: usize = 64;
/// Characters of a host's name.
const NAME_MAX: usize = 64;

/// The hosts that are shown.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AgentsArgs {
    /// A host with a `bedloe agent` (or node_exporter), such as liberty-1=http://10.0.0.11:9101; can be repeated
    #[arg(long, value_name = "NAME=URL", value_parser = agent)]
    pub(crate) agent: Vec<Agent>,
    /// The file with the token that the agents want
    #[arg(long, value_name = "FILE", requires = "agent")]
    pub(crate) agent_token: Option<PathBuf>,
    /// Authorities of the agents' certificates (PEM) [default: those that browsers trust]
    #[arg(long, value_name = "FILE", requires = "agent")]
    pub(crate) agent_ca: Option<PathBuf>,
    /// The certificate to show to agents that want one (PEM)
    #[arg(long, value_name = "FILE", requires = "agent", requires = "agent_key")]
    pub(crate) agent_certificate: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "agent_certificate")]
    pub(crate) agent_key: Option<PathBuf>,
}

/// One `--agent`.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    name: String,
    origin: Origin,
}

impl AgentsArgs {
    /// The same as words of a command line.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let agents = self.agent.iter().map(|Agent { name, origin }| format!("--agent={name}={origin}").into());
        let file = |option: &str, path: &Option<PathBuf>| {
            let path = path.as_ref()?;
            // The other process may not stand in the same folder.
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            let mut word = OsString::from(option);
            word.push(path);
            Some(word)
        };
        let files = [
            file("--agent-token=", &self.agent_token),
            file("--agent-ca=", &self.agent_ca),
            file("--agent-certificate=", &self.agent_certificate),
            file("--agent-key=", &self.agent_key),
        ];
        agents.chain(files.into_iter().flatten()).collect()
    }

    /// Says where the token could be read by others than the agents.
    pub(crate) fn warn(&self) {
        let Some(file) = &self.agent_token else { return };
        warn_if_open(file);
        let agents = self.agent.iter().filter(|agent| agent.origin.is_in_the_clear());
        let names: Vec<&str> = agents.map(|agent| agent.name.as_str()).collect();
        if !names.is_empty() {
            let names = names.join(", ");
            crate::say(format_args!("the token is sent to {names} in the clear: https:// keeps it from others"));
        }
    }

    /// The agents, ready to be asked.
    pub(crate) fn sources(&self) -> anyhow::Result<Vec<Source>> {
        if self.agent.len() > AGENTS_MAX {
            bail!("{} agents are too many: {AGENTS_MAX} are the most", self.agent.len());
        }
        let credentials = self.credentials()?;
        let mut sources: Vec<Source> = Vec::new();
        for Agent { name, origin } in &self.agent {
            if sources.iter().any(|known| known.name() == name) {
                bail!("--agent names {name} twice");
            }
            sources.push(Source::agent(name.clone(), origin.clone(), credentials.clone())?);
        }
        Ok(sources)
    }

    fn credentials(&self) -> anyhow::Result<Credentials> {
        let authorization = self.agent_token.as_deref().map(|file| Token::read(file).map(|token| token.header()));
        let authorities = self.agent_ca.as_deref().map(read_authorities);
        let identity = match (&self.agent_certificate, &self.agent_key) {
            (Some(chain), Some(key)) => Some(read_identity(chain, key)?),
            _ => None,
        };
        Ok(Credentials {
            authorization: authorization.transpose()?,
            authorities: authorities.transpose()?.unwrap_or_default(),
            identity,
        })
    }
}

/// Reads `NAME=URL`; the page may stand behind the URL or not.
fn agent(text: &str) -> Result<Agent, String> {
    let Some((name, url)) = text.split_once('=') else {
        return Err("want NAME=URL, such as liberty-1=http://10.0.0.11:9101".to_owned());
    };
    let is_part = |letter: char| letter.is_alphanumeric() || "-_.: ".contains(letter);
    if name.trim().is_empty() || name.chars().count() > NAME_MAX || !name.chars().all(is_part) {
        return Err(format!("want a name of at most {NAME_MAX} letters and digits before the `=`"));
    }
    let url = url.trim_end_matches('/');
    let origin = url.strip_suffix("/metrics").unwrap_or(url).parse();
    let origin: Origin = origin.map_err(|error: anyhow::Error| format!("{error:#}"))?;
    Ok(Agent { name: name.to_owned(), origin })
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_agent_is_a_name_and_an_address() {
        for (text, name, url) in [
            ("liberty-1=http://10.0.0.11:9101", "liberty-1", "http://10.0.0.11:9101"),
            ("lb=https://lb.test/agent/metrics", "lb", "https://lb.test/agent"),
            ("Server 1=http://a:9100/metrics/", "Server 1", "http://a:9100"),
        ] {
            let agent = super::agent(text).expect(text);
            assert_eq!((agent.name.as_str(), agent.origin.to_string().as_str()), (name, url), "{text}");
        }
        let long = format!("{}=http://a", "x".repeat(65));
        for text in ["", "a", "=http://a", " =http://a", "a=", "a=b", "a<b>=http://a", "a=http://u:p@b", &long] {
            assert!(super::agent(text).is_err(), "{text}");
        }
    }
}
