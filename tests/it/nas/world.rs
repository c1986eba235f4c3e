//! Step 0 and the question's pipe: what a process of `http` can hand on through sudo, by programs that only Python writes
//! in few lines.

use remotetask::line::REFUSED;

use super::boundary::{armed, ask, RUN};
use super::*;

/// Prints what the root half and the command are: whether that leads its session, its terminal, and of both the timer
/// slack and the groups.
const SEE: &str = "run=$(awk '{print $4}' /proc/$PPID/stat); exec >/run/effects/seen; \
    awk '{print ($1 == $6) \" \" $7}' /proc/$run/stat; cat /proc/$run/timerslack_ns /proc/self/timerslack_ns; \
    grep -hE '^(Gid|Groups):' /proc/$run/status /proc/self/status; echo end";

/// The same, as it is for a caller who hands on nothing.
const SEEN: &str = "1 0\n50000\n50000\nGid:\t0\t0\t0\t0\nGroups:\t0 \nGid:\t0\t0\t0\t0\nGroups:\t0 \nend\n";

fn seeing() -> Nas {
    let nas = Nas::new();
    let argv = serde_json::to_string(&["/bin/sh", "-c", SEE]).expect("JSON");
    nas.config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": {argv}}}"));
    nas
}

/// A Python program of `http`'s, in these groups; `question` puts a line into a pipe on its stdin, and `sudo` goes on as
/// the wrapper.
fn python(groups: &str, program: &str, arguments: &[&str]) -> Answer {
    let prelude = "import ctypes, fcntl, os, pty, socket, sys, termios\n\
        def question(line):\n    r, w = os.pipe()\n    os.write(w, line.encode())\n    os.close(w)\n    os.dup2(r, 0)\n\
        def sudo(*words):\n    os.execv('/usr/bin/sudo', ['sudo', '-n', *words, sys.argv[1]])\n";
    let mut command = Command::new("setpriv");
    command.args(["--reuid=1023", "--regid=1023", groups, "--", "/usr/bin/python3", "-c"]);
    command.arg(format!("{prelude}{program}")).arg(RUN).args(arguments);
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command.spawn().expect("setpriv"))
}

#[track_caller]
fn sees_nothing_of_it(groups: &str, program: &str) {
    sees(SEEN, groups, program);
}

#[track_caller]
fn sees(expected: &str, groups: &str, program: &str) {
    let _ = fs::remove_file("/run/effects/seen");
    let answer = python(groups, program, &[&format!("{}\n", ask(MAGIC, TASK))]);
    let seen = fs::read_to_string("/run/effects/seen").unwrap_or_default();
    assert_eq!(seen, expected, "{program}: {answer:?}");
}

#[test]
fn groups_of_the_caller_reach_nothing() {
    let _nas = seeing();
    sees_nothing_of_it("--groups=1023,65536,100", "question(sys.argv[2])\nsudo('-P')");
}

#[test]
fn a_timer_slack_of_the_callers_makes_nobody_sleep() {
    let _nas = seeing();
    let slack = "ctypes.CDLL(None).prctl(29, ctypes.c_ulong(10 ** 18))\n";
    sees_nothing_of_it("--clear-groups", &format!("{slack}question(sys.argv[2])\nsudo()"));
    // The 2 s for a question that does not come are 2 s.
    let held = format!("{slack}r, w = os.pipe()\nos.set_inheritable(w, True)\nos.dup2(r, 0)\nsudo()");
    assert_eq!(python("--clear-groups", &held, &[]).text(), REFUSED);
}

/// In the background of a terminal that stops whoever writes to it from there (TOSTOP), with the answer going there.
const BACKGROUND: &str = "pid, master = pty.fork()\n\
    if pid == 0:\n    \
        mode = termios.tcgetattr(1)\n    mode[3] |= termios.TOSTOP\n    termios.tcsetattr(1, termios.TCSANOW, mode)\n    \
        child = os.fork()\n    \
        if child == 0:\n        os.setpgid(0, 0)\n        question(sys.argv[2])\n        sudo()\n    \
        os.waitpid(child, 0)\n    os._exit(0)\n\
    try:\n    while True:\n        data = os.read(master, 4096)\n        sys.stdout.write(data.decode())\n\
    except OSError:\n    pass\n";

/// As the leader of a terminal's session.
const LEADER: &str = "pid, master = pty.fork()\n\
    if pid == 0:\n    question(sys.argv[2])\n    sudo()\n\
    try:\n    while True:\n        data = os.read(master, 4096)\n        sys.stdout.write(data.decode())\n\
    except OSError:\n    pass\n";

/// Without these, sudo stays beside the program; with them it becomes the program, which leads what its caller led.
const DIRECT: &str = "Defaults !pam_session, !pam_setcred\n";

#[test]
fn a_terminal_of_the_callers_holds_nobody() {
    let nas = seeing();
    for defaults in ["", DIRECT] {
        sudoers("aa", defaults);
        sees_nothing_of_it("--clear-groups", BACKGROUND);
        let answer = python("--clear-groups", BACKGROUND, &["{}\n"]);
        assert_eq!(answer.text().trim(), REFUSED.trim(), "{defaults}");
    }
    for defaults in ["", "Defaults use_pty\n"] {
        sudoers("aa", defaults);
        sees_nothing_of_it("--clear-groups", LEADER);
    }
    // It has nowhere to go then, so it goes nowhere.
    sudoers("aa", DIRECT);
    let _ = fs::remove_file("/run/effects/seen");
    let answer = python("--clear-groups", LEADER, &[&ask(MAGIC, TASK)]);
    let expected = "{\"v\":1,\"outcome\":{\"is\":\"not_started\",\"step\":\"0g\",\
        \"reason\":\"it leads a session that has a terminal\"}}";
    assert_eq!((answer.text().trim(), nas.effect("seen").as_str()), (expected, ""));
    // Without a terminal there is nothing to leave: a leader, and one whose parent is not in its session.
    sees(SEEN, "--clear-groups", "os.setsid()\nquestion(sys.argv[2])\nsudo()");
    let stays = SEEN.replacen("1 0\n", "0 0\n", 1);
    sees(&stays, "--clear-groups", "os.setpgid(0, 0)\nquestion(sys.argv[2])\nsudo()");
}

/// Nothing but a pipe to read from is read, and above all opened: root could open things that its caller cannot.
#[test]
fn a_question_comes_out_of_a_pipe() {
    let nas = armed();
    let line = format!("{}\n", ask(MAGIC, TASK));
    fs::write("/tmp/line", &line).expect("a file");
    for (name, bits) in [("hidden", 0o600), ("unreadable", 0o622), ("own", 0o666)] {
        let fifo = format!("/tmp/{name}");
        assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
        mode(&fifo, bits);
    }
    let open = |name: &str| {
        let mut fifo = fs::File::options().read(true).write(true).open(format!("/tmp/{name}")).expect("the pipe");
        fifo.write_all(line.as_bytes()).expect("a message");
        fifo
    };
    let fifos = [open("hidden"), open("unreadable")];
    for stdin in [
        "os.open('/tmp/hidden', os.O_PATH)",
        "os.open('/tmp/line', os.O_PATH)",
        "os.open('/tmp/line', os.O_RDONLY)",
        "os.open('/tmp/unreadable', os.O_WRONLY)",
        "os.open('/tmp/own', os.O_RDWR)",
        "os.open('/dev/null', os.O_RDWR)",
        "os.open('/', os.O_RDONLY)",
        "given(socket.socketpair())",
        "given(pty.openpty())",
    ] {
        let program = format!(
            "def given(pair):\n    os.write(pair[0] if type(pair[0]) is int else pair[0].fileno(), sys.argv[2].encode())\n    \
             end = pair[1]\n    kept.append(pair)\n    return end if type(end) is int else end.fileno()\n\
             kept = []\nos.dup2({stdin}, 0)\nsudo()"
        );
        let answer = python("--clear-groups", &program, &[&line]);
        assert_eq!((&*answer.text(), &*answer.stderr), (REFUSED, ""), "{stdin}");
    }
    // The end of a pipe to write into is none to read from.
    let other_end =
        "r, w = os.pipe()\nos.write(w, sys.argv[2].encode())\nos.set_inheritable(r, True)\nos.dup2(w, 0)\nsudo()";
    assert_eq!(python("--clear-groups", other_end, &[&line]).text(), REFUSED);
    assert_eq!(nas.effect("effect"), "");
    for mut fifo in fifos {
        let mut message = vec![0; line.len()];
        fifo.read_exact(&mut message).expect("it is still there");
        assert_eq!(message, line.as_bytes());
    }
    // One byte where 4000 are waited for is no question, and none that holds anybody.
    let lazy = "a, b = socket.socketpair()\nb.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 4000)\na.send(b'x')\n\
        os.set_inheritable(a.fileno(), True)\nos.dup2(b.fileno(), 0)\nsudo()";
    assert_eq!(python("--clear-groups", lazy, &[]).text(), REFUSED);
}

/// Of anything but a pipe or a terminal its owner could say how long a write takes, and of a shared one what it is set to.
#[test]
fn an_answer_goes_into_a_pipe_or_to_a_terminal() {
    let _nas = armed();
    let answers = "question('{}\\n')\nif os.fork() == 0:\n    os.dup2(out, 1)\n    sudo()\nos.wait()\n";
    let read = "sys.stdout.write(source.read().decode())\n";
    let pipe = format!(
        "a, out = os.pipe()\nsource = os.fdopen(a, 'rb')\n{answers}print(fcntl.fcntl(out, fcntl.F_GETFL) & os.O_NONBLOCK)\n\
         sys.stdout.flush()\nos.close(out)\n{read}"
    );
    assert_eq!(python("--clear-groups", &pipe, &[]).text(), format!("0\n{REFUSED}"));
    let terminal = format!("a, out = pty.openpty()\n{answers}sys.stdout.write(os.read(a, 4096).decode())\n");
    assert_eq!(python("--clear-groups", &terminal, &[]).text().trim(), REFUSED.trim());
    for given in [
        "a, b = socket.socketpair()\nout = b.fileno()\nsource = a.makefile('rb')\nkept = b\n",
        "out = os.open('/tmp/out', os.O_RDWR | os.O_CREAT)\nsource = open('/tmp/out', 'rb')\n",
    ] {
        let program = format!("{given}{answers}if 'kept' in dir(): kept.close()\n{read}");
        let answer = python("--clear-groups", &program, &[]);
        assert_eq!((&*answer.text(), &*answer.stderr), ("", ""), "{given}");
    }
}
