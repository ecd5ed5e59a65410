#!/usr/bin/env python3
"""What a host of bench/five-vms and bench/from-nginx has in place of systemd, ssh and kernel values of its own. Under the
name that it is called by: `systemctl` runs what units say (ExecStart and the like, with their environment, user, folders
and limits of open files), after systemd-analyze has verified them; `ssh` and `scp` reach the other hosts, where `sshd`
runs; `bedloe tune` goes to a folder tree, with what belongs to the host's network namespace set as well; `apt-get`
installs files, and takes Debian's packages from this machine; `sudo` is for root. Each says on the standard error,
behind `lab:`, what it does in place of the real one.

What is left out: cgroups, the units' sandbox (systemd-analyze judges it), dependencies, journals, keys."""

import os
import pwd
import re
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

UNITS = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"]
STATE = Path("/run/lab")
TREE = "/srv/tree"   # where `bedloe tune` goes
PORT = 22            # sshd's
PATIENCE_S = 240     # a JVM on a busy machine
STOP_S = 40


def say(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)


# -- systemctl

class Unit:
    """A unit with its drop-ins, as the sections' lines in order."""

    def __init__(self, name):
        self.name = name if "." in name else name + ".service"
        found = [Path(folder, self.name) for folder in UNITS if Path(folder, self.name).exists()]
        if not found:
            sys.exit(f"Unit {self.name} not found.")
        self.path = found[0]
        folders = [Path(folder, self.name + ".d") for folder in reversed(UNITS)]
        pieces = {piece.name: piece for folder in folders for piece in folder.glob("*.conf")}
        self.lines = []
        for path in [self.path] + [pieces[key] for key in sorted(pieces)]:
            text = re.sub(r"\\\n", " ", path.read_text())
            for line in text.splitlines():
                if "=" in line and not line.startswith(("#", ";")):
                    key, value = line.split("=", 1)
                    self.lines.append((key.strip(), value.strip()))

    def all(self, key):
        values = []
        for name, value in self.lines:
            if name == key:
                values = values + [value] if value else []
        return values

    def one(self, key, default=""):
        return (self.all(key) or [default])[-1]

    def file(self, suffix):
        return STATE / f"{self.name}.{suffix}"

    def main_pid(self):
        pid_file = self.one("PIDFile") or str(self.file("pid"))
        try:
            pid = int(Path(pid_file).read_text())
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
            return pid if state not in "ZX" else None
        except (OSError, ValueError):
            return None

    def environment(self):
        variables = dict(PATH=os.environ["PATH"], LANG="C.UTF-8")
        for line in self.all("Environment"):
            variables.update(word.split("=", 1) for word in shlex.split(line))
        for path in self.all("EnvironmentFile"):
            try:
                text = Path(path.lstrip("-")).read_text()
            except OSError:
                if path.startswith("-"):
                    continue
                raise
            for line in text.splitlines():
                if "=" in line and not line.startswith(("#", ";")):
                    key, value = line.split("=", 1)
                    variables[key.strip()] = " ".join(shlex.split(value))
        if self.all("LoadCredential"):
            variables["CREDENTIALS_DIRECTORY"] = f"/run/credentials/{self.name}"
        return variables

    def command(self, line, variables):
        words = []
        for word in shlex.split(line.lstrip("-+!")):
            whole = re.fullmatch(r"\$(\w+)", word)
            if whole:
                words += shlex.split(variables.get(whole.group(1), ""))
            else:
                words.append(re.sub(r"\$\{(\w+)\}", lambda name: variables.get(name.group(1), ""), word))
        return words

    def user(self):
        name = "nobody" if self.one("DynamicUser") == "yes" else self.one("User", "root")
        return pwd.getpwnam(name)

    def prepare(self):
        """Folders and credentials that systemd makes for a service."""
        user = self.user()
        places = [("RuntimeDirectory", "/run"), ("StateDirectory", "/var/lib"), ("LogsDirectory", "/var/log")]
        for key, parent in places:
            for name in self.one(key).split():
                os.makedirs(f"{parent}/{name}", exist_ok=True)
                os.chown(f"{parent}/{name}", user.pw_uid, user.pw_gid)
        for line in self.all("LoadCredential"):
            name, source = line.split(":", 1)
            folder = Path(f"/run/credentials/{self.name}")
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
            os.chown(folder / name, user.pw_uid, user.pw_gid)
            os.chmod(folder / name, 0o400)

    def verify(self):
        """Once for each text of the unit: a change-over must not wait for it."""
        mark = self.file("verified")
        STATE.mkdir(exist_ok=True)
        if mark.exists() and mark.read_text() == repr(self.lines):
            return say(f"no systemd: {self.name} is run as it says:")
        mark.write_text(repr(self.lines))
        if shutil.which("systemd-analyze"):
            command = ["systemd-analyze", "verify", "--man=no", str(self.path)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"lab: systemd-analyze verify {self.path}: {done.stderr}")
            say(f"no systemd: {self.name} verified, and run as it says:")
        else:
            say(f"no systemd, no systemd-analyze: {self.name} is run as it says:")

    def run(self, line, variables):
        words = self.command(line, variables)
        say(" ".join(words))
        done = subprocess.run(words, env=variables)
        if done.returncode != 0 and not line.startswith("-"):
            sys.exit(f"lab: exit status {done.returncode}: {' '.join(words)}")

    def limits(self):
        value = self.one("LimitNOFILE", "1024:524288")
        soft, hard = (value.split(":") * 2)[:2]
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        return min(int(soft), most), min(int(hard), most)

    def start(self):
        if self.main_pid():
            return
        self.verify()
        self.prepare()
        variables = self.environment()
        for line in self.all("ExecStartPre"):
            self.run(line, variables)
        line = self.one("ExecStart")
        if self.one("Type") == "forking":
            self.run(line, variables)
            wait(lambda: self.main_pid(), f"the pid file of {self.name}")
            return
        self.spawn(self.command(line, variables), variables)

    def spawn(self, words, variables):
        listener = None
        if self.one("Type") in ("notify", "notify-reload"):
            path = str(self.file("notify"))
            Path(path).unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            listener.bind(path)
            os.chmod(path, 0o777)
            listener.settimeout(0.2)
            variables["NOTIFY_SOCKET"] = path
        user, limits = self.user(), self.limits()

        def become():
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            if user.pw_uid:
                os.setgroups([])
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)

        say(f"{' '.join(words)}   (as {user.pw_name})")
        log = open(f"/var/log/lab-{self.name}.log", "ab")
        folder = self.one("WorkingDirectory", "/")
        child = subprocess.Popen(words, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                                 start_new_session=True, preexec_fn=become)
        self.file("pid").write_text(str(child.pid))
        end = time.monotonic() + PATIENCE_S
        while listener:
            if child.poll() is not None or time.monotonic() > end:
                sys.exit(f"lab: {self.name} is not ready:\n{Path(log.name).read_text()[-2000:]}")
            try:
                if b"READY=1" in listener.recv(65536):
                    break
            except socket.timeout:
                pass

    def stop(self):
        pid = self.main_pid()
        if not pid:
            return
        say(f"{self.name} is stopped")
        for line in self.all("ExecStop"):
            self.run(line, self.environment())
        number = getattr(signal, self.one("KillSignal", "SIGTERM"))
        whole = self.one("KillMode", "control-group") == "control-group"
        target = -os.getpgid(pid) if whole and self.main_pid() else pid
        for number in (number, signal.SIGKILL):
            if self.main_pid():
                os.kill(target, number)
            if wait(lambda: not self.main_pid(), None):
                break
        self.file("pid").unlink(missing_ok=True)
        shutil.rmtree(f"/run/credentials/{self.name}", ignore_errors=True)
        kept = self.one("RuntimeDirectoryPreserve") == "yes"
        for name in self.one("RuntimeDirectory").split() * (not kept):
            shutil.rmtree(f"/run/{name}", ignore_errors=True)


def wait(happened, what, seconds=STOP_S):
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            if what:
                sys.exit(f"lab: no {what} after {seconds} s")
            return False
        time.sleep(0.02)
    return True


def systemctl(words):
    flags = [word for word in words if word.startswith("-")]
    number = words[words.index("-s") + 1] if "-s" in words else None
    verb, *names = [word for word in words if not word.startswith("-") and word != number]
    if verb == "daemon-reload":
        return say("no systemd: nothing to reload; units are read when they are used")
    for unit in map(Unit, names):
        if verb in ("enable", "disable"):
            link = Path("/etc/systemd/system/multi-user.target.wants", unit.name)
            link.unlink(missing_ok=True)
            if verb == "enable":
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(unit.path)
                unit.verify()
        now = "--now" in flags
        if verb in ("stop", "restart") or (verb == "disable" and now):
            unit.stop()
        if verb in ("start", "restart") or (verb == "enable" and now):
            unit.start()
        if verb == "reload":
            for line in unit.all("ExecReload"):
                unit.run(line, dict(unit.environment(), MAINPID=str(unit.main_pid())))
        if verb == "kill":
            os.kill(unit.main_pid(), getattr(signal, "SIG" + number.removeprefix("SIG")))
        if verb in ("is-active", "status"):
            print("active" if unit.main_pid() else "inactive")
            if not unit.main_pid():
                sys.exit(3)


# -- ssh, scp, sshd

def sshd(words):
    """Serves the other hosts: a line with a command, then its input; its output, and its exit status behind a NUL."""
    listener = socket.create_server((words[0], PORT))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        peer, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            with peer, peer.makefile("rwb") as stream:
                command = shlex.split(stream.readline().decode())[0]
                given = stream.read()
                done = subprocess.run(["bash", "-c", command], input=given, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT)
                stream.write(done.stdout + b"\0" + str(done.returncode).encode())
            os._exit(0)
        peer.close()


def remote(host, command, given=b""):
    with socket.create_connection((host.split("@")[-1], PORT)) as peer:
        peer.sendall(shlex.quote(command).encode() + b"\n" + given)
        peer.shutdown(socket.SHUT_WR)
        told = b""
        while piece := peer.recv(65536):
            told += piece
    output, _, status = told.rpartition(b"\0")
    sys.stdout.buffer.write(output)
    sys.stdout.flush()
    return int(status)


def ssh(words):
    sys.exit(remote(words[0], " ".join(words[1:])))


def scp(words):
    *files, place = [word for word in words if not word.startswith("-")]
    host, folder = place.split(":", 1)
    for file in files:
        to = f"{folder or '.'}/{os.path.basename(file)}" if not folder or folder.endswith("/") else folder
        status = remote(host, f"cat > {shlex.quote(to)}", Path(file).read_bytes())
        if status:
            sys.exit(status)


# -- bedloe tune

def bedloe(words):
    if words[:1] != ["tune"]:
        os.execv("/usr/bin/bedloe", ["bedloe", *words])
    if not os.path.isdir(TREE):
        make_tree()
    say(f"the kernel is not this host's alone: {' '.join(['bedloe', *words])} --root {TREE}")
    done = subprocess.run(["/usr/bin/bedloe", *words, "--root", TREE])
    if words[1] == "apply" and done.returncode == 0:
        set_own()
    sys.exit(done.returncode)


def make_tree():
    """The host's files that `tune` reads, and the kernel's values as files."""
    for path in ("etc/passwd", "etc/security", "etc/systemd", "etc/sysctl.d", "usr/lib/sysctl.d",
                 "usr/lib/systemd/system", "lib/systemd/system"):
        source, target = Path("/", path), Path(TREE, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy(source, target)
    for source in [*Path("/proc/sys/net").rglob("*"), *Path("/proc/sys/fs").glob("*"), *Path("/proc/sys/vm").glob("*")]:
        try:
            text = source.read_bytes()
        except OSError:
            continue
        target = Path(TREE, str(source)[1:])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)


def set_own():
    """What `tune` wrote for the next start, where it belongs to the host's own network namespace."""
    for file in Path(TREE, "etc/sysctl.d").glob("*bedloe*"):
        for line in file.read_text().splitlines():
            if "=" not in line or line.startswith("#"):
                continue
            key, value = (part.strip() for part in line.split("=", 1))
            path = Path("/proc/sys", key.replace(".", "/"))
            if key.startswith("net.") and path.exists():
                try:
                    path.write_text(value)
                    say(f"{key} = {value}: set in this host's network namespace")
                    continue
                except OSError as error:
                    say(f"{key} = {value}: {error.strerror}: in the tree only")
                    continue
            say(f"{key} = {value}: not of a namespace: in the tree only")


# -- apt-get, sudo

def apt_get(words):
    """Files are installed by the real one. Debian itself is out of these hosts' reach."""
    names = [word for word in words if not word.startswith((".", "/", "-")) and word not in ("install", "purge")]
    if "install" in words and names:
        for name in names:
            done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True)
            say(f"no way to Debian from here: {name} {'is there, ' + done.stdout if done.stdout else 'is left out'}")
        words = [word for word in words if word not in names]
        if all(word.startswith("-") or word == "install" for word in words):
            return
    os.execv("/usr/bin/apt-get", ["apt-get", *words])


def sudo(words):
    os.execvp(words[0], words)


if __name__ == "__main__":
    {"systemctl": systemctl, "ssh": ssh, "scp": scp, "sshd": sshd, "bedloe": bedloe, "sudo": sudo, "apt-get": apt_get}[
        os.path.basename(sys.argv[0])](sys.argv[1:])
