# Functions that the benchmarks and the CI run share. Sourced by bash, never run.
# What is here: a scratch folder that is removed, processes that are ended by their id, peers from Debian's packages,
# certificates, CPU time of a process tree. What is not: anything about one benchmark.

scratch=$(mktemp -d)
started=() # process ids of what this script has started

# Ends what was started, and nothing else. Runs on every way out.
tear_down() {
    local status=$? pid
    trap - EXIT INT TERM
    for pid in "${started[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$scratch"
    exit "$status"
}
trap tear_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '%s\n' "$*" >&2; }

die() {
    say "${0##*/}: $*"
    exit 2
}

# start NAME COMMAND...: runs it in the background with its output in the scratch folder; its id is in $last_pid.
start() {
    local name=$1
    shift
    "$@" >"$scratch/$name.out" 2>&1 </dev/null &
    last_pid=$!
    started+=("$last_pid")
}

accepts() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# wait_for NAME PID ADDRESS PORT: until it accepts connections; its output is shown where it ends instead.
wait_for() {
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        if accepts "$3" "$4"; then return 0; fi
        kill -0 "$2" 2>/dev/null || break
        sleep 0.05
    done
    say "$1 does not listen on $3:$4:"
    tail -n 5 "$scratch/$1.out" >&2 || true
    return 1
}

# free_port FIRST: the first port from there on that nothing listens on.
free_port() {
    local port=$1
    while accepts 127.0.0.1 "$port"; do port=$((port + 1)); done
    echo "$port"
}

# wanted NAME LIST: whether a list with commas has it.
wanted() { case ",$2," in *",$1,"*) return 0 ;; esac; return 1; }

# median FILE: of a column of numbers; of an even count the lower one of the middle.
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# What awk programs that print tables begin with: medians of figure[kind, program, round, column].
MEDIANS='
    function median(list, n,   i, j, t) {
        for (i = 2; i <= n; i++) { t = list[i]; for (j = i - 1; j > 0 && list[j] > t; j--) list[j + 1] = list[j]; list[j + 1] = t }
        return n == 0 ? 0 : n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    function of(kind, program, column,   r, list) {
        for (r = 1; (kind, program, r, column) in figure; r++) list[r] = figure[kind, program, r, column]
        return median(list, r - 1)
    }'

# cpu_ticks PID: user and system time of a process, its threads and its children, in clock ticks.
cpu_ticks() {
    local pid=$1 line sum=0 child children
    line=$(<"/proc/$pid/stat") || return 1
    line=${line##*) } # the name before it can hold spaces
    # shellcheck disable=SC2086 # split on purpose: fields 3 and on of proc_pid_stat(5)
    set -- $line
    sum=$((${12} + ${13} + ${14} + ${15})) # utime, stime, cutime, cstime
    children=$(cat "/proc/$pid/task/"*/children 2>/dev/null || true)
    for child in $children; do sum=$((sum + $(cpu_ticks "$child" || echo 0))); done
    echo "$sum"
}

# memory_kib PID: what a process and its children hold now, pages that they share counted once.
memory_kib() {
    local sum child
    sum=$(awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup")
    for child in $(cat "/proc/$1/task/"*/children 2>/dev/null || true); do
        sum=$((sum + $(memory_kib "$child" || echo 0)))
    done
    echo "$sum"
}

# peak_memory_kib PID: the most memory that a process has held, and that its children have: a master and its worker.
peak_memory_kib() {
    local sum child
    sum=$(awk '/^VmHWM:/ { print $2 }' "/proc/$1/status")
    for child in $(cat "/proc/$1/task/"*/children 2>/dev/null || true); do
        sum=$((sum + $(peak_memory_kib "$child" || echo 0)))
    done
    echo "$sum"
}

# has COMMAND: whether it is there; root's folders count for everybody, for nginx and haproxy live in /usr/sbin.
has() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }
where_is() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1"; }

# need_debian COMMAND=PACKAGE...: installs the packages of the commands that are missing. No service is started by it:
# policy-rc.d is how Debian's packages are told so. A command that cannot be had is named, and is the caller's business.
need_debian() {
    local pair missing=() unset_policy=0
    for pair in "$@"; do has "${pair%%=*}" || missing+=("${pair#*=}"); done
    if [ ${#missing[@]} -eq 0 ]; then return 0; fi
    if [ "$(id -u)" != 0 ] || ! has apt-get; then
        say "missing: ${missing[*]}; on Debian: sudo apt-get install ${missing[*]}"
        return 0
    fi
    say "installing ${missing[*]}"
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d && unset_policy=1
    fi
    if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$scratch/apt" 2>&1 </dev/null; then
        apt-get update -qq >>"$scratch/apt" 2>&1 </dev/null || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >>"$scratch/apt" 2>&1 </dev/null ||
            { say "apt-get could not install ${missing[*]}:"; tail -n 3 "$scratch/apt" >&2; }
    fi
    if [ "$unset_policy" = 1 ]; then rm -f /usr/sbin/policy-rc.d; fi
}

# need_cargo_deb: the tool that packs, fetched where it is missing, into the folder of what is built.
need_cargo_deb() {
    local tools
    tools=$(target_folder "$(dirname "${BASH_SOURCE[0]}")/..")/tools
    PATH=$PATH:$tools/bin
    if cargo deb --version >/dev/null 2>&1; then return 0; fi
    say 'fetching cargo-deb'
    cargo install --quiet --locked --debug --root "$tools" cargo-deb >&2 && cargo deb --version >/dev/null 2>&1
}

# certificate KEY FILE [NAME]: one that signs itself, for two days and for localhost unless told.
certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=${3:-localhost}" \
        -keyout "$1" -out "$2" 2>/dev/null
}

# target_folder ROOT: where cargo puts what it builds.
target_folder() {
    cargo metadata --manifest-path "$1/Cargo.toml" --no-deps --format-version 1 --offline 2>/dev/null |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# machine: processor, cores and kernel in one line.
machine() {
    local model
    model=$(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)
    printf '%s, %s cores, Linux %s' "${model:-$(uname -m)}" "$(nproc)" "$(uname -r)"
}

# readme_command N: the Nth of the two commands that the README begins with, without its comment.
readme_command() {
    local readme
    readme=$(dirname "${BASH_SOURCE[0]}")/../README.md
    awk '/^```sh$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' "$readme" | sed -n "$1p" | sed 's/ *#.*//'
}
