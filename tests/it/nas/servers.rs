//! The table of requests through real web servers, by the files that get installed.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use remotetask::response::START_PAGE;

use super::*;

const MODULES: &str = "/usr/lib/apache2/modules";
pub const WEB: &str = "/volume1/web/remotetask";
pub const RUN: &str = "/run/webserver";

pub fn fresh_folder() {
    let _ = fs::remove_dir_all(RUN);
    fs::create_dir(RUN).expect("a folder");
    mode(RUN, 0o755);
}

/// Apache with `mod_cgid`, `mod_cgi` or `mod_proxy_fcgi`, in DSM's way: user `http`, and one more file
/// that it includes.
pub fn apache(module: &str, rest: &str) -> Server {
    let (more, socket) = match module {
        "cgid" => (&["mpm_event"][..], format!("ScriptSock {RUN}/cgid.sock\n")),
        "cgi" => (&["mpm_prefork"][..], String::new()),
        _ => (&["mpm_event", "proxy"][..], String::new()),
    };
    let always = &["authz_core", "alias", "env", "mime", "rewrite", "setenvif"];
    let modules: String = always
        .iter()
        .chain(more)
        .chain(&[module])
        .map(|name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n"))
        .collect();
    let conf = format!(
        "ServerRoot {RUN}\nServerName nas\nPidFile {RUN}/httpd.pid\nDefaultRuntimeDir {RUN}\nMutex \"file:{RUN}\" default\n\
         ErrorLog {RUN}/error_log\n{modules}{socket}User http\nGroup http\nTypesConfig /dev/null\n\
         LogFormat \"%h %r %>s\" all\nCustomLog {RUN}/access_log all env=!dontlog\n{rest}"
    );
    fs::write(format!("{RUN}/httpd.conf"), conf).expect("httpd.conf");
    let mut command = Command::new("/usr/sbin/apache2");
    command.args(["-f", &format!("{RUN}/httpd.conf"), "-DFOREGROUND"]).env_clear().env("PATH", "/usr/bin:/bin");
    // A group of its own: at its end Apache signals the whole of it.
    let child = command.process_group(0).stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("apache2");
    Server::new(vec![child], 10765)
}

/// By `ScriptAlias`: the drop-in for a port of its own, as it is.
pub fn by_port(module: &str) -> Server {
    apache_with(module, "")
}

/// The same, with these lines before it.
fn apache_with(module: &str, lines: &str) -> Server {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/webstation/remotetask.conf");
    fs::copy(shipped, "/etc/remotetask.conf").expect("the drop-in");
    fresh_folder();
    apache(module, &format!("{lines}Include /etc/remotetask.conf\n"))
}

/// By `.htaccess`: a document root as Web Station makes one.
fn by_vhost(module: &str) -> Server {
    let _ = fs::remove_dir_all(WEB);
    fs::create_dir_all(WEB).expect("a document root");
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/webstation/.htaccess");
    fs::copy(shipped, format!("{WEB}/.htaccess")).expect(".htaccess");
    symlink(at("remotetask-cgi"), format!("{WEB}/remotetask.cgi")).expect("a link");
    fresh_folder();
    apache(
        module,
        &format!(
            "Listen 127.0.0.1:10765\n<VirtualHost 127.0.0.1:10765>\nDocumentRoot {WEB}\n<Directory /volume1/web>\n\
             AllowOverride All\nRequire all granted\n</Directory>\n</VirtualHost>\n"
        ),
    )
}

/// nginx with one host, whose inside is this text.
pub fn nginx(inside: &str, others: Vec<Child>) -> Server {
    let conf = format!(
        "user http http; pid {RUN}/nginx.pid; error_log {RUN}/error_log; daemon off; worker_processes 1;\n\
         events {{ }}\nhttp {{ lingering_timeout 1s; access_log {RUN}/access_log; client_body_temp_path {RUN}/body; proxy_temp_path {RUN}/p; \
         fastcgi_temp_path {RUN}/f; uwsgi_temp_path {RUN}/u; scgi_temp_path {RUN}/s;\n\
         server {{ listen 127.0.0.1:10766;\n{inside} }} }}\n"
    );
    fs::write(format!("{RUN}/nginx.conf"), conf).expect("nginx.conf");
    let mut nginx = Command::new("/usr/sbin/nginx");
    nginx
        .args(["-c", &format!("{RUN}/nginx.conf"), "-e", &format!("{RUN}/error_log")])
        .env_clear()
        .env("PATH", "/usr/bin:/bin");
    let nginx = nginx.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("nginx");
    Server::new(std::iter::once(nginx).chain(others).collect(), 10766)
}

/// nginx and fcgiwrap as `http`, where the shipped file expects it, which stands behind this.
fn by_fcgiwrap(before: &str) -> Server {
    fresh_folder();
    const SOCKET: &str = "/run/remotetask/fcgiwrap.sock";
    let _ = fs::remove_dir_all("/run/remotetask");
    fs::create_dir("/run/remotetask").expect("a folder");
    chown("/run/remotetask", Some(HTTP), Some(HTTP)).expect("chown");
    mode("/run/remotetask", 0o700);
    let mut wrap = Command::new("/usr/sbin/fcgiwrap");
    wrap.args(["-s", &format!("unix:{SOCKET}")]).env_clear().env("PATH", "/usr/bin:/bin").uid(HTTP).gid(HTTP);
    let wrap = wrap.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("fcgiwrap");
    until("fcgiwrap", || fs::metadata(SOCKET).ok());
    chown("/run/remotetask", Some(0), Some(HTTP)).expect("chown");
    mode("/run/remotetask", 0o710);
    nginx(&format!("{before}{}", include_str!("../../../webstation/nginx-fcgiwrap.conf")), vec![wrap])
}

/// Web Station's lines in each host of nginx's, before an owner's own file: pages of its own take the
/// place of a back-end's answers from 400 on.
pub const WEB_STATION: &str = "error_page 400 401 403 404 405 408 409 411 413 414 416 429 494 500 501 502 503 504 505 \
    /web_station_error;\nfastcgi_intercept_errors on;\n\
    location = /web_station_error { internal; return 200 \"Sorry\"; }\n";

/// A stand-in for the program that tells what it was handed, each on a line of its own.
pub fn teller() {
    let line = "printf 'Status: 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\n'\n\
        tr '\\0' '\\n' </proc/$$/environ\necho \"arguments $# in $PWD, $(wc -c) bytes of body\"";
    fs::remove_file(at("remotetask-cgi")).expect("removed");
    script(Path::new(&at("remotetask-cgi")), line);
}

/// A request with headers that no program needs, and what of it may arrive, in order.
pub fn with_everything(server: &Server) -> (Vec<String>, Vec<String>) {
    let headers = "Proxy: http://evil/\r\nCookie: a=b\r\nAuthorization: Basic x\r\nAccept: text/html\r\nAccept-Language: de\r\nX-Real-IP: 192.0.2.7\r\n\
        Content-Type: text/plain\r\nContent-Length: 3\r\nPHP-Value: x\r\nX-Moz: prefetch\r\nPurpose: p\r\nX-Purpose: q\r\n\
        Sec-Purpose: r\r\nSec-Fetch-Site: none\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nUser-Agent: u\r\nX-Forwarded-For: 192.0.2.8\r\nX-Magic-Key: m\r\nX-Task-Key: t\r\n";
    let answer = server.request("POST", "/a/b%0ac?d=e", headers, "xyz");
    let mut told: Vec<String> = answer.body.replace("a/b\nc", "a/b[newline]c").lines().map(str::to_owned).collect();
    // Without what nginx says of chunks.
    told.retain(|line| line.contains('=') || line.starts_with("arguments"));
    told.sort();
    let expected = [
        "CONTENT_LENGTH=3",
        "CONTENT_TYPE=text/plain",
        "HTTP_ACCEPT=text/html",
        "HTTP_ACCEPT_LANGUAGE=de",
        "HTTP_PURPOSE=p",
        "HTTP_SEC_FETCH_DEST=document",
        "HTTP_SEC_FETCH_MODE=navigate",
        "HTTP_SEC_FETCH_SITE=none",
        "HTTP_SEC_PURPOSE=r",
        "HTTP_USER_AGENT=u",
        "HTTP_X_FORWARDED_FOR=192.0.2.8",
        "HTTP_X_MAGIC_KEY=m",
        "HTTP_X_MOZ=prefetch",
        "HTTP_X_PURPOSE=q",
        "HTTP_X_REAL_IP=192.0.2.7",
        "HTTP_X_TASK_KEY=t",
        "PATH_INFO=/a/b[newline]c",
        "QUERY_STRING=d=e",
        "REMOTE_ADDR=127.0.0.1",
        "REQUEST_METHOD=POST",
        "arguments 0 in /, 3 bytes of body",
    ];
    (told, expected.map(str::to_owned).to_vec())
}

/// The expectation of a row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Want {
    /// The start page, 200.
    Doorstep,
    /// The start page, 404.
    Refusal,
    /// The task, run once.
    Run,
    /// 200 with headers alone; nothing runs.
    Headers,
    /// The status; nothing runs.
    Status,
    /// The page with the button; nothing runs.
    Asked,
    /// The run that began since the form was made; nothing runs.
    Again,
    /// The server's own answer, which it does not let us replace.
    Own(u16),
    /// A TRACE that the server answers by itself, which a .htaccess cannot forbid.
    Echo,
}
use Want::*;

/// The requests, and what comes of them through Apache by port and by virtual host, through nginx with
/// fcgiwrap, and through PHP behind nginx and behind Apache.
fn table() -> Vec<(&'static str, Vec<u8>, [Want; 5])> {
    let key = format!("/{MAGIC}/{TASK}");
    let simple = |method: &str, path: &str| -> Vec<u8> {
        format!("{method} {path} HTTP/1.1\r\nHost: nas\r\nConnection: close\r\n\r\n").into_bytes()
    };
    let with = |method: &str, path: &str, headers: &str, body: &str| -> Vec<u8> {
        format!("{method} {path} HTTP/1.1\r\nHost: nas\r\nConnection: close\r\n{headers}\r\n{body}").into_bytes()
    };
    let form = "x".repeat(70 << 10);
    let length = format!("Content-Length: {}\r\n", form.len());
    let chunks = format!("11170\r\n{}\r\n0\r\n\r\n", "x".repeat(0x11170));
    let larger_chunks = format!("16e360\r\n{}\r\n0\r\n\r\n", "x".repeat(0x16e360));
    let form_headers = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n".to_owned();
    let all = |want| [want; 5];
    vec![
        ("the doorstep", simple("GET", "/"), all(Doorstep)),
        ("the button", with("POST", &format!("{key}?ask"), &form_headers, "after=0"), all(Run)),
        ("the key", simple("GET", &key), all(Run)),
        ("a slash at the end", simple("GET", &format!("{key}/")), all(Run)),
        ("a POST", with("POST", &key, "Content-Length: 0\r\n", ""), all(Run)),
        ("a POST with 70 kB", with("POST", &key, &length, &form), all(Run)),
        // Apache hands the chunks' content on without a length: its end could be a break. PHP gets a short one whole.
        (
            "a POST in chunks",
            with("POST", &key, "Transfer-Encoding: chunked\r\n", &chunks),
            [Refusal, Refusal, Run, Run, Refusal],
        ),
        (
            "a short POST in chunks",
            with("POST", &key, "Transfer-Encoding: chunked\r\n", "3\r\nxyz\r\n0\r\n\r\n"),
            [Refusal, Refusal, Run, Run, Run],
        ),
        ("a body of 1.5 MB", with("POST", &key, "Content-Length: 1500000\r\n", &"x".repeat(1_500_000)), all(Refusal)),
        (
            "a body of 1.5 MB in chunks",
            with("POST", &key, "Transfer-Encoding: chunked\r\n", &larger_chunks),
            all(Refusal),
        ),
        (
            "a negative length",
            with("POST", &key, "Content-Length: -1\r\n", ""),
            [Own(400), Own(400), Refusal, Own(400), Own(400)],
        ),
        ("a link previewer", with("GET", &key, "User-Agent: WhatsApp/2.23.20.0 A\r\n", ""), all(Asked)),
        (
            "a picture on another page",
            with("GET", &key, "Sec-Fetch-Dest: image\r\nSec-Fetch-Mode: no-cors\r\n", ""),
            all(Asked),
        ),
        ("the page with the button", simple("GET", &format!("{key}?ask=")), all(Asked)),
        ("the same button again", with("POST", &format!("{key}?ask"), &form_headers, "after=0"), all(Again)),
        ("keys in headers", with("GET", "/", &format!("X-Magic-Key: {MAGIC}\r\nX-Task-Key: {TASK}\r\n"), ""), all(Run)),
        ("one header", with("GET", "/", &format!("X-Magic-Key: {MAGIC}\r\n"), ""), all(Refusal)),
        ("both ways", with("GET", &key, &format!("X-Magic-Key: {MAGIC}\r\nX-Task-Key: {TASK}\r\n"), ""), all(Refusal)),
        ("a HEAD", simple("HEAD", &key), all(Headers)),
        ("the status", simple("GET", &format!("{key}?status")), all(Status)),
        ("the status as clients rewrite it", simple("GET", &format!("{key}?utm=x&Status=1")), all(Status)),
        ("a query that becomes an argument", simple("GET", &format!("{key}?--version")), all(Run)),
        ("a query of words", simple("GET", &format!("{key}?a+b+c")), all(Run)),
        ("a query at the doorstep", simple("GET", "/?--help"), all(Doorstep)),
        ("httpoxy", with("GET", &key, "Proxy: http://evil/\r\n", ""), all(Run)),
        ("a whole address", simple("GET", &format!("http://nas{key}")), all(Run)),
        ("a wrong magic key", simple("GET", &format!("/wrong-magic-key/{TASK}")), all(Refusal)),
        ("a wrong identifier", simple("GET", &format!("/{MAGIC}/wrong-task-key")), all(Refusal)),
        ("one segment", simple("GET", &format!("/{MAGIC}")), all(Refusal)),
        ("three segments", simple("GET", &format!("{key}/x")), all(Refusal)),
        ("an unknown method", simple("FOO", &key), all(Refusal)),
        ("OPTIONS", simple("OPTIONS", &key), all(Refusal)),
        ("TRACE", simple("TRACE", &key), [Refusal, Echo, Refusal, Own(405), Echo]),
        ("PUT", with("PUT", &key, "Content-Length: 1\r\n", "x"), all(Refusal)),
        ("a newline", simple("GET", &format!("{key}%0a")), all(Refusal)),
        ("bytes that are no text", simple("GET", &format!("/{MAGIC}/%ff%fe")), all(Refusal)),
        ("an escaped NUL", simple("GET", "/a%00b/c"), [Refusal, Own(404), Refusal, Own(400), Own(404)]),
        ("a broken escape", simple("GET", "/a%zz/c"), [Refusal, Own(400), Refusal, Own(400), Own(400)]),
        ("an escaped percent sign", simple("GET", "/a%25b/c"), [Refusal, Own(400), Refusal, Refusal, Refusal]),
        ("an escaped question mark", simple("GET", "/a%3Fb/c"), all(Refusal)),
        ("an escaped slash", simple("GET", &format!("/{MAGIC}%2F{TASK}")), [Refusal, Own(404), Run, Run, Own(404)]),
        ("slashes twice", simple("GET", &format!("//{MAGIC}//{TASK}")), [Run, Run, Run, Refusal, Refusal]),
        ("a way up", simple("GET", &format!("/x/..{key}")), [Run, Run, Run, Refusal, Refusal]),
        ("a way out", simple("GET", "/../../etc/passwd"), [Refusal, Own(400), Refusal, Own(400), Own(400)]),
        ("the program's name", simple("GET", "/remotetask-cgi"), all(Refusal)),
        ("the link's name", simple("GET", "/remotetask.cgi"), all(Refusal)),
        ("the link and keys", simple("GET", &format!("/remotetask.cgi{key}")), all(Refusal)),
        ("the configuration", simple("GET", "/config.json"), all(Refusal)),
        (".htaccess", simple("GET", "/.htaccess"), all(Refusal)),
        (
            "a first segment of 300",
            simple("GET", &format!("/{}/b", "a".repeat(300))),
            [Refusal, Own(403), Refusal, Refusal, Own(403)],
        ),
        ("a second segment of 300", simple("GET", &format!("/{MAGIC}/{}", "a".repeat(300))), all(Refusal)),
        (
            "a path of 5,000",
            simple("GET", &format!("/{MAGIC}/{}", "a".repeat(5000))),
            [Refusal, Own(403), Refusal, Refusal, Own(403)],
        ),
        (
            "a path of 9,000",
            simple("GET", &format!("/{}/b", "a".repeat(9000))),
            [Own(414), Own(414), Refusal, Own(414), Own(414)],
        ),
        (
            "no host",
            b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec(),
            [Refusal, Own(400), Refusal, Own(400), Own(400)],
        ),
        ("no HTTP", b"nonsense\r\n\r\n".to_vec(), [Own(400), Own(400), Refusal, Own(400), Own(400)]),
        ("an expectation", with("GET", &key, "Expect: nonsense\r\n", ""), [Refusal, Own(417), Run, Run, Own(417)]),
        (
            "a body too large",
            with("POST", &key, "Content-Length: 2147483648\r\n", ""),
            [Refusal, Own(413), Refusal, Refusal, Own(408)],
        ),
        (
            "a body too large, keys in headers",
            with(
                "POST",
                "/",
                &format!("X-Magic-Key: {MAGIC}\r\nX-Task-Key: {TASK}\r\nContent-Length: 2147483648\r\n"),
                "",
            ),
            [Refusal, Own(413), Refusal, Refusal, Own(408)],
        ),
        (
            "a length that is none",
            with("POST", &key, "Content-Length: x\r\n", ""),
            [Own(400), Own(400), Refusal, Own(400), Own(400)],
        ),
        (
            "a header of 9,000",
            with("GET", &key, &format!("X: {}\r\n", "a".repeat(9000)), ""),
            [Own(400), Own(400), Refusal, Own(400), Own(400)],
        ),
        ("HTTP/1.0", format!("GET {key} HTTP/1.0\r\n\r\n").into_bytes(), all(Run)),
    ]
}

pub fn through(server: &Server, nas: &Nas, column: usize) {
    let refusal = server.get("/wrong-magic-key/wrong-task-key");
    assert_eq!((refusal.status, &*refusal.body), (404, START_PAGE));
    for header in ["Cache-Control: no-store", "Referrer-Policy: no-referrer", "X-Content-Type-Options: nosniff"] {
        assert!(refusal.headers.iter().any(|found| found == header), "{refusal:?}");
    }
    let mut wrong = Vec::new();
    let mut runs = 0;
    for (name, request, wants) in table() {
        let answer = server.raw(&request);
        let is = match wants[column] {
            Doorstep => answer.status == 200 && answer.body == START_PAGE,
            Refusal => answer.status == 404 && answer.body == START_PAGE && answer.promised() == refusal.promised(),
            Run => answer.status == 200 && like(&answer.body, "Task finished: t (* s)\n"),
            Headers => answer.status == 200 && answer.body.is_empty(),
            Status => answer.status == 200 && like(&answer.body, "Task: t (finished, started on *)\n"),
            Again => answer.status == 200 && like(&answer.body, "Not started again: t (*)\n"),
            Asked => {
                answer.status == 200
                    && answer.body.contains("<h1><bdi>t</bdi></h1>")
                    && answer.body.contains("<button>Start</button>")
            }
            Echo => answer.status == 200 && answer.body.contains("TRACE /"),
            Own(status) => answer.status == status && answer.body != START_PAGE,
        };
        runs += usize::from(wants[column] == Run);
        let effects = nas.effect("effect").lines().count();
        if !is || effects != runs {
            let body: String = answer.body.chars().take(120).collect();
            wrong.push(format!(
                "{name}: {} {body:?}, {effects} runs for {runs}, not {:?}",
                answer.status, wants[column]
            ));
            runs = effects;
        }
    }
    assert!(wrong.is_empty(), "\n{}\n{}", wrong.join("\n"), nas.log());
    // In a document root Apache logs what it refuses before it reads a .htaccess: in the access log the
    // rows of `Own` and `Echo`, in the error log a path that is too long.
    for log in walk(RUN) {
        let marks: &[&str] = match &*log.replace(RUN, "") {
            "/access_log" => &["TRACE ", "%2F", " 417", " 413", " 400", "aaaa"],
            "/error_log" => &["aaaa"],
            _ => &[],
        };
        let in_document_root = matches!(column, 1 | 4);
        let by_itself = |line: &&[u8]| in_document_root && marks.iter().any(|mark| contains(line, mark.as_bytes()));
        let content = fs::read(&log).unwrap_or_default();
        let rest: Vec<&[u8]> = content.split(|&b| b == b'\n').filter(|line| !by_itself(line)).collect();
        assert_no_key(&rest.concat(), &log);
    }
}

fn contains(line: &[u8], mark: &[u8]) -> bool {
    line.windows(mark.len()).any(|window| window == mark)
}

pub fn nas() -> Nas {
    Nas::with_command("echo started >>$T/effect")
}

#[test]
fn apache_with_cgid_by_port() {
    let nas = nas();
    through(&by_port("cgid"), &nas, 0);
}

#[test]
fn apache_with_cgi_by_port() {
    let nas = nas();
    through(&by_port("cgi"), &nas, 0);
}

#[test]
fn apache_with_cgid_by_htaccess() {
    let nas = nas();
    through(&by_vhost("cgid"), &nas, 1);
}

#[test]
fn apache_with_cgi_by_htaccess() {
    let nas = nas();
    through(&by_vhost("cgi"), &nas, 1);
}

#[test]
fn nginx_with_fcgiwrap() {
    let nas = nas();
    through(&by_fcgiwrap(""), &nas, 2);
}

fn post(headers: &str, body: &str) -> String {
    format!("POST /{MAGIC}/{TASK} HTTP/1.1\r\nHost: nas\r\nConnection: close\r\n{headers}\r\n{body}")
}

/// Bodies that break off start nothing: one good chunk, then one whose size is none; a caller who goes away.
pub fn bodies_that_break(server: &Server, nas: &Nas) {
    for _ in 0..20 {
        server.raw(post("Transfer-Encoding: chunked\r\n", "3\r\nxyz\r\nnonsense\r\n"));
        server.cut_off(&post("Transfer-Encoding: chunked\r\n", "3\r\nxyz\r\n"));
        server.cut_off(&post("Content-Length: 10\r\n", "xyz"));
    }
    server.get("/a/b");
    assert_eq!(nas.effect("effect"), "");
    // A start would have its line.
    assert!(!nas.log().contains(" INFO "), "{}", nas.log());
}

/// The rest of a body comes when nobody waits for it any more: an answer all the same.
fn bodies_that_are_slow(server: &Server, nas: &Nas) {
    let body = "x".repeat(1_000_000);
    for (length, rest) in [(10, 7), (900_000, 500_000), (1_000_000, 10)] {
        let begin = post(&format!("Content-Length: {length}\r\n"), &body[..length - rest]);
        let answer = server.slowly(begin, Duration::from_secs(4), &body[..rest]);
        assert_eq!((answer.status, &*answer.body), (404, START_PAGE), "{length}");
        assert!(nas.log().ends_with("did not come within 3 s\n"), "{}", nas.log());
    }
    assert_eq!(nas.effect("effect"), "");
}

#[test]
fn bodies_that_break_behind_apache() {
    let nas = nas();
    for module in ["cgid", "cgi"] {
        bodies_that_break(&by_port(module), &nas);
        bodies_that_break(&by_vhost(module), &nas);
    }
}

#[test]
fn bodies_that_are_slow_behind_apache() {
    let nas = nas();
    bodies_that_are_slow(&by_port("cgid"), &nas);
    bodies_that_are_slow(&by_vhost("cgi"), &nas);
}

#[test]
fn bodies_that_break_behind_nginx() {
    let nas = nas();
    bodies_that_break(&by_fcgiwrap(""), &nas);
}

/// Keys of past requests stand in the memory of processes of `http`; `check` looks whose it is to read.
#[test]
fn whose_memory_is_read() {
    let nas = nas();
    let found = || {
        let said = crate::workbench::said(Command::new(at("remotetask")).args(["check", "--json"]), "");
        let found: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        let codes = found["findings"].as_array().expect("a list").iter().filter_map(|found| found["code"].as_str());
        codes.filter(|code| code.starts_with("web-memory")).map(str::to_owned).collect::<Vec<_>>()
    };
    for unreadable in [false, true] {
        mode("/usr/sbin/fcgiwrap", if unreadable { 0o711 } else { 0o755 });
        let server = by_fcgiwrap("");
        assert!(like(&server.get(&format!("/{MAGIC}/{TASK}")).body, "Task finished: t (* s)\n"));
        // nginx's can be read as well, but nobody is there who would.
        assert_eq!(found(), if unreadable { vec![] } else { vec!["web-memory-fcgiwrap"] });
        let mut other = nas.as_http("read -r word", &[]);
        assert!(found().contains(&"web-memory".to_owned()));
        other.kill().and_then(|()| other.wait()).expect("its end");
        // As the kernel sees it.
        for (name, open) in [("nginx", true), ("fcgiwrap", !unreadable)] {
            for pid in of_http(name) {
                let read = nas.http("exec 3<\"$1\"", &[&format!("/proc/{pid}/mem")]).code == Some(0);
                assert_eq!(read, open, "{name}");
            }
            assert!(!of_http(name).is_empty(), "{name}");
        }
    }
}

/// The processes of this name that are `http`'s.
fn of_http(name: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let is = |entry: &fs::DirEntry| {
        let of = |file: &str| fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        of("comm").trim() == name && of("status").contains(&format!("Uid:\t{HTTP}"))
    };
    entries.filter(is).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// A server that waits for less than the task's `wait` gives the request up: the start has its line.
#[test]
fn what_apache_gives_up_has_its_line() {
    for module in ["cgid", "cgi"] {
        let nas = Nas::with_task("echo started >>$T/effect; exec sleep 8", ", \"wait\": 6");
        let server = apache_with(module, "Timeout 1\n");
        assert_eq!(server.get(&format!("/{MAGIC}/{TASK}")).status, 504, "{module}");
        until("its line", || nas.log().ends_with('\n').then_some(()));
        let expected = "* ERROR unknown task=\"t\" who=#1 * reference=* why=*gave the request up*\n";
        assert!(like(&nas.log(), expected), "{module}: {}", nas.log());
        assert_eq!(nas.effect("effect"), "started\n");
    }
}

#[test]
fn nginx_hands_on_these_variables_and_no_others() {
    let _nas = nas();
    teller();
    let (mut told, expected) = with_everything(&by_fcgiwrap(""));
    // fcgiwrap's own, and what it needs.
    told.retain(|line| !["FCGI_ROLE=", "PATH=", "SCRIPT_FILENAME="].iter().any(|own| line.starts_with(own)));
    let expected: Vec<String> =
        expected.into_iter().map(|line| line.replace(" in /,", &format!(" in {FOLDER},"))).collect();
    told.retain(|line| line != "REDIRECT_STATUS=000");
    assert_eq!(told, expected);
}

/// A request that nginx refuses only when it has read a part of it looks like any other refusal, and starts nothing.
pub fn too_large(server: &Server) {
    let chunks = format!("200000\r\n{}\r\n0\r\n\r\n", "x".repeat(2 << 20));
    for (headers, body) in [("Content-Length: 2147483648\r\n", ""), ("Transfer-Encoding: chunked\r\n", &chunks)] {
        let answer = server.request("POST", &format!("/{MAGIC}/{TASK}"), headers, body);
        assert_eq!((answer.status, &*answer.body), (404, START_PAGE));
    }
}

#[test]
fn nginx_of_web_stations_with_fcgiwrap() {
    let nas = nas();
    let mut server = by_fcgiwrap(&format!("{WEB_STATION}location ~* \\.php$ {{ return 403; }}\n"));
    let key = format!("/{MAGIC}/{TASK}");
    assert!(like(&server.get(&key).body, "Task finished: t (* s)\n"));
    for path in ["/a/b", "/index.php"] {
        let answer = server.get(path);
        assert_eq!((answer.status, &*answer.body), (404, START_PAGE), "{path}");
    }
    too_large(&server);
    // Without fcgiwrap nginx says so, and logs nothing of it.
    server.end_last();
    assert_eq!(server.get(&key).status, 502);
    for log in walk(RUN) {
        assert_no_key(&fs::read(&log).unwrap_or_default(), &log);
    }
    assert_eq!(nas.effect("effect"), "started\n");
}
