"""Web servers on the pretend NAS (tests/nas/enter): our programs, the floors and the peers behind the same ones.

Everything is started as a child and stopped by its process. Port 10799 has the floors and peers behind Apache; each
library's programs have ports of their own.
"""

import contextlib
import json
import os
import pathlib
import pwd
import subprocess
import time

from measure import FLOORS, ROOT, config, installed, sealed

BENCH = FLOORS / "bench" # filled outside, on the disk; the pretend NAS's own files are in memory
FLOOR = "/usr/local/remotetask-floor"
WEB = pathlib.Path("/run/bench")
PEERS_PORT = 10799
PORTS = {"Apache": {"musl": 10801, "glibc": 10802}, "nginx, fcgiwrap": {"musl": 10803, "glibc": 10804},
         "nginx, PHP": {"musl": 10805, "glibc": 10806}}
PARALLEL = 8 # tasks, for each may run eight times at once
CHILDREN = 8 # of fcgiwrap, and of PHP


def folder(library):
    return f"/usr/local/remotetask-{library}"


def configuration():
    names = ["t"] + [f"p{n}" for n in range(PARALLEL)]
    tasks = "".join(f'    "{name}": {{ "identifier": "{sealed(f"task-key-{name}")}", "command": ["/bin/true"], "overlap": "parallel" }},\n'
                    for name in names)
    return config(1).replace('"server": {', f'"server": {{ "panel": "{sealed("panel-key1")}",').replace('"tasks": {\n', '"tasks": {\n' + tasks)


def prepare(programs):
    """Outside: programs by their library, the floors and the peers, in one folder of the disk."""
    for library, built in programs.items():
        installed(built, BENCH / library, configuration())
        (BENCH / library / "log.txt").write_text("")
    floor = BENCH / "floor"
    subprocess.run(["rm", "-rf", floor], check=True)
    subprocess.run(["cp", "-r", ROOT / "benches/peers", floor], check=True)
    for library, source in [("glibc", FLOORS), ("musl", FLOORS / "musl")]:
        for name in ["cgi", "sudo-cgi"]:
            if (source / name).exists():
                subprocess.run(["cp", source / name, floor / f"{name}-{library}"], check=True)
    subprocess.run(["cp", FLOORS / "starter", floor], check=True)
    digests = [sealed("magic-key")[7:], sealed("task-key-t")[7:]]
    (floor / "digests").write_text(" ".join(digests) + "\n")
    (floor / "digests.json").write_text(json.dumps(digests))


def lay_out(libraries):
    """Inside: all of that in its place, and sudo's rules."""
    http = pwd.getpwnam("http").pw_uid
    rules = {"floor": f'http ALL=(root) NOPASSWD: {FLOOR}/starter ""\n'}
    for library in libraries:
        rules[library] = (ROOT / "webstation/sudoers").read_text().replace("/usr/local/remotetask", folder(library))
    for name, rule in rules.items():
        place = pathlib.Path(folder(name))
        place.mkdir()
        subprocess.run(["mount", "--bind", BENCH / name, place], check=True)
        path = pathlib.Path("/etc/sudoers.d", name)
        path.write_text(rule)
        path.chmod(0o440)
    for library in libraries:
        os.chown(f"{folder(library)}/log.txt", http, http)
    for name in ["sh", "python", "php", "flask"]:
        log = pathlib.Path(FLOOR, f"log-{name}")
        log.touch()
        os.chown(log, http, http)
    WEB.mkdir()


def started(command, ready, user=None):
    """A server, once it is ready."""
    child = subprocess.Popen(command, env={"PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, start_new_session=True, user=user, group=user)
    for _ in range(200):
        if ready():
            return child
        if child.poll() is not None:
            break
        time.sleep(0.05)
    raise SystemExit(f"{command} does not serve")


def answers(port):
    return lambda: subprocess.run(["curl", "-s", "-o", "/dev/null", "--max-time", "2", f"http://127.0.0.1:{port}/"]).returncode == 0


def apache(libraries):
    modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
                      for name in ["mpm_event", "authz_core", "alias", "cgid", "env", "proxy", "proxy_http"])
    ours = "".join(f"Define REMOTETASK_FOLDER {folder(library)}\nDefine REMOTETASK_LISTEN 127.0.0.1:{PORTS['Apache'][library]}\n"
                   f"Include {ROOT}/webstation/remotetask.conf\nUnDefine REMOTETASK_FOLDER\nUnDefine REMOTETASK_LISTEN\n"
                   for library in libraries)
    aliases = "".join(f"ScriptAlias /{name} {FLOOR}/{file}\n" for name, file in [
        ("refused-glibc", "cgi-glibc"), ("refused-musl", "cgi-musl"), ("accepted-glibc", "sudo-cgi-glibc"),
        ("accepted-musl", "sudo-cgi-musl"), ("sh", "cgi.sh"), ("python", "cgi.py"), ("php", "cgi.php")])
    (WEB / "httpd.conf").write_text(
        f"ServerRoot {WEB}\nServerName nas\nPidFile {WEB}/pid\nDefaultRuntimeDir {WEB}\nMutex \"file:{WEB}\" default\n"
        f"ErrorLog {WEB}/error_log\nScriptSock {WEB}/sock\nUser http\nGroup http\n{modules}{ours}"
        f"Listen 127.0.0.1:{PEERS_PORT}\n<VirtualHost 127.0.0.1:{PEERS_PORT}>\n{aliases}"
        "ProxyPass /webhook http://127.0.0.1:10811/hooks\nProxyPass /flask http://127.0.0.1:10812\n"
        f"<Directory {FLOOR}>\nRequire all granted\n</Directory>\n</VirtualHost>\n")
    return [started(["/usr/sbin/apache2", "-f", str(WEB / "httpd.conf"), "-DFOREGROUND"], answers(PEERS_PORT))]


def nginx(libraries):
    """nginx, and behind it fcgiwrap and PHP for each library."""
    children, hosts = [], ""
    for library in libraries:
        wrap, fpm, root = WEB / f"wrap-{library}", WEB / f"fpm-{library}", WEB / f"php-{library}"
        place = WEB / f"of-{library}"
        place.mkdir()
        os.chown(place, 1023, 1023)
        wrap, fpm = place / "wrap", place / "fpm"
        children.append(started(["/usr/sbin/fcgiwrap", "-c", str(CHILDREN), "-s", f"unix:{wrap}"], wrap.exists, user=1023))
        root.mkdir()
        shipped = (ROOT / "webstation/php/index.php").read_text()
        (root / "index.php").write_text(shipped.replace("/usr/local/remotetask/", folder(library) + "/"))
        (WEB / f"fpm-{library}.conf").write_text(
            f"[global]\nerror_log = {WEB}/fpm.log\ndaemonize = no\n[www]\nuser = http\ngroup = http\nlisten = {fpm}\n"
            f"listen.owner = http\nlisten.group = http\npm = static\npm.max_children = {CHILDREN}\n"
            f"php_admin_value[open_basedir] = {root}:/tmp\n")
        program = max(str(path) for path in pathlib.Path("/usr/sbin").glob("php-fpm*"))
        children.append(started([program, "-F", "-n", "-y", f"{WEB}/fpm-{library}.conf"], fpm.exists))
        by_wrap = (ROOT / "webstation/nginx-fcgiwrap.conf").read_text().replace("/run/remotetask/fcgiwrap.sock", str(wrap))
        by_php = (ROOT / "webstation/php/nginx.conf").read_text().replace("/run/php-fpm/php-YOUR-PROFILE.sock", str(fpm))
        by_wrap = by_wrap.replace("/usr/local/remotetask/", folder(library) + "/")
        for server, inside in [("nginx, fcgiwrap", by_wrap), ("nginx, PHP", by_php)]:
            hosts += f"server {{ listen 127.0.0.1:{PORTS[server][library]}; root {root};\n{inside} }}\n"
    temporary = " ".join(f"{kind}_temp_path {WEB}/{kind};" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
    (WEB / "nginx.conf").write_text(f"user http http; pid {WEB}/nginx.pid; error_log {WEB}/error_log; daemon off; worker_processes 1;\n"
                                    f"events {{ }}\nhttp {{ access_log off; {temporary}\n{hosts} }}\n")
    first = PORTS["nginx, PHP"][libraries[0]]
    return children + [started(["/usr/sbin/nginx", "-c", str(WEB / "nginx.conf"), "-e", f"{WEB}/error_log"], answers(first))]


def residents():
    """webhook and the Flask program."""
    webhook = ["/usr/bin/webhook", "-hooks", f"{FLOOR}/webhook.json", "-ip", "127.0.0.1", "-port", "10811"]
    return {"webhook": started(webhook, answers(10811)),
            "Flask": started([f"{FLOOR}/resident.py"], answers(10812))}


def memory(child):
    """Of a process and its children, what would be free without them, in MiB."""
    pids = [str(child.pid)] + pathlib.Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    sizes = [line for pid in pids for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:")]
    return sum(int(line.split()[1]) for line in sizes) / 1024


@contextlib.contextmanager
def serving(children):
    try:
        yield
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait()


def load(port, paths, at_once, seconds):
    """Requests by wrk, from so many connections; medians in µs, and how many of each status."""
    command = ["wrk", "-t1", f"-c{at_once}", f"-d{seconds}s", "--timeout", "30s", "-s", str(ROOT / "benches/peers/load.lua"),
               f"http://127.0.0.1:{port}", "--", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])
