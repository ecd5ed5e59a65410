# The lines of issue 8, hosts: sourced by bench/accept, never run. What is here: one function a line. What is not: rows,
# figures and options, which are bench/accept's.

# The guides, command by command on hosts of their own, with the Debian package of the release build. In short the package
# alone is made and looked at, by .ci/run.
line_8_6() {
    if [ "$short" = 1 ]; then return 0; fi
    if ! need_cargo_deb; then row 8.6 'the guides' bench/five-vms skipped 'no cargo-deb'; return 0; fi
    local package
    cargo build --release --quiet -p bedloe
    shown 8.6 'the Debian package' packaging/deb --program "$bedloe" || return 0
    package=$(tail -n 1 "$log")
    guide_run 'nginx replaced and back' bench/from-nginx "$package"
    guide_run 'five machines, from empty to the report and back' bench/five-vms "$package"
}

# guide_run WHAT COMMAND...: a guide's run; 77 is what it ends with where the machine has not what it needs.
guide_run() {
    local what=$1 began=$SECONDS status=0 result=held
    shift
    say "8.6: $*"
    log=$scratch/log
    "$@" >"$log" 2>&1 || status=$?
    case $status in
        0) ;;
        77) result=skipped ;;
        *) result=failed && tail -n 30 "$log" >&2 ;;
    esac
    row 8.6 "$what" "$(tidied "$*")" "$result" "$(figures "$log"), $((SECONDS - began)) s"
}
