//! `bedloe man` and `bedloe completions`: a page for each command that the help shows, in good roff; completions that
//! the shells take and that offer what there is. Readers and shells that are not installed are skipped by name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::skipped;

fn bedloe(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    let output = command.args(arguments).env("SOURCE_DATE_EPOCH", "1735689600").stdin(Stdio::null()).output();
    let output = output.expect("the program runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn text(arguments: &[&str]) -> String {
    String::from_utf8(bedloe(arguments).stdout).expect("text")
}

/// The commands that a help lists, and those below them, as the names of their pages.
fn pages(job: &[&str], found: &mut BTreeSet<String>) {
    found.insert(format!("bedloe{}.1", job.iter().map(|word| format!("-{word}")).collect::<String>()));
    let help = text(&[job, &["-h"]].concat());
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What is two spaces in is a name; what is further in goes on with the text above.
    let names = listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        pages(&[job, &[name]].concat(), found);
    }
}

fn names(folder: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(folder).expect("a folder");
    files.map(|file| file.expect("a file").file_name().into_string().expect("text")).collect()
}

#[test]
fn each_command_has_a_page_and_each_page_is_good_roff() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("man/man1");
    bedloe(&["man", folder.to_str().expect("text")]);
    let mut wanted = BTreeSet::new();
    pages(&[], &mut wanted);
    assert_eq!(names(&folder), wanted);
    assert_eq!(text(&["man"]), fs::read_to_string(folder.join("bedloe.1")).expect("a page"));
    let run = fs::read_to_string(folder.join("bedloe-run.1")).expect("a page");
    assert!(run.contains(".TH bedloe-run 1 2025-01-01 \"bedloe "), "{run}");
    assert!(!run.contains("die\\-with\\-parent"), "what the help hides is hidden");
    for (reader, arguments) in
        [("mandoc", &["-Tlint", "-Wwarning"][..]), ("groff", &["-man", "-ww", "-Tutf8", "-Kutf8", "-z"])]
    {
        let read = Command::new(reader).args(arguments).args(wanted.iter().map(|name| folder.join(name))).output();
        let Ok(read) = read else {
            skipped("each_command_has_a_page_and_each_page_is_good_roff", reader);
            continue;
        };
        let said = String::from_utf8_lossy(&read.stdout).into_owned() + &String::from_utf8_lossy(&read.stderr);
        assert!(read.status.success() && said.is_empty(), "{reader}: {said}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("file");
    fs::write(&file, "").expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    let output = command.arg("man").arg(file.join("man1")).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("cannot make the folder"), "{said}");
}

/// Lets bash complete the last of these words.
fn completed(words: &[&str]) -> Option<Vec<String>> {
    let (last, before) = (words.len() - 1, words.len().saturating_sub(2));
    let quoted = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let script = format!(
        "source /dev/stdin; COMP_WORDS=({quoted}); COMP_CWORD={last}; _bedloe bedloe '{}' '{}'
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words[last], words[before],
    );
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("bedloe");
    fs::write(&file, text(&["completions", "bash"])).expect("a file");
    let input = fs::File::open(file).expect("a file");
    let output = Command::new("bash").args(["--norc", "-c", &script]).stdin(input).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

#[test]
fn shells_take_the_completions_and_offer_what_there_is() {
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&["completions", shell]);
        for hidden in ["hold-network", "restart-in-lab", "worker"] {
            assert!(!script.contains(&format!("{hidden})")), "{shell}: {hidden}");
        }
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join("script");
        fs::write(&file, script).expect("a file");
        match Command::new(shell).arg("-n").arg(&file).output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(_) => skipped("shells_take_the_completions_and_offer_what_there_is", shell),
        }
    }
    for (words, wanted) in [
        (&["bedloe", "tu"][..], &["tune"][..]),
        (&["bedloe", "tune", "un"], &["undo"]),
        (&["bedloe", "tune", "check", "--role", ""], &["balancer", "liberty", "injector"]),
        (&["bedloe", "check", "--server-x"], &["--server-xml"]),
    ] {
        match completed(words) {
            Some(offered) => assert_eq!(offered, wanted, "{words:?}"),
            None => skipped("shells_take_the_completions_and_offer_what_there_is", "bash"),
        }
    }
}
