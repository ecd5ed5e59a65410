# Runs a guide of docs/ command by command, on hosts of its own. Sourced by bench/five-vms and bench/from-nginx, never run.
# Each host is a network namespace with the guide's address, on a file system that lies over this machine's (overlayfs),
# with processes and a name of its own: what a guide installs and changes is on these hosts, and gone with them.
# What is here: the hosts, and the guide's blocks taken out of the document. What is not: what stands in for systemd, ssh
# and the kernel's values (bench/lab_host.py), and what a guide finds there at the start.

BLOCK_SECONDS=900 # the longest that a block of commands may take
declare -A holder=() # process ids of the hosts, by name
lines_run=0          # of the guide's commands

# need_hosts [PROGRAM...]: ends with 77 where this machine has not what such hosts need, or not these programs.
need_hosts() {
    local missing
    missing=$(lab_missing "$@")
    if [ -n "$missing" ]; then echo "skipped: no $missing"; exit 77; fi
}

# lab_missing [PROGRAM...]: the first of these that is missing.
lab_missing() {
    if [ "$(id -u)" != 0 ]; then echo root; return; fi
    local program
    for program in ip nsenter unshare python3 dpkg "$@"; do has "$program" || { echo "$program"; return; }; done
    unshare --net --pid --uts --fork --mount sh -c "
        mount -t tmpfs none '$scratch' && mkdir '$scratch/up' '$scratch/work' '$scratch/root' &&
        mount -t overlay none -o lowerdir=/,upperdir='$scratch/up',workdir='$scratch/work' '$scratch/root'" 2>/dev/null ||
        echo 'the right to make namespaces and overlays'
}

# The holder of a host: makes its file system and stays in it. Run inside the new namespaces.
HOLDER='
    set -e
    name=$1 over=$2 shims=$3
    hostname "$name"
    mount -t tmpfs tmpfs "$over"
    mkdir "$over/up" "$over/work" "$over/root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$over/up,workdir=$over/work" "$over/root"
    cd "$over/root"
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys
    mount --rbind /dev dev
    mount -t tmpfs tmpfs run
    mount -t tmpfs tmpfs tmp
    mkdir -p usr/local/sbin opt root run/lock
    for shim in systemctl ssh scp sshd bedloe sudo apt-get; do cp "$shims" "usr/local/sbin/$shim"; done
    echo "Dpkg::Use-Pty \"0\";" >etc/apt/apt.conf.d/99lab
    find etc/systemd/system -name "*bedloe*" -delete
    trap "exit 0" TERM
    touch "$over/root/run/lab-host"
    while :; do sleep 3600 & wait $!; done'

# make_host NAME ADDRESS: a host with a link to the switch, on which the others can reach it by ssh.
make_host() {
    local name=$1 address=$2 over=$scratch/hosts/$1 tries child
    mkdir -p "$over"
    start "$name" unshare --net --mount --pid --uts --fork bash -c "$HOLDER" holder "$name" "$over" "$here/lab_host.py"
    for ((tries = 0; tries < 200; tries++)); do
        child=$(tr -d ' ' <"/proc/$last_pid/task/$last_pid/children" 2>/dev/null || true)
        if [ -n "$child" ] && [ -e "/proc/$child/root/$over/root/run/lab-host" ]; then break; fi
        kill -0 "$last_pid" 2>/dev/null || { cat "$scratch/$name.out" >&2; die "there is no host $name"; }
        sleep 0.05
    done
    # The host ends with its first process, for whom others are no parents: that one is told.
    started+=("$child")
    holder[$name]=$child
    if [ "$name" = switch ]; then
        in_network switch ip link add bridge type bridge
        in_network switch ip link set bridge up
        return 0
    fi
    in_network switch ip link add "$name" type veth peer name eth0 netns "$child"
    in_network switch ip link set "$name" master bridge up
    in_network "$name" ip link set lo up
    in_network "$name" ip address add "$address/24" dev eth0
    in_network "$name" ip link set eth0 up
    start "sshd-$name" in_host "$name" sshd "$address"
}

in_network() {
    local name=$1
    shift
    nsenter -t "${holder[$name]}" --net "$@"
}

# in_host NAME COMMAND...: as root, in the host's own file system.
in_host() {
    local name=$1 root
    shift
    root=/proc/${holder[$name]}/root/$scratch/hosts/$name/root
    nsenter -t "${holder[$name]}" --net --pid --uts --mount "--root=$root" "--wd=$root" \
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive \
        ${JAVA_HOME:+JAVA_HOME="$JAVA_HOME"} sh -c 'cd /root && exec "$@"' in_host "$@"
}

# into NAME FILE PATH: a file of this machine, on a host.
into() { in_host "$1" sh -c 'mkdir -p "$(dirname "$0")" && cat >"$0"' "$3" <"$2"; }

# make_hosts DOCUMENT: those of the document's table of hosts: | `name` | address |
make_hosts() {
    mkdir -p "$scratch/hosts"
    make_host switch ''
    local name address
    while read -r name address; do make_host "$name" "$address"; done < <(hosts_of "$1")
}

hosts_of() { sed -nE 's/^\| `([a-z0-9-]+)` \| ([0-9.]+) \|.*/\1 \2/p' "$1"; }

# run_guide DOCUMENT: each block of ```sh HOST... is run on its hosts, in the order of the document. At the first command
# that fails the guide is wrong, and so it is where something of bedloe's is left on a host at its end.
run_guide() {
    local block hosts host title status began left
    mkdir -p "$scratch/blocks"
    awk -v folder="$scratch/blocks" '
        /^#/ && !inside { title = $0; sub(/^#+ /, "", title) }
        /^```sh ./ { n++; file = sprintf("%s/%03d", folder, n); hosts = $0; sub(/^```sh /, "", hosts)
            print hosts > (file ".hosts"); print title > (file ".title"); inside = 1; printf "" > (file ".sh"); next }
        /^```/ { if (inside) { close(file ".sh"); inside = 0 } else fenced = !fenced; next }
        inside { print > (file ".sh") }' "$1"
    for block in "$scratch/blocks"/*.sh; do
        read -r -a hosts <"${block%.sh}.hosts"
        title=$(cat "${block%.sh}.title")
        for host in "${hosts[@]}"; do
            [ -n "${holder[$host]:-}" ] || die "$1 has commands for $host, which is not in its table of hosts"
            echo "== $host: $title"
            began=$SECONDS status=0
            into "$host" "$block" /run/lab-block
            in_host "$host" timeout $BLOCK_SECONDS bash -exo pipefail /run/lab-block </dev/null 2>&1 || status=$?
            if [ "$status" != 0 ]; then echo "== FAILED on $host: $title (exit status $status)"; return 1; fi
            lines_run=$((lines_run + $(grep -c . "$block")))
            echo "== $host: done in $((SECONDS - began)) s"
        done
    done
    for host in "${!holder[@]}"; do
        if [ "$host" = switch ]; then continue; fi
        left=$(left_on "$host")
        if [ -n "$left" ]; then echo "== left on $host:"; echo "$left"; return 1; fi
    done
}

# left_on NAME: files of bedloe's on a host.
left_on() {
    in_host "$1" find /etc /usr /var /opt /run -xdev -path '*bedloe*' ! -path '/usr/local/sbin/*' ! -path '/var/log/lab-*' \
        ! -path '/var/lib/dpkg/*' ! -path '/run/lab/*' ! -type c 2>/dev/null || true
}
