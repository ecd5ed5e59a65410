# The lines of issue 7, high availability: sourced by bench/accept, never run. What is here: one function a line. What is
# not: rows, figures and options, which are bench/accept's, and the sessions of line 7.2, which are bench/sessions'.

SESSIONS=1000      # line 7.2
ROLL_RATE=500      # line 7.3: the same while they are restarted in turn
NETNS_RATE=200     # line 7.4
LIBERTY_RATE=1000  # line 7.3: requests a second on three real servers, one killed

# Each fault for itself at 2,000/s, beside what nginx and HAProxy make of it. The short form is among the tests.
line_7_1() {
    local against=() peers=()
    if [ "$short" = 1 ]; then return 0; fi
    cargo build --release --quiet -p bedloe
    for peer in nginx haproxy; do if has "$peer"; then peers+=("$peer"); fi; done
    if [ ${#peers[@]} -gt 0 ]; then against=(--against "$(IFS=,; echo "${peers[*]}")"); fi
    shown 7.1 'drills: no GET fails while there is a server, no POST is done twice' \
        "$bedloe" lab --drill all "${against[@]}" || true
    cat "$log"
}

# has_liberty: Java, and Maven for the release.
has_liberty() { has java && has mvn; }

# Sessions behind each way of keeping them: what a reload, an upgrade, a drain, a restart and a kill take.
line_7_2() {
    if ! has python3; then row 7.2 'sessions' bench/sessions skipped 'no Python'; return 0; fi
    cargo build --release --quiet -p bedloe
    if [ "$short" = 1 ]; then
        sessions_run 'sessions on stand-ins' bench/sessions --bedloe "$bedloe" --stand-ins --sessions 200
    elif ! has_liberty; then
        row 7.2 'sessions on Liberty' bench/sessions skipped 'no Java or no Maven'
    else
        sessions_run "$SESSIONS sessions on three Liberty servers" bench/sessions --bedloe "$bedloe" --sessions $SESSIONS
    fi
}

# sessions_run WHAT COMMAND...: its rows, a line each, are the figures.
sessions_run() {
    local what=$1 result=held
    shift
    log=$scratch/log
    say "7.2: $*"
    "$@" >"$log" 2>&1 || result=failed
    cat "$log"
    row 7.2 "$what" "$(tidied "$*")" "$result" \
        "$(awk '$0 ~ / lost / { n = match($0, / +[0-9]+ lost/); name = substr($0, 1, n - 1); gsub(/ +/, " ", name); split(substr($0, n), f, " "); printf "%s%s: %s", sep, name, f[1]; sep = "; " }' "$log") lost"
}

line_7_3() {
    if [ "$short" = 1 ]; then return 0; fi
    if ! has_liberty; then row 7.3 'the lab with Liberty' 'bedloe lab --liberty' skipped 'no Java or no Maven'; return 0; fi
    cargo build --release --quiet -p bedloe
    shown 7.3 'three Liberty servers, one killed: nothing lost' "$bedloe" lab --liberty --rate $LIBERTY_RATE || true
    shown 7.3 'three Liberty servers restarted in turn: nothing lost' "$bedloe" lab --liberty --roll --rate $ROLL_RATE || true
}

# Two balancers with keepalived, and every host a network namespace of its own.
line_7_4() {
    if [ "$short" = 1 ]; then return 0; fi
    if [ "$(id -u)" != 0 ] || ! has keepalived; then row 7.4 'two balancers' 'bedloe lab --netns' skipped 'not root, or no keepalived'; return 0; fi
    cargo build --release --quiet -p bedloe
    shown 7.4 'a balancer cut off and back: the address is served, sessions kept' \
        "$bedloe" lab --netns --rate $NETNS_RATE --duration 50s || true
    cat "$log"
}

line_7_5() {
    if [ "$short" = 1 ]; then return 0; fi
    shown 7.5 'every object and field of the API, errors, state over reloads' cargo test --release -p bedloe --test it -- api:: || true
}
