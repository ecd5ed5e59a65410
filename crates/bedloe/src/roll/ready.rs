//! Whether a server that was restarted is ready: checks of the balancer that pass in a row, and pages asked for here.

use anyhow::{Context, bail};
use std::time::Duration;

use super::view::Checks;
use crate::fetch::{Origin, status_of};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Checks that have passed in a row since somebody began to look.
#[derive(Debug)]
pub(super) struct Passes {
    since: Checks,
}

impl Passes {
    pub(super) fn since(checks: Checks) -> Self {
        Self { since: checks }
    }

    /// How many, now that the counts are these. Several may have come since the last look, and one that failed among
    /// them makes all of them count for nothing.
    pub(super) fn with(&mut self, checks: Checks) -> u64 {
        let is_set_back = checks.made < self.since.made;
        if checks.last_passed != Some(true) || checks.failed != self.since.failed || is_set_back {
            self.since = checks;
        }
        checks.made - self.since.made
    }
}

/// Asks a server itself for a page.
pub(super) async fn probe(address: &str, path: &str) -> anyhow::Result<()> {
    let page = match address.strip_prefix("unix:") {
        Some(socket) => Origin::unix(socket.into(), path.to_owned()),
        None => Origin::read(&format!("http://{address}{path}"))?,
    };
    let status = tokio::time::timeout(ANSWER, status_of(page)).await.context("no answer within 5 s")??;
    if status.is_success() || status.is_redirection() {
        return Ok(());
    }
    bail!("{path} is answered with {status}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_count_in_a_row() {
        let checks = |made, failed, passed| Checks { made, failed, last_passed: Some(passed) };
        let mut passes = Passes::since(checks(10, 2, true));
        let looks = [
            (checks(10, 2, true), 0),
            (checks(12, 2, true), 2),
            (checks(13, 3, false), 0),
            (checks(15, 4, true), 0),
            (checks(16, 4, true), 1),
            (checks(18, 4, true), 3),
            (checks(1, 0, true), 0),
            (checks(2, 0, true), 1),
        ];
        for (look, expected) in looks {
            assert_eq!(passes.with(look), expected, "{look:?}");
        }
        assert_eq!(Passes::since(Checks::default()).with(Checks::default()), 0);
    }
}
