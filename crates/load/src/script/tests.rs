//! Scripts that would take for ever, or show without end.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use super::*;

/// A script with this text, and what it has said.
fn script(text: &str) -> (ScriptRun, Arc<Mutex<Vec<Log>>>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.js");
    #[allow(clippy::disallowed_methods, reason = "a test")]
    std::fs::write(&path, text).unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&said);
    let sink: Sink = Arc::new(move |log| kept.lock().unwrap().push(log.clone()));
    let script = Script::open(&path, Vec::new(), None, sink).unwrap();
    (ScriptRun::new(script, HttpOptions::usual().unwrap()), said)
}

#[test]
fn a_summary_that_is_never_made_is_given_up() {
    for body in ["sleep(1000)", "for (;;) {}", "return new Promise((yes) => sleep(1000))"] {
        let text = format!(
            "import {{ sleep }} from 'k6';\nexport default () => {{}};\nexport function handleSummary() {{ {body} }}"
        );
        let (mut run, _) = script(&text);
        assert_eq!(run.summary_timeout_ns, 120_000_000_000);
        run.summary_timeout_ns = 50_000_000;
        let why = Summarized::Nothing("handleSummary() execution timed out after 0 seconds".to_owned());
        assert_eq!(run.summarize(&Json::Null), Some(why), "{body}");
    }
}

#[test]
fn what_would_be_shown_without_end_is_cut_off() {
    let (_, said) = script(
        "let deep = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
         for (let at = 0; at < 20; at += 1) deep = Array(10).fill(deep);
         const wide = {}; for (let at = 0; at < 1e5; at += 1) wide[`name of ${at}`] = at;
         for (const each of [new Array(1e9), deep, wide, new Uint8Array(1e8), new ArrayBuffer(1e8)]) console.log(each);
         console.log([1, , 3], 'x'.repeat(2e6));
         export default () => {};",
    );
    let said = said.lock().unwrap();
    let (short, cut) = said.split_last().unwrap();
    assert_eq!((short.text.len(), cut.len()), ("[ 1, null, 3 ] ".len() + 2_000_000, 5));
    for log in cut {
        let length = log.text.len();
        assert!((1 << 19..1 << 21).contains(&length) && log.text.ends_with(" ..."), "{length}");
    }
}
