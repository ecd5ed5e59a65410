//! Modules of other hosts: fetched over `https` when the test starts, as k6 does, and kept in a folder for the day that
//! the host cannot be reached.

use std::path::Path;
use std::rc::Rc;

use aws_lc_rs::digest;

use super::base64::hex;
use super::fiber::{Answer, Ask};
use super::host::Host;
use super::log::Level;
use crate::fetch::{Call, Expected, Login, Reply, Wants};
use crate::metric::{TagsId, Who};

/// How long a module may take.
const TIMEOUT_MS: u64 = 60_000;
/// How long it may take where there is a copy of it.
const TIMEOUT_WITH_COPY_MS: u64 = 10_000;
/// Redirects that are followed.
const REDIRECTS: u32 = 10;

/// Reads a module: from its host, or else the copy of the last time.
pub(super) fn read(host: &Host, url: &str) -> Result<String, String> {
    let name = hex(digest::digest(&digest::SHA256, url.as_bytes()).as_ref());
    let copy = host.program.copies.as_ref().map(|folder| folder.join(name));
    let has_copy = copy.as_deref().is_some_and(Path::is_file);
    match fetched(host, url, if has_copy { TIMEOUT_WITH_COPY_MS } else { TIMEOUT_MS }) {
        Ok(text) => {
            // Without a copy the test is as good: only a later one might miss it.
            let _ = copy.map(|copy| keep(&copy, &text));
            Ok(text)
        }
        Err(why) => {
            let Some(copy) = copy.filter(|_| has_copy) else {
                let hint = "; there is no copy of it on this host either: save it as a file and import that";
                return Err(format!("the module {url} cannot be fetched: {why}{hint}"));
            };
            let text = std::fs::read_to_string(&copy);
            let text = text.map_err(|error| format!("cannot read {}, the copy of {url}: {error}", copy.display()))?;
            let fields = vec![("copy", copy.display().to_string())];
            host.log(Level::Warning, format!("the module {url} cannot be fetched ({why}); its copy is used"), fields);
            Ok(text)
        }
    }
}

fn fetched(host: &Host, url: &str, timeout_ms: u64) -> Result<String, String> {
    let target = host.sites.target(url).map_err(str::to_owned)?;
    let call = Call {
        method: "GET".into(),
        target,
        name: None,
        fields: Vec::new(),
        body: Vec::new(),
        timeout_ms,
        redirects: REDIRECTS,
        has_usual_redirects: false,
        tags: Vec::new(),
        expected: Expected::Unsaid,
        wants: Wants::Text,
        base: TagsId::NONE,
        who: Who::default(),
        jar: Rc::default(),
        cookies: Vec::new(),
        plain: None,
        login: Login::Basic,
        referer: None,
    };
    let Some(Answer::Fetched(reply)) = host.ask(Ask::Fetch(Box::new(call))) else {
        return Err("the test was stopped".to_owned());
    };
    let Reply { status, answer, failure, .. } = *reply;
    match failure {
        Some(failure) => Err(failure.text),
        None if (300..400).contains(&status) => {
            Err(format!("HTTP status {status}: {REDIRECTS} redirects were followed, or this one leads nowhere"))
        }
        None if status != 200 => Err(format!("HTTP status {status}")),
        None => String::from_utf8(answer.body).map_err(|_| "it is no text in UTF-8".to_owned()),
    }
}

/// Tests that start side by side see a whole copy each.
fn keep(copy: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = copy.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let new = copy.with_extension(std::process::id().to_string());
    std::fs::write(&new, text)?;
    std::fs::rename(&new, copy)
}
