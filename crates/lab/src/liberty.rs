//! Real Open Liberty servers in place of the stand-ins: where their runtime is, what each server is made of, how one is
//! started.
//!
//! A server is started by `server run`, whose process becomes the Java machine itself: it is paused, killed and told
//! to stop (SIGTERM, by which Liberty ends in good order) as a stand-in is. Left out: Liberty as a service of the
//! system, and servers on other machines.

mod files;
mod install;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use files::{File, files};
pub use install::{InstallError, find};

use crate::plan::{PAGE, Plan, Server};
use crate::processes::Recipe;

/// The release of Open Liberty unless told otherwise.
pub const VERSION: &str = "26.0.0.5";
/// The folder of the servers, in the lab's.
pub(crate) const FOLDER: &str = "liberty";
/// How long servers that start side by side, and then compile their pages, may take.
const READY_LIMIT: Duration = Duration::from_secs(240);
/// How long one may take to stop: requests under way may go on.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// The pages of the application: each is compiled when it is first asked for, so they are before the load.
const PAGES: [&str; 3] = ["/health/ready", PAGE, "/accounts-external/api/session"];

/// Which Liberty is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// This release, fetched by Maven where it is not there yet.
    Release {
        /// The release.
        version: String,
        /// Where releases are kept.
        cache: PathBuf,
    },
    /// The one that is installed here.
    Home(PathBuf),
}

/// A Liberty that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Liberty {
    /// Its folder, `wlp`.
    pub home: PathBuf,
    /// What Java it runs on says of itself.
    pub java: String,
}

impl Liberty {
    /// How a server is started.
    pub(crate) fn recipe(&self, plan: &Plan, server: &Server) -> Recipe {
        let folder = plan.options.folder.join(FOLDER);
        let command = self.home.join("bin").join("server").to_string_lossy().into_owned();
        Recipe {
            name: server.name.clone(),
            program: plan.options.program.clone(),
            arguments: vec!["tied".to_owned()],
            behind: ["--", &command, "run", &server.name].map(str::to_owned).to_vec(),
            environment: vec![
                ("WLP_USER_DIR".to_owned(), folder.clone().into_os_string()),
                ("WLP_OUTPUT_DIR".to_owned(), folder.join("servers").into_os_string()),
            ],
            address: server.address,
            pages: PAGES.map(str::to_owned).to_vec(),
            log: plan.options.folder.join("logs").join(format!("{}.log", server.name)),
            ready_limit: READY_LIMIT,
            stop_limit: STOP_LIMIT,
        }
    }
}

/// Whether a text is a release: it becomes a part of Maven's coordinates, and the name of a folder.
#[must_use]
pub fn is_version(text: &str) -> bool {
    let is_of_one = |letter: char| letter.is_ascii_alphanumeric() || letter == '.' || letter == '-';
    text.starts_with(|first: char| first.is_ascii_digit()) && text.len() <= 40 && text.chars().all(is_of_one)
}

/// Where the program of `--liberty-home` would be.
fn program(home: &Path) -> PathBuf {
    home.join("bin").join("server")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::plan::tests::options;

    #[test]
    fn a_server_is_run_in_the_labs_folder() {
        let plan = Plan::new(options()).unwrap();
        let liberty = Liberty { home: "/opt/wlp".into(), java: "17".into() };
        let recipe = liberty.recipe(&plan, &plan.servers[1]);
        assert_eq!(recipe.arguments, ["tied"]);
        assert_eq!(recipe.behind, ["--", "/opt/wlp/bin/server", "run", "liberty-2"]);
        assert_eq!(recipe.environment[0], ("WLP_USER_DIR".to_owned(), "lab/liberty".into()));
        assert_eq!(recipe.pages[1], "/accounts-external/api/hello");
    }

    #[test]
    fn a_release_is_a_number() {
        for (text, is_one) in [
            ("26.0.0.5", true),
            ("23.0.0.1-beta", true),
            ("", false),
            ("latest", false),
            ("../26", false),
            ("26:jar", false),
            ("26 -X", false),
            ("2/6", false),
        ] {
            assert_eq!(is_version(text), is_one, "{text}");
        }
    }
}
