# The lines of issue 4, a server that stays: sourced by bench/accept, never run. What is here: one function a line, and the
# balancer that they share. What is not: rows, figures and options, which are bench/accept's.

CALM_RATE=2000          # line 4.4: requests a second of the clients that an attack must not be felt by
CALM_TIMES=2            # line 4.4: their p99 under an attack, at most so many times that of calm
ATTACK_KIB=16           # line 4.4: what each connection of an attack may add to the peak of memory: a head's buffer and some
ATTACK_GROWTH_KIB=32768 # line 4.4: and all of them together beside that
H2SPEC_FAILURES=2       # line 4.2: of 145

# site_start USER_LINE: a balancer on $site_plain (HTTP/1.1 and, where it begins so, HTTP/2), $site_tls, before $site_server.
site_start() {
    site_plain=$(free_port 8280) site_server=$(free_port 9280)
    site_tls=$(free_port $((site_plain + 1)))
    site=$scratch/site
    mkdir -p "$site" && chmod 755 "$scratch" "$site"
    certificate "$site/key.pem" "$site/certificate.pem"
    cat >"$site/nginx.conf" <<CONF
${1:-}
worker_processes 1;
worker_rlimit_nofile $(ulimit -Hn);
pid $site/nginx.pid;
error_log $site/error.log warn;
events { worker_connections 32768; }
http {
    access_log off;
    keepalive_requests 1000000000;
    map \$http_upgrade \$connection_upgrade { default upgrade; "" ""; }
    upstream app { server 127.0.0.1:$site_server; keepalive 64; }
    server {
        listen 127.0.0.1:$site_plain http2;
        listen 127.0.0.1:$site_tls ssl http2;
        ssl_certificate $site/certificate.pem;
        ssl_certificate_key $site/key.pem;
        location / {
            proxy_http_version 1.1;
            proxy_set_header Host \$host;
            proxy_set_header Upgrade \$http_upgrade;
            proxy_set_header Connection \$connection_upgrade;
            proxy_pass http://app;
        }
    }
}
CONF
}

# site_run PREFIX...: starts the balancer of site_start, behind a command such as taskset; its id is in $site_pid.
site_run() {
    start balancer "$@" "$bedloe" run -p "$site" -c "$site/nginx.conf"
    site_pid=$last_pid
    wait_for balancer "$site_pid" 127.0.0.1 "$site_plain"
}

# ended PID...: ends what this script started, and waits for it.
ended() {
    kill -TERM "$@" 2>/dev/null || true
    wait "$@" 2>/dev/null || true
}

# The short form is among the tests (processes::shown).
line_4_1() {
    if [ "$short" = 1 ]; then return 0; fi
    local result=held
    shown 4.1 '50 reloads, 5 kills, 5 upgrades at 2,000/s, half over HTTP/2' bench/stays || result=failed
    row 4.1 'what came of them' 'bench/stays' "$result" \
        "$(grep -E '^([0-9]+ (reloads|kills|upgrades|POSTs)|served again)' "$log" | paste -sd ';' | tr '|' '/')"
}

line_4_2() {
    cargo build --release --quiet -p bedloe
    if ! has python3; then row 4.2 'clients over HTTP/2 and WebSocket' 'bench/websocket.py' skipped 'no python3'; return 0; fi
    site_start
    start page python3 "$here/websocket.py" serve "$site_server"
    local server_pid=$last_pid
    wait_for page "$server_pid" 127.0.0.1 "$site_server" && site_run ||
        { row 4.2 'clients over HTTP/2 and WebSocket' 'bedloe run' failed 'does not start'; return 0; }
    run_h2spec
    over_http2 curl curl -sSk --http2 -w '\nprotocol %{http_version}\n' "https://127.0.0.1:$site_tls/" '^protocol 2$'
    over_chromium
    over_k6
    shown 4.2 'a WebSocket client' python3 "$here/websocket.py" ask 127.0.0.1 "$site_plain" || true
    shown 4.2 'a WebSocket client over TLS' python3 "$here/websocket.py" ask 127.0.0.1 "$site_tls" tls || true
    ended "$site_pid" "$server_pid"
}

# run_h2spec: its 145 cases; every one that fails is named.
run_h2spec() {
    local h2spec result=held failures
    h2spec=$(PATH=$PATH:$HOME/go/bin command -v h2spec || true)
    if [ -z "$h2spec" ] && [ "$short" = 0 ] && has go; then
        GOBIN=$scratch/bin timeout 300 go install github.com/summerwind/h2spec/cmd/h2spec@latest >"$scratch/go.out" 2>&1 || true
        if [ -x "$scratch/bin/h2spec" ]; then h2spec=$scratch/bin/h2spec; fi
    fi
    if [ -z "$h2spec" ]; then row 4.2 h2spec 'h2spec -t -k' skipped 'it is not installed and could not be had'; return 0; fi
    log=$scratch/h2spec.out
    "$h2spec" -h 127.0.0.1 -p "$site_tls" -t -k -o 5 >"$log" 2>&1 || true
    failures=$(sed -n 's/^145 tests, .* \([0-9]*\) failed$/\1/p' "$log")
    if [ -z "$failures" ] || [ "$failures" -gt $H2SPEC_FAILURES ]; then result=failed; tail -n 30 "$log" >&2; fi
    row 4.2 h2spec 'h2spec -t -k -o 5' "$result" "$(tail -n 1 "$log" | tr '|' '/')"
}

# over_http2 NAME COMMAND... PATTERN: what the command prints has this line.
over_http2() {
    local name=$1 pattern=${!#} result=held
    shift
    set -- "${@:1:$#-1}"
    log=$scratch/over.out
    timeout 60 "$@" >"$log" 2>"$log.errors" || true
    if ! grep -Eq "$pattern" "$log"; then result=failed; tail -n 20 "$log" "$log.errors" >&2; fi
    row 4.2 "$name over HTTP/2" "$(tidied "$1")" "$result" "$(grep -Eo "$pattern" "$log" | head -n 1)"
}

# A page whose script tells the protocol it came by, and opens a WebSocket.
over_chromium() {
    local program
    program=$(command -v chromium || command -v chromium-browser || true)
    if [ -z "$program" ]; then row 4.2 'chromium over HTTP/2' chromium skipped 'it is not installed'; return 0; fi
    over_http2 'headless Chromium' "$program" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
        --ignore-certificate-errors --user-data-dir="$scratch/chromium" --virtual-time-budget=3000 --dump-dom \
        "https://localhost:$site_tls/" 'protocol h2'
    row 4.2 'its WebSocket' chromium "$(grep -q '^echo hello' "$log" && echo held || echo failed)" "$(grep -Eo '^(echo .*|error)' "$log" | head -n 1)"
}

over_k6() {
    local program
    program=$(PATH=$PATH:$HOME/go/bin command -v k6 || true)
    if [ -z "$program" ]; then row 4.2 'k6 over HTTP/2' k6 skipped 'it is not installed'; return 0; fi
    cat >"$scratch/k6.js" <<JS
import http from "k6/http";
export const options = { insecureSkipTLSVerify: true, vus: 5, iterations: 100 };
export default () => console.log("protocol " + http.get("https://127.0.0.1:$site_tls/").proto);
JS
    # k6 writes what a script says to its standard error.
    over_http2 k6 sh -c "'$program' run --quiet '$scratch/k6.js' 2>&1" 'protocol HTTP/2.0'
}

# Files and rights as root with `user` and without root, beside nginx.
line_4_3() {
    cargo build --release --quiet -p bedloe
    if [ "$(id -u)" != 0 ]; then row 4.3 'rights and files' 'bedloe run' skipped 'this is not root'; return 0; fi
    local program
    for program in nginx bedloe; do
        if ! has "$program" && [ $program = nginx ]; then row 4.3 'owners beside nginx' nginx skipped 'it is not installed'; continue; fi
        as_root "$program"
        as_nobody "$program"
    done
    if [ -s "$scratch/nginx.owners" ]; then
        row 4.3 'files owned and readable as those of nginx' 'stat' \
            "$(cmp -s "$scratch/nginx.owners" "$scratch/bedloe.owners" && echo held || echo failed)" \
            "as root: $(sed -n 1p "$scratch/bedloe.owners"); without: $(sed -n 2p "$scratch/bedloe.owners")"
        diff "$scratch/nginx.owners" "$scratch/bedloe.owners" >&2 || true
    fi
}

# owners PROGRAM COMMAND...: starts it with this run's configuration; a line of its files' owners and modes, and its
# worker's lines of /proc/PID/status in $rights.
owners() {
    local program=$1 worker
    shift
    start "$program" "$@"
    local master=$last_pid
    if ! wait_for "$program" "$master" 127.0.0.1 "$site_plain"; then rights='' && echo 'does not start' >>"$scratch/$program.owners"; return 0; fi
    curl -sS -o /dev/null --max-time 5 "http://127.0.0.1:$site_plain/" || true
    worker=$(cat "/proc/$master/task/$master/children")
    worker=${worker%% *}
    rights=$(awk '/^(Uid|Gid|Groups|CapEff|NoNewPrivs):/ { printf "%s%s %s", sep, $1, $2; sep = ", " }' "/proc/${worker:-$master}/status")
    (cd "$site" && stat -c '%n %U:%G %a' nginx.pid error.log access.log body | paste -sd ',') >>"$scratch/$program.owners"
    ended "$master"
}

# rights_site PROGRAM MAIN: the configuration of the two runs below, in a folder of the program's own.
rights_site() {
    local kind temporary=''
    site_plain=$(free_port 8280) site=$scratch/rights-$1
    if [ "$1" = nginx ]; then for kind in proxy fastcgi uwsgi scgi; do temporary+="${kind}_temp_path $site/nginx-$kind; "; done; fi
    rm -rf "$site" && mkdir -p "$site" && chmod 755 "$scratch" "$site"
    cat >"$site/nginx.conf" <<CONF
$2
worker_processes 1;
pid $site/nginx.pid;
error_log $site/error.log;
events { worker_connections 512; }
http {
    $temporary
    client_body_temp_path $site/body;
    access_log $site/access.log;
    server { listen 127.0.0.1:$site_plain; return 204; }
}
CONF
}

as_root() {
    local expected="Uid: $(id -u daemon), Gid: $(id -g daemon), Groups: $(id -g daemon), CapEff: 0000000000000000, NoNewPrivs: 1"
    rights_site "$1" 'user daemon;'
    : >"$scratch/$1.owners"
    if [ "$1" = nginx ]; then
        owners nginx "$(where_is nginx)" -p "$site" -c "$site/nginx.conf" -g 'daemon off;'
        return
    fi
    owners bedloe "$bedloe" run -p "$site" -c "$site/nginx.conf"
    row 4.3 'the worker as root with user' '/proc/PID/status' "$([ "$rights" = "$expected" ] && echo held || echo failed)" "$rights"
}

as_nobody() {
    local expected="Uid: 65534, Gid: 65534, Groups: , CapEff: 0000000000000000, NoNewPrivs: 1"
    local -a without=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    rights_site "$1" ''
    chown 65534:65534 "$site"
    if [ "$1" = nginx ]; then
        owners nginx "${without[@]}" "$(where_is nginx)" -p "$site" -c "$site/nginx.conf" -g 'daemon off;'
        return
    fi
    # The program may lie where only root can look.
    cp "$bedloe" "$scratch/bedloe" && chmod 755 "$scratch/bedloe"
    owners bedloe "${without[@]}" "$scratch/bedloe" run -p "$site" -c "$site/nginx.conf"
    row 4.3 'the worker without root' '/proc/PID/status' "$([ "$rights" = "$expected" ] && echo held || echo failed)" "$rights"
}

# Attacks, and what clients at a fixed rate notice of them: their p99 beside that of calm, in turns.
line_4_4() {
    local kind connections rate most rounds=5 seconds=6 server_pid ahead
    if ! has gcc; then row 4.4 'attacks' 'bench/attack.c' skipped 'no C compiler'; return 0; fi
    cargo build --release --quiet -p bedloe
    for kind in attack paced upstream; do gcc -O2 -o "$scratch/$kind" "$here/$kind.c"; done
    ulimit -n "$(ulimit -Hn)"
    site_start
    if [ "$short" = 1 ]; then rounds=1 seconds=2; fi
    # What else the machine does (a kernel thread that looks over memory takes milliseconds a time, and more of them the more
    # sockets there are) must not come between those that are measured, calm or attacked.
    ahead=()
    if chrt --rr 1 true 2>/dev/null; then ahead=(chrt --rr 1); fi
    start upstream "${ahead[@]}" taskset -c 1 "$scratch/upstream" "$site_server"
    server_pid=$last_pid
    wait_for upstream "$server_pid" 127.0.0.1 "$site_server" && site_run "${ahead[@]}" taskset -c 0 ||
        { row 4.4 'attacks' 'bedloe run' failed 'does not start'; return 0; }
    # A connection that a request waits on at the server cannot be one of too many descriptors there.
    most=$(($(ulimit -n) - 500)) # what one attacker may hold here
    if [ "$short" = 1 ] && [ "$most" -gt 4000 ]; then most=4000; fi
    while read -r kind connections rate; do
        if [ "$connections" -gt "$most" ]; then connections=$most; fi
        attacked "$kind" "$connections" "$rate" "$rounds" "$seconds"
    done <<'KINDS'
loris 2000 2000
silent 20000 5000
trickle 500 500
resets 16 1000
KINDS
    ended "$site_pid" "$server_pid"
}

# attacked KIND CONNECTIONS CONNECTS_PER_SECOND ROUNDS SECONDS. The attacker shares the load's core, as what runs only when
# nobody else wants to: it must not be what the measuring clients wait for.
attacked() {
    local kind=$1 round before after calm=() under=() errors=0 result=held said attacker lead
    lead=$((($2 + $3 - 1) / $3)) # until all connections are there
    if [ "$short" = 1 ] && [ "$lead" -gt 2 ]; then lead=2; fi
    before=$(peak_memory_kib "$site_pid")
    for ((round = 1; round <= $4; round++)); do
        calm+=("$(paced_p99 "$5")")
        taskset -c 1 chrt --idle 0 "$scratch/attack" "$kind" 127.0.0.1 "$site_plain" "$2" "$3" $(($5 + lead + 1)) >"$scratch/attack.out" 2>&1 &
        attacker=$!
        sleep "$lead"
        under+=("$(paced_p99 "$5")")
        wait "$attacker" || result=failed
    done
    after=$(peak_memory_kib "$site_pid")
    said=$(tail -n 1 "$scratch/attack.out")
    local calm_p99 under_p99
    calm_p99=$(median <(printf '%s\n' "${calm[@]}")) under_p99=$(median <(printf '%s\n' "${under[@]}"))
    errors=$(cat "$scratch"/errors.* 2>/dev/null | paste -sd '+' | sed 's/$/+0/')
    errors=$((errors))
    rm -f "$scratch"/errors.*
    if [ "$errors" != 0 ] || [ $((after - before)) -gt $((ATTACK_GROWTH_KIB + ATTACK_KIB * $2)) ]; then result=failed; fi
    # Two seconds of a machine that does other things say little about a percentile: short forms report it.
    if [ "$short" = 0 ] && [ "$under_p99" -gt $((calm_p99 * CALM_TIMES)) ]; then result=failed; fi
    row 4.4 "others under $kind" "attack $kind: $2 connections" "$result" \
        "p99 $calm_p99 us calm and $under_p99 us attacked, $errors errors, peak $before KiB and $after KiB; $said"
}

# paced_p99 SECONDS: of clients at a fixed rate; a count of errors goes to a file.
paced_p99() {
    local out
    out=$("${ahead[@]}" taskset -c 1 "$scratch/paced" 127.0.0.1 "$site_plain" $CALM_RATE "$1" 0.5 32)
    printf '%s' "$out" | sed -n 's/.*"errors": \([0-9]*\).*/\1/p' >"$(mktemp "$scratch/errors.XXXXXX")"
    printf '%s' "$out" | sed -n 's/.*"p99_us": \([0-9]*\).*/\1/p'
}

line_4_5() {
    if [ "$short" = 1 ]; then
        shown 4.5 'bench/balancer, HTTP/2, quick: reported, not judged' \
            bench/balancer --quick --bars 4 --rounds 1 --only h2 --bedloe "$bedloe" || true
    else
        shown 4.5 'bench/balancer within the bars of issue 4' bench/balancer --bars 4 || true
    fi
    cat "$log"
}
