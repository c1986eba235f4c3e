"""Shared by the scripts beside it: programs and floors built, an installation, requests, and counts of them.

Instructions are callgrind's, system calls strace's: both count a program's own work and nothing else of the machine.
"""

import hashlib
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLOORS = ROOT / "target" / "floor"
STARTER = {"remotetask-cgi": 0o711, "remotetask-run": 0o700, "remotetask-keep": 0o700}
BEFORE = "children before exec"
MACHINE = subprocess.run(["uname", "-m"], capture_output=True, text=True).stdout.strip()


def need(*packages):
    """Installs what is missing of these Debian packages, after saying so."""
    asked = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Status}\n", *packages], capture_output=True, text=True).stdout
    there = {line.split()[0] for line in asked.splitlines() if line.endswith(" ok installed")}
    missing = [package for package in packages if package not in there]
    if missing:
        print("Installing for the measurements:", *missing, flush=True)
        install = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing]
        subprocess.run(["apt-get", "-qq", "update"], check=True)
        subprocess.run(["env", "DEBIAN_FRONTEND=noninteractive", *install], check=True, stdout=subprocess.DEVNULL)


def packing(line, *words):
    """A shell's line that uses installer/pack.sh, which has the one table of targets."""
    shell = ["sh", "-euc", ". installer/pack.sh\n" + line, "sh", *words]
    return subprocess.run(shell, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def target(library):
    """Rust's target of this processor with musl or glibc, or nothing where this Rust does not have it."""
    name = packing(f'{library}_target "$1"', MACHINE).stdout.strip()
    return name if packing('has_target "$1"', name).returncode == 0 else ""


def add_musl():
    """Adds Rust's target with musl by rustup where it is missing, after saying so."""
    if not target("musl") and shutil.which("rustup"):
        name = packing('musl_target "$1"', MACHINE).stdout.strip()
        print(f"Adding Rust's target {name} by rustup (rustup target add {name})", flush=True)
        subprocess.run(["rustup", "target", "add", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def targets():
    """Both, as far as they are there, by the library."""
    there = {library: target(library) for library in ["musl", "glibc"]}
    if not there["musl"]:
        print("Left out: musl, because this Rust has no target", packing('musl_target "$1"', MACHINE).stdout.strip(), flush=True)
    return {library: name for library, name in there.items() if name}


def build(name):
    """The programs for a target, as install.sh builds them; the folder that they are in."""
    line = 'static "$1"; cargo build --locked --quiet --release --workspace --bins --target "$1" --target-dir target'
    if packing(line, name).returncode:
        sys.exit(f"the programs could not be built for {name}")
    return ROOT / "target" / name / "release"


def floors():
    """The floors in C, static, with this machine's library; with musl too where musl-gcc is there, in a folder of its own."""
    compilers = {"gcc": FLOORS, "musl-gcc": FLOORS / "musl"}
    for compiler, folder in compilers.items():
        if shutil.which(compiler):
            folder.mkdir(parents=True, exist_ok=True)
            for source in (ROOT / "benches/floor").glob("*.c"):
                subprocess.run([compiler, "-O2", "-static", "-o", folder / source.stem, source], check=True)


def sealed(key):
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def config(tasks, server="", more=""):
    lines = ",\n".join(f'    "{1000 + n}": {{ "identifier": "{sealed(f"task-key-{n}")}"{more} }}' for n in range(tasks))
    magic = server or f'"{sealed("magic-key")}"'
    return f'{{\n  "server": {{ "magickey": {magic} }},\n  "tasks": {{\n{lines}\n  }}\n}}\n'


def with_command(text):
    """A configuration with one more task, `t`, which is /bin/true."""
    task = f'    "t": {{ "identifier": "{sealed("task-key-t")}", "command": ["/bin/true"] }},\n'
    return text.replace('"tasks": {\n', '"tasks": {\n' + task)


def unprivileged(text):
    """The same where nobody has to become root."""
    return text.replace('"server": {', '"server": { "elevate": [],')


def installed(built, folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for name, mode in STARTER.items():
        shutil.copy(built / name, folder / name)
        (folder / name).chmod(mode)
    (folder / "config.json").write_text(text)


FEW = {"REQUEST_METHOD": "GET", "PATH_INFO": "/wrong-key/wrong-task-key", "QUERY_STRING": "", "REMOTE_ADDR": "192.168.1.7",
       "HTTP_ACCEPT": "*/*", "CONTENT_LENGTH": "", "TZ": "UTC"}
# Apache's variables for curl's request, 28 of them, and a real time zone.
MANY = {**FEW, "TZ": "Europe/Berlin", "HTTP_HOST": "nas.example.org", "HTTP_USER_AGENT": "curl/8.5.0",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SERVER_SIGNATURE": "",
        "SERVER_SOFTWARE": "Apache/2.4.62 (Unix)", "SERVER_NAME": "nas.example.org", "SERVER_ADDR": "127.0.0.1",
        "SERVER_PORT": "10765", "DOCUMENT_ROOT": "/volume1/web", "REQUEST_SCHEME": "http", "CONTEXT_PREFIX": "/",
        "CONTEXT_DOCUMENT_ROOT": "/usr/local/remotetask/remotetask-cgi/", "SERVER_ADMIN": "you@example.org",
        "SCRIPT_FILENAME": "/usr/local/remotetask/remotetask-cgi", "REMOTE_PORT": "51234", "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_URI": "/wrong-key/wrong-task-key", "SCRIPT_NAME": "",
        "PATH_TRANSLATED": "/volume1/web/wrong-key/wrong-task-key", "UNIQUE_ID": "Zx8fA1kBAAEAAB3dYpQAAAAA"}


def _ran(command, environment):
    """Runs a program as a server would, without a request's body; its answer."""
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, cwd="/")
    if done.returncode:
        sys.exit(f"{command} failed: {done.stderr.decode(errors='replace')}")
    return done.stdout


def answered(folder, environment):
    """One request of an installation, as it is."""
    return _ran([str(folder / "remotetask-cgi")], environment)


def settled(folder):
    """Waits until nothing of an installation runs any more: a keeper ends after the answer."""
    while f"\n{folder}/" in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout:
        time.sleep(0.01)


def counted(program, environment):
    """Instructions of a program and of those of ours that it starts, by their names; others' are left out."""
    with tempfile.TemporaryDirectory(dir="/tmp") as logs:
        _ran(["valgrind", "--tool=callgrind", "--trace-children=yes", "--callgrind-out-file=/dev/null",
              f"--log-file={logs}/%p", str(program)], environment)
        texts = [log.read_text() for log in pathlib.Path(logs).iterdir()]
    found = {}
    for text in texts:
        command = re.search(r"Command: (\S+)", text)[1]
        for count in re.findall(r"Collected : (\d+)", text):
            found[pathlib.Path(command).name] = found.get(pathlib.Path(command).name, 0) + int(count)
    return {name: count for name, count in found.items() if name in STARTER or name == pathlib.Path(program).name}


def instructions(folder, environment):
    """Of the web half alone."""
    return counted(folder / "remotetask-cgi", environment)["remotetask-cgi"]


def system_calls(program, environment):
    """System calls of a program and of those of ours that it starts, by their names, and of their children before those
    become another program."""
    found = {}
    with tempfile.TemporaryDirectory(dir="/tmp") as logs:
        _ran(["strace", "-ff", "-qq", "-e", "signal=none", "-o", f"{logs}/calls", str(program)], environment)
        for log in sorted(pathlib.Path(logs).iterdir()):
            calls = log.read_text().splitlines()
            became = max(at for at, call in enumerate(calls) if re.match(r"execve(at)?\(.* = 0$", call))
            name = pathlib.Path(re.search(r'"([^"]*)"', calls[became])[1]).name
            found[name] = found.get(name, 0) + len(calls) - became
            found[BEFORE] = found.get(BEFORE, 0) + became
    return {name: count for name, count in found.items() if name in [*STARTER, BEFORE, pathlib.Path(program).name]}


def least(count, times):
    """The least of some counts, program by program: a wait that is interrupted is no work of the program's."""
    turns = [count() for _ in range(times)]
    return {name: min(turn.get(name, 0) for turn in turns) for name in turns[0]}


def turns(count, ours, theirs, environment):
    """Two programs in turn: the pairs of their times in µs, and the first one's peak memory in MiB: the median, because it
    depends a little on where the kernel puts the program."""
    done = _ran([str(FLOORS / "turns"), str(count), str(ours), str(theirs)], environment).decode().splitlines()
    found = [tuple(map(int, turn.split())) for turn in done]
    return [turn[:2] for turn in found], statistics.median(turn[2] for turn in found) / 1024


def on_a_nas(script, *words, **more):
    """The script itself with --inside and these words, as root on the pretend NAS."""
    command = [ROOT / "tests/nas/enter", sys.executable, pathlib.Path(script).resolve(), "--inside", *words]
    return subprocess.run(command, **more)
