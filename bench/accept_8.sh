# The lines of issue 8, hosts: sourced by bench/accept, never run. What is here: one function a line. What is not: rows,
# figures and options, which are bench/accept's, and what an agent is held against, which is bench/agent's.

AGENT_SECONDS=60 # line 8.2: how long agent, kernel and node_exporter are read beside each other

# Byte-identical after undo, refused values rolled back: in folder trees and in a network namespace's own kernel values.
line_8_1() {
    if [ "$short" = 1 ]; then return 0; fi
    shown 8.1 'tune checked, planned, applied, refused and undone' cargo test --release -p bedloe --test it -- tune:: || true
}

# The agent's figures beside the kernel's and node_exporter's, and what it costs. In short its cost is shown only.
line_8_2() {
    if [ "$short" = 1 ]; then
        cargo build --release --quiet -p bedloe
        shown 8.2 'an agent beside /proc and node_exporter, quick' bench/agent --bedloe "$bedloe" --seconds 10 --report || true
    else
        shown 8.2 'an agent beside /proc and node_exporter' bench/agent --seconds $AGENT_SECONDS || true
    fi
    cat "$log"
}

# What it costs a request that metrics are scraped and the dashboard is open.
line_8_4() {
    if [ "$short" = 1 ]; then return 0; fi
    shown 8.4 'instructions a request, with metrics and dashboard open' bench/instructions --watched || true
}

# What Prometheus makes of the examples: its checker takes rules and exposition, and a server is seen to go and come back.
line_8_5() {
    if [ "$short" = 1 ]; then return 0; fi
    if ! has promtool || ! has prometheus; then row 8.5 'Prometheus' 'it metrics::' skipped 'no Prometheus'; return 0; fi
    shown 8.5 'promtool takes rules and exposition; Prometheus sees a server go and come back' \
        cargo test -p bedloe --test it -- metrics::prometheus || true
}

# The dashboard and a report in a browser: a lab of a minute with a kill, its page made twice from the same numbers. In
# short they are among the tests.
line_8_3() {
    if [ "$short" = 1 ]; then return 0; fi
    dashboard_run
    local page=$scratch/lab.html run=$scratch/lab.json console=$scratch/console picture=$target/report.png
    cargo build --release --quiet -p bedloe
    shown 8.3 'a lab of 60 s with a kill, with its report' \
        "$bedloe" lab --duration 60s --rate 2000 --report "$page" --json "$run" || return 0
    shown 8.3 'the page holds what the numbers hold' \
        bash -c "'$bedloe' report '$run' -o '$page.again' && cmp '$page' '$page.again'" || true
    if ! has chromium; then row 8.3 'the page in a browser' chromium skipped 'it is not installed'; return 0; fi
    timeout 100 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --enable-logging=stderr \
        --user-data-dir="$scratch/chromium" --window-size=1100,6400 --screenshot="$picture" "file://$page" 2>"$console" || true
    row 8.3 'the page in a browser: no complaint' chromium \
        "$([ -s "$picture" ] && ! grep -q CONSOLE "$console" && echo held || echo failed)" "picture: $(basename "$picture")"
}

# Each view of the dashboard, wide and narrow, light and dark, with nothing on the console; a page left open that shows what
# happens; hosts that are there and one that is not. The pictures are new ones, or the row fails.
dashboard_run() {
    local pictures=$target/dashboard view count
    if ! has chromium; then row 8.3 'the dashboard in a browser' chromium skipped 'it is not installed'; return 0; fi
    rm -rf "$pictures"
    shown 8.3 'the dashboard in a browser: each view without a complaint, kept up to date' \
        cargo test -p bedloe --test it -- metrics::dashboard || true
    for view in overview upstreams hosts events; do
        count=$(find "$pictures" -name "$view*.png" 2>/dev/null | wc -l)
        row 8.3 "pictures of the view $view" "dashboard/$view*.png" \
            "$([ "$count" -gt 0 ] && echo held || echo failed)" "$count, beside what cargo builds"
    done
}

# The guides, command by command on hosts of their own, with the Debian package of the release build. In short the package
# alone is made and looked at, by .ci/run.
line_8_6() {
    if [ "$short" = 1 ]; then return 0; fi
    if ! need_cargo_deb; then row 8.6 'the guides' bench/five-vms skipped 'no cargo-deb'; return 0; fi
    local package
    cargo build --release --quiet -p bedloe
    shown 8.6 'the Debian package' packaging/deb --program "$bedloe" || return 0
    package=$(tail -n 1 "$log")
    shown 8.6 'nginx replaced and back' bench/from-nginx "$package" || true
    shown 8.6 'five machines, from empty to the report and back' bench/five-vms "$package" || true
}
