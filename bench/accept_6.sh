# The lines of issue 6, the injector: sourced by bench/accept, never run. What is here: one function a line. What is not:
# rows, figures and options, which are bench/accept's, and measurements beside other injectors, which are bench/injector's.

FLAT_RATE=8000        # line 6.4: iterations a second while memory is watched; a script with a check, 1,200 users set aside
FLAT_PERCENT=5        # line 6.4: what memory may differ by
FLAT_PERCENT_SHORT=25 # the same in seconds in place of minutes: beside other work more users come into use at first
LOOP_LATE_MS=20       # line 6.5: how late others may start beside a user that loops
TRUTH_MS=0.5          # line 6.3: how far percentiles may be from the truth

# Summaries of the two scripts like the seed's, beside real k6 where it is installed.
line_6_1() {
    if [ "$short" = 1 ]; then return 0; fi
    if ! has k6; then row 6.1 'summaries beside k6' 'cargo test' skipped 'no k6'; return 0; fi
    shown 6.1 'summaries of the two seed-like scripts against the lab are k6'"'"'s' \
        cargo test --release -p bedloe --test it -- summaries_of_the_seeds_scripts the_summary_is_laid_out || true
}

# Scripts with records of k6, and the records again where k6 is.
line_6_2() {
    if [ "$short" = 1 ]; then return 0; fi
    shown 6.2 "$(find crates/bedloe/tests/it/scripts/cases -name '*.record' | wc -l) scripts come to what k6 makes of them" \
        cargo test --release -p bedloe --test it -- scripts:: || true
}

# known_server: a server with known times on $known_port; its id is in $known_pid.
known_server() {
    known_port=$(free_port 9580)
    gcc -O2 -o "$scratch/timed" "$here/timed.c"
    start timed "$scratch/timed" "$known_port"
    known_pid=$last_pid
    wait_for timed "$known_pid" 127.0.0.1 "$known_port"
}

# exported METRIC FIGURE: of the summary of the last load, in milliseconds.
exported() {
    tr -d '\n' <"$scratch/export.json" | sed -n "s/.*\"$1\": *{\([^}]*\)}.*/\1/p" |
        sed -n "s/.*\"$2\": *\([0-9.e+-]*\).*/\1/p" | awk '{ printf "%.3f", $1 }'
}

line_6_3() {
    local seconds=20 rate=500 name key seen real worst=0 result=held truth load
    if [ "$short" = 1 ]; then seconds=5 rate=200; fi
    cargo build --release --quiet -p bedloe
    known_server || { row 6.3 'percentiles' 'bedloe load' failed 'no server'; return 0; }
    load=(load -q --summary-trend-stats 'min,med,p(90),p(95),p(99),max,count' --summary-export "$scratch/export.json")
    "$bedloe" "${load[@]}" --rate $rate -d ${seconds}s "http://127.0.0.1:$known_port/spread" >"$scratch/load.out" 2>&1 || result=failed
    truth=$(curl -sS "http://127.0.0.1:$known_port/truth")
    for name in med:p50 'p(90):p90' 'p(95):p95' 'p(99):p99'; do
        key=${name#*:} seen=$(exported http_req_duration "${name%:*}")
        real=$(printf '%s' "$truth" | sed "s/.*\"${key}_us\": \([0-9]*\).*/\1/")
        worst=$(awk -v seen="${seen:-1e9}" -v real="$real" -v worst="$worst" \
            'BEGIN { d = seen - real / 1000; if (d < 0) d = -d; printf "%.3f", (d > worst ? d : worst) }')
    done
    # On a machine that runs other things the short form only reports.
    if [ "$short" = 0 ] && ! awk -v w="$worst" -v bar=$TRUTH_MS 'BEGIN { exit !(w <= bar) }'; then result=failed; fi
    row 6.3 "percentiles at $rate/s beside the truth" 'bedloe load .../spread' "$result" "p50, p90, p95 and p99 differ by $worst ms at most"
    # A stall of a second, in the middle: the times that count from the schedule on show it.
    result=held
    "$bedloe" "${load[@]}" --rate 200 -d 4s "http://127.0.0.1:$known_port/" >"$scratch/load.out" 2>&1 &
    local pid=$!
    started+=("$pid")
    sleep 1.5
    curl -sS -o /dev/null "http://127.0.0.1:$known_port/stall/1000"
    wait "$pid" || result=failed
    if ! awk -v max="$(exported scheduled_duration max)" -v p90="$(exported scheduled_duration 'p(90)')" \
        'BEGIN { exit !(max >= 900 && p90 >= 300) }'; then result=failed; fi
    row 6.3 'a stall of 1 s in 4 s shows in scheduled_duration' 'bedloe load' "$result" \
        "p90 $(exported scheduled_duration 'p(90)') ms, max $(exported scheduled_duration max) ms, of $(exported scheduled_duration count | sed 's/\..*//') iterations"
    ended "$known_pid"
}

# resident_kib PID
resident_kib() { awk '/^VmRSS:/ { print $2 }' "/proc/$1/status"; }

line_6_4() {
    local first=60 last=600 rate=$FLAT_RATE percent=$FLAT_PERCENT result=held pid before after
    if [ "$short" = 1 ]; then first=10 last=25 rate=2000 percent=$FLAT_PERCENT_SHORT; fi
    cargo build --release --quiet -p bedloe
    known_server || { row 6.4 'memory' 'bedloe load' failed 'no server'; return 0; }
    start load "$bedloe" load -q --summary-export "$scratch/export.json" -e "URL=http://127.0.0.1:$known_port" -e "RATE=$rate" \
        -e "DURATION=$((last + 1))s" examples/load/constant.js
    pid=$last_pid
    sleep "$first"
    before=$(resident_kib "$pid")
    sleep $((last - first))
    after=$(resident_kib "$pid")
    # 99: a threshold was crossed, which beside other work is the machine's doing.
    wait "$pid" || [ $? -eq $((short * 99)) ] || result=failed
    if ! awk -v a="$before" -v b="$after" -v bar="$percent" \
        'BEGIN { d = (b - a) / a * 100; exit !(d <= bar && d >= -bar) }'; then result=failed; fi
    row 6.4 "memory is flat at $rate/s" 'bedloe load examples/load/constant.js' "$result" \
        "$before KiB after $first s, $after KiB after $last s, $(exported http_reqs count | sed 's/\..*//') requests"
    ended "$known_pid"
    if [ "$short" = 1 ]; then
        shown 6.4 'bench/injector, quick: reported, not judged' bench/injector --quick --only plain,flat --bedloe "$bedloe" || true
    else
        shown 6.4 'bench/injector within the bars' bench/injector || true
    fi
    cat "$log"
}

# runaway WHAT CODE: others beside a user that runs this code.
runaway() {
    local result=held late others most='at most'
    cat >"$scratch/runaway.js" <<JS
import http from 'k6/http';
import exec from 'k6/execution';
export const options = { scenarios: { a: { executor: 'constant-arrival-rate', rate: 500, duration: '5s',
  preAllocatedVUs: 100, gracefulStop: '500ms' } } };
export default () => {
  if (exec.vu.idInTest === 7) { $2 }
  http.get(\`\${__ENV.URL}/delay/100\`);
};
JS
    "$bedloe" load -q --summary-trend-stats 'med,p(99),max,count' --summary-export "$scratch/export.json" \
        -e "URL=http://127.0.0.1:$known_port" "$scratch/runaway.js" >"$scratch/load.out" 2>&1 || result=failed
    late=$(exported start_delay max) others=$(exported iterations count | sed 's/\..*//')
    # On a machine that runs other things the short form is judged by the median.
    if [ "$short" = 1 ]; then late=$(exported start_delay med) most='in the median'; fi
    if ! awk -v late="$late" -v bar=$LOOP_LATE_MS -v n="$others" 'BEGIN { exit !(late < bar && n > 2000) }'; then result=failed; fi
    row 6.5 "$1 in one user of 100 at 500/s" 'bedloe load runaway.js' "$result" "others started $late ms late $most, $others iterations"
}

line_6_5() {
    cargo build --release --quiet -p bedloe
    known_server || { row 6.5 'an endless loop' 'bedloe load' failed 'no server'; return 0; }
    runaway 'an endless loop' 'for (;;) {}'
    runaway 'strings of a megabyte without end' "const all = []; for (;;) all.push('x'.repeat(1 << 20));"
    ended "$known_pid"
    if [ "$short" = 1 ]; then return 0; fi
    shown 6.5 'SIGINT once and twice, beside k6' cargo test --release -p bedloe --test it -- injector::a_second injector::an_interrupt || true
}
