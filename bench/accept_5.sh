# The lines of issue 5, configurations that others have written: sourced by bench/accept, never run. What is here: one
# function a line. What is not: rows, figures and options, which are bench/accept's.

LARGE_SERVERS=10000   # line 5.4: servers of the large configuration
LARGE_LOCATIONS=5     # line 5.4: locations of each
LARGE_LOAD_S=1        # line 5.4: what it may take to load
LARGE_TIMES=1.10      # line 5.4: what a request may cost, beside one with a single server
FUZZED_CONF_FILES=100000 # line 5.3: well over ten million bytes, which it prints
BEFORE_5=${BEFORE_5:-cc86a9c} # line 5.5: what stood before the first work on this issue; a program too
INSTRUCTIONS=1.03     # line 5.5: of those a request cost then

# What stock files, generators and real files hold are cases of their own; the suite plays all.
line_5_1() {
    if [ "$short" = 1 ]; then return 0; fi
    shown 5.1 'stock files, a generator'"'"'s and the idioms answer as nginx does' \
        env BEDLOE_CASES=stock cargo test --release -p bedloe --test it -- fixtures || true
}

line_5_2() {
    if [ "$short" = 1 ]; then return 0; fi
    shown 5.2 "$(cat crates/bedloe/tests/it/fixtures/cases/*.case | grep -c '^==== ') cases, no unnamed difference from nginx" \
        cargo test --release -p bedloe --test it -- fixtures || true
}

line_5_3() {
    if [ "$short" = 1 ]; then return 0; fi
    shown 5.3 "$(grep -c '^==== ' crates/conf/src/tests/cases/broken.txt) broken files: place, caret, hint" \
        cargo test --release -p conf || true
    shown 5.3 'fuzzed configurations' \
        cargo run --release --quiet -p conf --example fuzz_conf -- $FUZZED_CONF_FILES || true
}

# Instructions are the same on a busy machine; a server that reads ahead of the balancer costs it some.
line_5_5() {
    if [ "$short" = 1 ]; then return 0; fi
    shown 5.5 'instructions a request on the seed'"'"'s path' \
        bench/instructions --before $BEFORE_5 --most $INSTRUCTIONS || true
}

# large_conf SERVERS PORT UPSTREAM_PORT NAME: as many servers, each with locations of its own.
large_conf() {
    awk -v servers="$1" -v locations=$LARGE_LOCATIONS -v port="$2" -v upstream="$3" -v folder="$scratch" -v name="$4" 'BEGIN {
        print "worker_processes 1;\npid " folder "/" name ".pid;\nerror_log " folder "/" name ".log;"
        print "events { worker_connections 1024; }\nhttp {\naccess_log off;\nkeepalive_requests 1000000000;"
        print "upstream app { server 127.0.0.1:" upstream "; keepalive 64; keepalive_requests 1000000000; }"
        pass = "proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_pass http://app;"
        for (i = 0; i < servers; i++) {
            print "server {\nlisten 127.0.0.1:" port ";\nserver_name s" i ".example.com;"
            for (j = 1; j < locations; j++) print "location /a" j "/b" j * 7 "/ { " pass " }"
            print "location / { " pass " }\n}"
        }
        print "}"
    }' >"$scratch/$4.conf"
}

# large_round NAME: CPU microseconds of one request to the last location of the last server, as fast as they go.
large_round() {
    local before after
    before=$(cpu_ticks "${large_pid[$1]}")
    wrk -t1 -c32 -d3s -H "Host: s$((large_count[$1] - 1)).example.com" "http://127.0.0.1:${large_port[$1]}/a4/b28/x" >"$scratch/wrk.out"
    after=$(cpu_ticks "${large_pid[$1]}")
    awk -v ticks=$((after - before)) -v hertz="$(getconf CLK_TCK)" \
        '/ requests in / { printf "%.3f\n", ticks / hertz * 1e6 / $1 }' "$scratch/wrk.out" >>"$scratch/$1.us"
}

line_5_4() {
    if [ "$short" = 1 ]; then return 0; fi
    if ! has wrk; then row 5.4 'a large configuration' 'wrk' skipped 'no wrk'; return 0; fi
    cargo build --release --quiet -p bedloe
    local upstream port=8380 began took result=held name round ratio
    declare -A large_pid large_count large_port
    upstream=$(free_port 9380)
    gcc -O2 -o "$scratch/upstream" "$here/upstream.c"
    start upstream "$scratch/upstream" "$upstream"
    local upstream_pid=$last_pid
    for name in small large; do
        port=$(free_port $((port + 1)))
        large_count[$name]=$([ $name = small ] && echo 1 || echo $LARGE_SERVERS)
        large_conf "${large_count[$name]}" "$port" "$upstream" $name
        if [ $name = large ]; then
            began=$(date +%s%N)
            "$bedloe" check -q -c "$scratch/large.conf" >"$scratch/check.out" 2>&1 || result=failed
            took=$(awk -v ns=$(($(date +%s%N) - began)) 'BEGIN { printf "%.2f", ns / 1e9 }')
        fi
        start $name "$bedloe" run -p "$scratch" -c "$scratch/$name.conf"
        large_pid[$name]=$last_pid
        wait_for $name "$last_pid" 127.0.0.1 "$port" || { row 5.4 'a large configuration' 'bedloe run' failed 'does not start'; return 0; }
        large_port[$name]=$port
    done
    for round in 1 2 3 4 5 6; do
        # The first round warms both.
        if [ "$round" = 2 ]; then rm -f "$scratch/small.us" "$scratch/large.us"; fi
        large_round small
        large_round large
    done
    ratio=$(awk -v large="$(median "$scratch/large.us")" -v small="$(median "$scratch/small.us")" 'BEGIN { printf "%.3f", large / small }')
    if ! awk -v r="$ratio" -v most=$LARGE_TIMES -v s="$took" -v bar=$LARGE_LOAD_S 'BEGIN { exit !(r <= most && s < bar) }'; then result=failed; fi
    row 5.4 "$LARGE_SERVERS servers, $((LARGE_SERVERS * LARGE_LOCATIONS)) locations" 'bedloe check; wrk' "$result" \
        "loads in $took s, a request costs $ratio of one with a single server"
    ended "${large_pid[@]}" "$upstream_pid"
}
