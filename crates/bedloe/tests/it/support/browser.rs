//! A page in a headless Chromium that stays open, to see what it becomes. It is spoken to by the DevTools protocol over
//! a pair of pipes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Seconds after which a browser is ended, whatever it does.
const LASTS_S: &str = "60";

pub(crate) struct Browser {
    child: Child,
    /// None when it is to end: that is what it ends by.
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    asked: u64,
    session: Option<String>,
    _home: TempDir,
}

impl Browser {
    /// Opens a page; none where there is no browser.
    pub(crate) fn open(url: &str) -> Option<Self> {
        let is_there = Command::new("sh").args(["-c", "command -v chromium"]).stdout(Stdio::null()).status();
        if !is_there.is_ok_and(|status| status.success()) {
            return None;
        }
        let home = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("timeout");
        // The protocol is spoken at the descriptors 3 and 4.
        command.args([LASTS_S, "sh", "-c", "exec \"$@\" 3<&0 4>&1 0</dev/null 1>&2", "sh", "chromium", "--headless"]);
        command.args(["--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]);
        command.arg(format!("--user-data-dir={}", home.path().display())).env("HOME", home.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("timeout is there");
        let (requests, answers) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("a pipe")));
        let mut browser = Self { child, requests, answers, asked: 0, session: None, _home: home };
        let target = browser.ask("Target.createTarget", &json!({"url": url}))["targetId"].clone();
        let attached = browser.ask("Target.attachToTarget", &json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        Some(browser)
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let answer = self.ask("Runtime.evaluate", &json!({"expression": expression, "returnByValue": true}));
        answer["result"]["value"].clone()
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let mut request = json!({"id": self.asked, "method": method, "params": params});
        if let Some(session) = &self.session {
            request["sessionId"] = session.as_str().into();
        }
        let mut bytes = request.to_string().into_bytes();
        bytes.push(0);
        self.requests.as_mut().expect("it is open").write_all(&bytes).expect("the browser reads");
        loop {
            let mut bytes = Vec::new();
            self.answers.read_until(0, &mut bytes).expect("an answer");
            assert_eq!(bytes.pop(), Some(0), "the browser has ended before it answered {method}");
            let answer: Value = serde_json::from_slice(&bytes).expect("JSON");
            // Between answers it tells of events.
            if answer["id"] == self.asked {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.requests = None;
        let _ = self.child.wait();
    }
}
