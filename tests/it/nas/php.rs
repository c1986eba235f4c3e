//! The way in through PHP: real php-fpm as `http`, behind nginx and behind Apache, by the files that get
//! installed.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use remotetask::response::START_PAGE;

use super::servers::*;
use super::*;

const SOCKET: &str = "/run/php-fpm/php-37a21fc5.sock";

/// The document root as an owner copies it.
fn document_root() {
    let _ = fs::remove_dir_all(WEB);
    fs::create_dir_all(WEB).expect("a document root");
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/webstation/php");
    for name in ["index.php", ".htaccess"] {
        fs::copy(format!("{shipped}/{name}"), format!("{WEB}/{name}")).expect(name);
        mode(&format!("{WEB}/{name}"), 0o644);
    }
}

/// php-fpm with one pool of `http`'s that logs all it can, and has these settings more.
fn fpm(settings: &str) -> Child {
    document_root();
    let _ = fs::remove_dir_all("/run/php-fpm");
    fs::create_dir_all("/run/php-fpm").expect("a folder");
    let conf = format!(
        "[global]\nerror_log = {RUN}/php-fpm.log\ndaemonize = no\n[www]\nuser = http\ngroup = http\nlisten = {SOCKET}\n\
         listen.owner = http\nlisten.group = http\npm = static\npm.max_children = 2\npm.status_path = /fpm-status\n\
         catch_workers_output = yes\naccess.log = {RUN}/php-access.log\naccess.format = \"%R %m %r%Q%q %s\"\n\
         slowlog = {RUN}/php-slow.log\nrequest_slowlog_timeout = 1\nphp_admin_value[open_basedir] = {WEB}:/tmp\n{settings}"
    );
    fs::write(format!("{RUN}/php-fpm.conf"), conf).expect("php-fpm.conf");
    let found = fs::read_dir("/usr/sbin").expect("/usr/sbin").flatten().map(|entry| entry.path());
    let program = found.filter(|path| path.display().to_string().starts_with("/usr/sbin/php-fpm")).max();
    let mut command = Command::new(program.expect("php-fpm"));
    command.args(["-F", "-n", "-y", &format!("{RUN}/php-fpm.conf")]).env_clear().env("PATH", "/usr/bin:/bin");
    let child = command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    until("php-fpm", || fs::metadata(SOCKET).ok());
    child.expect("php-fpm")
}

/// nginx with a host as Web Station makes it: its own error pages in place of a back-end's answers, its
/// own words on PHP, and at the end the owner's file.
pub fn by_nginx(user_conf: &str, settings: &str) -> Server {
    by_nginx_of(WEB_STATION, user_conf, settings)
}

/// The same where something else stands before.
fn by_nginx_of(before: &str, user_conf: &str, settings: &str) -> Server {
    fresh_folder();
    let fpm = fpm(settings);
    fs::copy("/etc/nginx/fastcgi.conf", format!("{RUN}/fastcgi.conf")).expect("fastcgi.conf");
    nginx(
        &format!(
            "{before}\
             root {WEB};\nindex index.html index.htm index.cgi index.php;\n\
             location ~* \\.(php[345]?|phtml)$ {{ fastcgi_pass unix:{SOCKET}; include {RUN}/fastcgi.conf; }}\n\
             {user_conf}"
        ),
        vec![fpm],
    )
}

/// The shipped file, with the one line fitted.
pub fn fitted() -> String {
    let shipped = include_str!("../../../webstation/php/nginx.conf");
    let placeholder = "unix:/run/php-fpm/php-YOUR-PROFILE.sock;";
    assert!(shipped.contains(placeholder));
    shipped.replace(placeholder, &format!("unix:{SOCKET};"))
}

/// Apache with a virtual host as Web Station makes it for a PHP profile.
pub fn by_apache(settings: &str) -> Server {
    fresh_folder();
    let fpm = fpm(settings);
    let mut server = apache(
        "proxy_fcgi",
        &format!(
            "Listen 127.0.0.1:10765\n<VirtualHost 127.0.0.1:10765>\nTimeout 2\nProxyTimeout 60\nDocumentRoot {WEB}\n<Directory /volume1/web>\n\
             Options MultiViews FollowSymLinks ExecCGI\nAllowOverride All\nRequire all granted\n</Directory>\n\
             <FilesMatch \"\\.(php[345]?|phtml)$\">\nSetHandler \"proxy:unix:{SOCKET}|fcgi://localhost\"\n</FilesMatch>\n\
             </VirtualHost>\n"
        ),
    );
    server.also(fpm);
    server
}

fn either(apache: bool, settings: &str) -> Server {
    match apache {
        true => by_apache(settings),
        false => by_nginx(&fitted(), settings),
    }
}

#[test]
fn nginx_with_php() {
    let nas = nas();
    let server = by_nginx(&fitted(), "");
    through(&server, &nas, 3);
    let runs = nas.effect("effect");
    too_large(&server);
    assert_eq!(nas.effect("effect"), runs);
}

#[test]
fn apache_with_php() {
    let nas = nas();
    through(&by_apache(""), &nas, 4);
}

/// All that PHP can be set to add or to say.
const NOISY: &str =
    "php_value[display_errors] = stderr\nphp_value[display_startup_errors] = 1\nphp_value[session.auto_start] = 1\n\
    php_value[output_handler] = ob_gzhandler\nphp_value[html_errors] = 1\n\
    php_value[display_errors] = 1\nphp_value[session.save_path] = /tmp\n";

#[test]
fn php_hands_on_these_variables_and_no_others() {
    let _nas = nas();
    teller();
    let (mut told, expected) = with_everything(&by_apache(""));
    told.retain(|line| line != "REDIRECT_STATUS=200");
    assert_eq!(told, expected);
    let (mut told, expected) = with_everything(&by_nginx(&fitted(), ""));
    told.retain(|line| line != "REDIRECT_STATUS=000");
    assert_eq!(told, expected);
}

#[test]
fn what_php_is_set_to_add_reaches_nobody() {
    let nas = nas();
    let mut expected: Vec<String> =
        nas.call("/a/b").text().split("\r\n\r\n").next().unwrap_or_default().lines().map(str::to_owned).collect();
    expected.remove(0);
    expected.sort();
    for apache in [true, false] {
        let server = either(apache, NOISY);
        for path in ["/a/b", "/index.php", &format!("/{MAGIC}/x"), "/?PHPSESSID=1"] {
            let answer = server.request("GET", path, "Accept-Encoding: gzip\r\nCookie: PHPSESSID=1\r\n", "");
            let mut ours: Vec<&str> = answer.promised();
            ours.sort();
            assert_eq!((&*answer.body, ours), (START_PAGE, expected.iter().map(String::as_str).collect()), "{path}");
            let names: Vec<String> = answer.headers.iter().map(|line| line.to_ascii_lowercase()).collect();
            assert!(!names.iter().any(|line| line.starts_with("vary:") || line.contains("php")), "{names:?}");
        }
    }
}

#[test]
fn a_fault_of_php_is_one_answer_for_all() {
    let nas = nas();
    let none = "php_admin_value[disable_functions] = proc_open\n";
    let said = format!("php_admin_value[error_log] = {RUN}/php-error.log\n{NOISY}");
    // No right to start it, no program, and programs that say nothing or half of something.
    for (settings, program, cause) in [
        (none, None, "undefined function proc_open()"),
        ("", None, "no answer from remotetask-cgi"),
        ("", Some("exit 1"), "no answer from remotetask-cgi"),
        ("", Some("echo Status: 200 OK; echo X: y"), "no answer from remotetask-cgi"),
    ] {
        let _ = fs::remove_file(at("remotetask-cgi"));
        if let Some(line) = program {
            script(Path::new(&at("remotetask-cgi")), line);
        }
        for apache in [true, false] {
            let settings = format!("{settings}{said}");
            let server = either(apache, &settings);
            fs::write(format!("{RUN}/php-error.log"), "").expect("a log");
            mode(&format!("{RUN}/php-error.log"), 0o666);
            let key = format!("/{MAGIC}/{TASK}");
            let first = server.get("/");
            assert_eq!(first.status, 404, "{cause}");
            // Nothing; nginx says so in chunks.
            assert!(matches!(&*first.body, "" | "0\r\n\r\n"), "{cause}: {}", first.body);
            for path in ["/a/b", &key, "/index.php"] {
                let answer = server.get(path);
                assert_eq!(
                    (answer.status, &answer.body, answer.promised()),
                    (404, &first.body, first.promised()),
                    "{path}"
                );
            }
            let log = fs::read_to_string(format!("{RUN}/php-error.log")).unwrap_or_default();
            assert!(log.contains("remotetask: ") && log.contains(cause), "{log}");
            for log in walk(RUN) {
                assert_no_key(&fs::read(&log).unwrap_or_default(), &log);
            }
        }
    }
    assert_eq!(nas.effect("effect"), "");
}

/// PHP's words go to the web server where nobody has set an error log: without the URL.
#[test]
fn the_cause_is_in_no_log_beside_a_key() {
    let _nas = nas();
    fs::remove_file(at("remotetask-cgi")).expect("removed");
    for apache in [true, false] {
        let mut server = either(apache, "");
        let key = format!("/{MAGIC}/{TASK}");
        assert_eq!(server.get(&key).status, 404);
        // php-fpm is gone.
        server.end_last();
        assert!(matches!(server.get(&key).status, 502 | 503));
        for log in walk(RUN) {
            assert_no_key(&fs::read(&log).unwrap_or_default(), &log);
        }
    }
}

/// A variable ends at a NUL, which neither server lets through; php alone shows it.
#[test]
fn a_nul_ends_no_path() {
    let nas = nas();
    document_root();
    let line = "exec env -i REQUEST_METHOD=GET REMOTE_ADDR=192.168.1.7 REQUEST_URI=\"$1\" php -n \"$2\" </dev/null";
    let page = |uri: &str| nas.http(line, &[uri, &format!("{WEB}/index.php")]).text();
    assert_eq!(page(&format!("/{MAGIC}/{TASK}%00x")), START_PAGE);
    assert_eq!(nas.effect("effect"), "");
    assert!(like(&page(&format!("/{MAGIC}/{TASK}")), "Task finished: t (* s)\n"));
}

/// Nor is a length that is none, or more than has come, a fault of PHP's.
#[test]
fn a_body_that_php_has_not_whole_starts_nothing() {
    let nas = nas();
    document_root();
    let line = "exec env -i REQUEST_METHOD=POST REMOTE_ADDR=192.168.1.7 REQUEST_URI=\"$1\" CONTENT_LENGTH=\"$2\" \
                php -n \"$3\" </dev/null";
    let key = format!("/{MAGIC}/{TASK}");
    let page = |length: &str| nas.http(line, &[&key, length, &format!("{WEB}/index.php")]).text();
    for length in ["-1", "x", "5", "1500000", "99999999999999999999"] {
        assert_eq!(page(length), START_PAGE, "{length}");
    }
    assert_eq!(nas.effect("effect"), "");
    assert!(like(&page("0"), "Task finished: t (* s)\n"));
}

/// nginx refuses a length that is none by itself, and shows our page for it; behind Web Station's own pages it cannot.
#[test]
fn a_length_that_is_none_behind_nginx() {
    let nas = nas();
    let key = format!("/{MAGIC}/{TASK}");
    for (before, expected) in [("", (404, START_PAGE)), (WEB_STATION, (400, "Sorry"))] {
        let server = by_nginx_of(before, &fitted(), "");
        for length in ["-1", "x", "1, 1", "99999999999999999999"] {
            let answer = server.request("POST", &key, &format!("Content-Length: {length}\r\n"), "");
            assert_eq!((answer.status, &*answer.body), expected, "{length}");
            let refusal = server.get("/a/b");
            assert_eq!(refusal.status, 404);
            if before.is_empty() {
                assert_eq!(answer.promised(), refusal.promised(), "{length}");
            }
        }
    }
    assert_eq!(nas.effect("effect"), "");
}

/// PHP has read a form with files already: the program cannot see that it came whole.
#[test]
fn bodies_that_break_behind_php() {
    let nas = nas();
    for apache in [true, false] {
        let server = either(apache, "");
        let boundary = "--b\r\nContent-Disposition: form-data; name=\"after\"\r\n\r\n0\r\n--b--\r\n";
        let headers =
            format!("Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\n", boundary.len());
        let answer = server.request("POST", &format!("/{MAGIC}/{TASK}"), &headers, boundary);
        assert_eq!((answer.status, &*answer.body), (404, START_PAGE));
        bodies_that_break(&server, &nas);
    }
}

#[test]
fn every_path_is_index_phps() {
    let _nas = nas();
    for apache in [true, false] {
        let server = either(apache, "");
        for name in ["notes.txt", "other.php", "index.html"] {
            fs::write(format!("{WEB}/{name}"), "not for strangers").expect("a file");
            let answer = server.get(&format!("/{name}"));
            assert_eq!((answer.status, &*answer.body), (404, START_PAGE), "{name}");
        }
        assert_eq!(server.get("/").body, START_PAGE);
        for path in ["/fpm-status", "/other.php/x", "/index.php/fpm-status", "/.user.ini"] {
            assert_eq!(server.get(path).body, START_PAGE, "{path}");
        }
    }
}

/// Without a file of the owner's Web Station's nginx finds index.php at the doorstep alone: keys go in headers.
#[test]
fn nginx_without_a_file_of_ours() {
    let nas = nas();
    let server = by_nginx("", "");
    let headers = |task: &str| format!("X-Magic-Key: {MAGIC}\r\nX-Task-Key: {task}\r\n");
    assert_eq!(server.get("/").body, START_PAGE);
    let answer = server.request("POST", "/", &format!("{}Content-Length: 0\r\n", headers(TASK)), "");
    assert!(like(&answer.body, "Task finished: t (* s)\n"), "{answer:?}");
    let refusal = server.request("GET", "/", &headers("wrong-task-key"), "");
    assert_eq!((refusal.status, &*refusal.body), (404, "Sorry"));
    let key = format!("/{MAGIC}/{TASK}");
    for path in [&key, &format!("/index.php{key}"), "/a/b"] {
        assert_eq!(server.get(path).body, "Sorry", "{path}");
    }
    assert_eq!(nas.effect("effect"), "started\n");
    // The two URLs with keys stand in its access log, the headers do not.
    let seen = fs::read_to_string(format!("{RUN}/access_log")).unwrap_or_default();
    assert_eq!(seen.matches(MAGIC).count(), 2);
}

#[test]
fn while_php_waits_nobody_sees_a_key() {
    let nas = Nas::with_command("echo started >$T/began; read -r word <$T/gate");
    for dumpable in ["", "process.dumpable = yes\n"] {
        let _ = fs::remove_dir_all("/run/effects");
        fs::create_dir("/run/effects").expect("a folder");
        assert!(Command::new("mkfifo").arg("/run/effects/gate").status().expect("mkfifo").success());
        let server = by_apache(dumpable);
        let (mut seen, mut workers) = (Vec::new(), 0);
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| server.get(&format!("/{MAGIC}/{TASK}")));
            nas.effect_awaited("began");
            // Long enough for the slow log.
            std::thread::sleep(Duration::from_millis(1500));
            for entry in fs::read_dir("/proc").expect("/proc").flatten() {
                let pid = entry.file_name().to_string_lossy().into_owned();
                let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                let shown = String::from_utf8_lossy(&arguments).replace('\0', " ");
                assert_no_key(&arguments, &shown);
                let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
                let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
                if !status.contains("Uid:\t1023") || !(name.starts_with("php-fpm") || name.starts_with("remotetask-c"))
                {
                    continue;
                }
                workers += usize::from(name.starts_with("php-fpm"));
                for file in ["environ", "mem"] {
                    // Opening is what the kernel refuses.
                    if nas.http("exec 3<\"$1\"", &[&format!("/proc/{pid}/{file}")]).code == Some(0) {
                        seen.push(name.trim().to_owned());
                    }
                }
            }
            fs::write("/run/effects/gate", "word\n").expect("written");
            assert!(like(&asked.join().expect("asked").body, "Task finished: t (* s)\n"));
        });
        assert_eq!(workers, 2);
        // With that setting of php-fpm's any process of `http` reads its memory: SECURITY.md says so.
        assert_eq!(seen.is_empty(), dumpable.is_empty(), "{seen:?}");
        assert!(!seen.iter().any(|name| name.starts_with("remotetask")), "{seen:?}");
        for log in walk(RUN) {
            assert_no_key(&fs::read(&log).unwrap_or_default(), &log);
        }
        assert!(fs::read_to_string(format!("{RUN}/php-access.log")).unwrap_or_default().contains("index.php"));
        assert!(fs::read_to_string(format!("{RUN}/php-slow.log")).unwrap_or_default().contains("index.php"));
    }
}

/// A body in chunks gets to the program where the server counts it: nginx each, Apache a short one.
#[test]
fn a_body_in_chunks() {
    let _nas = nas();
    teller();
    for (apache, length, arrives) in [(true, 3, 3), (false, 3, 3), (false, 70 << 10, 70 << 10)] {
        let server = either(apache, "");
        let body = format!("{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length));
        let answer = server.request("POST", "/a/b", "Transfer-Encoding: chunked\r\n", &body);
        assert!(answer.body.contains(&format!(", {arrives} bytes of body")), "{apache} {length}: {}", answer.body);
    }
}
