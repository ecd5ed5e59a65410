//! A short run of mutated configurations, and some that a longer one found.

#[path = "../examples/fuzz_conf/checks.rs"]
mod checks;
#[path = "../examples/fuzz_conf/make.rs"]
mod make;

#[test]
fn mutated_configurations() {
    let (accepted, _) = make::run(100, 7);
    assert!((5..95).contains(&accepted), "{accepted} without errors: the changes are too small or too large");
}

#[test]
fn findings_behind_bytes_that_are_no_letters_point_at_their_word() {
    assert!(!checks::check(b"events {} http { server { listen 80\xc3 htp2; sever \xff\xff x; } }", b""));
}
