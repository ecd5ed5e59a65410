//! `bedloe lab --drill` as a program, in short: a server that is killed, one that hangs and one that cuts its answers,
//! and what is refused. The whole of it is `bedloe lab --drill all`.

use std::process::{Command, Output};

use serde_json::Value;

use crate::lab::Place;

fn drill(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bedloe")).args(["lab", "--drill"]).args(arguments).output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn three_faults_and_their_table() {
    let (place, home) = (Place::new(21), tempfile::tempdir().expect("a folder"));
    let text = |path: std::path::PathBuf| path.to_str().expect("a plain path").to_owned();
    let (folder, json) = (text(home.path().join("lab")), text(home.path().join("numbers.json")));
    let address = place.address(10, 0).ip().to_string();
    let output =
        drill(&["kill,hang,cut", "--rate", "100", "--address", &address, "--folder", &folder, "--json", &json]);
    let said = said(&output);
    let numbers: Value =
        serde_json::from_slice(&std::fs::read(json).unwrap_or_else(|_| panic!("{said}"))).expect("JSON");
    let drills = numbers["drills"].as_array().expect("rows");
    let names: Vec<&str> = drills.iter().filter_map(|row| row["fault"].as_str()).collect();
    assert_eq!(names, ["kill", "hang", "cut"], "{said}");
    for row in drills {
        assert!(row["requests"].as_u64() > Some(500), "{row}");
        for count in ["gets_failed", "posts_twice", "posts_undone", "sessions_lost_elsewhere"] {
            assert_eq!(row[count].as_u64(), Some(0), "{count}: {said}");
        }
        // How soon is no matter for a machine that runs other tests beside.
        assert!(row["noticed_ms"].is_u64() && row["back_after_ms"].is_u64(), "{said}");
    }
    assert!(drills[2]["gets_cut_off"].as_u64() > Some(0), "{said}");
    let passed = numbers["passed"].as_bool() == Some(true);
    assert_eq!(output.status.code(), Some(if passed { 0 } else { 99 }), "{said}");
    assert!(said.contains(if passed { "PASSED: 3 faults at 100/s" } else { "FAILED: 3 faults" }), "{said}");
    place.assert_gone();
}

#[test]
fn what_there_is_to_drill_is_listed_and_nothing_else_taken() {
    let output = drill(&["list"]);
    assert!(output.status.success() && said(&output).contains("\nkill          One server is killed (SIGKILL)"));
    let table: [(&[&str], i32, &str); 5] = [
        (&["kil"], 1, "there is no drill \"kil\"; there are all, kill, hang"),
        (&["kill", "--servers", "1"], 1, "a drill needs at least 2 servers"),
        (&["kill", "--rate", "0"], 1, "a rate is 1 to "),
        (&["kill", "--against", "apache"], 2, "want nginx or haproxy"),
        (&["kill", "--keep"], 2, "cannot be used with"),
    ];
    for (arguments, code, part) in table {
        let output = drill(arguments);
        assert!(output.status.code() == Some(code) && said(&output).contains(part), "{arguments:?}: {}", said(&output));
    }
}
