//! The table of requests through real web servers, by the files that get installed.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use remotetask::response::START_PAGE;

use super::*;

const MODULES: &str = "/usr/lib/apache2/modules";
const WEB: &str = "/volume1/web/remotetask";
const RUN: &str = "/run/webserver";

fn fresh_folder() {
    let _ = fs::remove_dir_all(RUN);
    fs::create_dir(RUN).expect("a folder");
    mode(RUN, 0o755);
}

/// Apache with `mod_cgid` or `mod_cgi`, in DSM's way: user `http`, and one more file that it includes.
fn apache(module: &str, rest: &str) -> Server {
    fresh_folder();
    let mpm = if module == "cgid" { "event" } else { "prefork" };
    let modules: Vec<String> =
        ["authz_core", "alias", "env", "mime", "rewrite", "setenvif", module, &format!("mpm_{mpm}")]
            .iter()
            .map(|name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n"))
            .collect();
    let socket = if module == "cgid" { format!("ScriptSock {RUN}/cgid.sock\n") } else { String::new() };
    let conf = format!(
        "ServerRoot {RUN}\nServerName nas\nPidFile {RUN}/httpd.pid\nDefaultRuntimeDir {RUN}\nMutex \"file:{RUN}\" default\n\
         ErrorLog {RUN}/error_log\n{}{socket}User http\nGroup http\nTypesConfig /dev/null\n\
         LogFormat \"%h %r %>s\" all\nCustomLog {RUN}/access_log all env=!dontlog\n{rest}",
        modules.concat()
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
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/webstation/remotetask.conf");
    fs::copy(shipped, "/etc/remotetask.conf").expect("the drop-in");
    apache(module, "Include /etc/remotetask.conf\n")
}

/// By `.htaccess`: a document root as Web Station makes one.
fn by_vhost(module: &str) -> Server {
    let _ = fs::remove_dir_all(WEB);
    fs::create_dir_all(WEB).expect("a document root");
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/webstation/.htaccess");
    fs::copy(shipped, format!("{WEB}/.htaccess")).expect(".htaccess");
    symlink(at("remotetask-cgi"), format!("{WEB}/remotetask.cgi")).expect("a link");
    apache(
        module,
        &format!(
            "Listen 127.0.0.1:10765\n<VirtualHost 127.0.0.1:10765>\nDocumentRoot {WEB}\n<Directory /volume1/web>\n\
             AllowOverride All\nRequire all granted\n</Directory>\n</VirtualHost>\n"
        ),
    )
}

fn nginx() -> Server {
    fresh_folder();
    let conf = format!(
        "user http http; pid {RUN}/nginx.pid; error_log {RUN}/error_log crit; daemon off; worker_processes 1;\n\
         events {{ }}\nhttp {{ access_log off; client_body_temp_path {RUN}/body; proxy_temp_path {RUN}/p; \
         fastcgi_temp_path {RUN}/f; uwsgi_temp_path {RUN}/u; scgi_temp_path {RUN}/s;\n\
         server {{ listen 127.0.0.1:10766; location / {{ fastcgi_pass unix:{RUN}/fcgi.sock;\n\
         fastcgi_param SCRIPT_FILENAME {FOLDER}/remotetask-cgi; fastcgi_param PATH_INFO $uri;\n\
         fastcgi_param REQUEST_METHOD $request_method; fastcgi_param QUERY_STRING $query_string;\n\
         fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param REMOTE_ADDR $remote_addr; }} }} }}\n"
    );
    fs::write(format!("{RUN}/nginx.conf"), conf).expect("nginx.conf");
    chown(RUN, Some(HTTP), Some(HTTP)).expect("chown");
    let mut wrap = Command::new("/usr/sbin/fcgiwrap");
    wrap.args(["-s", &format!("unix:{RUN}/fcgi.sock")]).env_clear().env("PATH", "/usr/bin:/bin").uid(HTTP).gid(HTTP);
    let wrap = wrap.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("fcgiwrap");
    until("fcgiwrap", || fs::metadata(format!("{RUN}/fcgi.sock")).ok());
    let mut nginx = Command::new("/usr/sbin/nginx");
    nginx
        .args(["-c", &format!("{RUN}/nginx.conf"), "-e", &format!("{RUN}/error_log")])
        .env_clear()
        .env("PATH", "/usr/bin:/bin");
    let nginx = nginx.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("nginx");
    Server::new(vec![nginx, wrap], 10766)
}

/// What a row of the table expects.
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
    /// The server's own answer, which it does not let us replace.
    Own(u16),
    /// A TRACE that the server answers by itself, which a .htaccess cannot forbid.
    Echo,
}
use Want::*;

/// The requests, and what comes of them through Apache by port, by virtual host, and through nginx.
fn table() -> Vec<(&'static str, Vec<u8>, [Want; 3])> {
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
    let all = |want| [want; 3];
    vec![
        ("the doorstep", simple("GET", "/"), all(Doorstep)),
        ("the key", simple("GET", &key), all(Run)),
        ("a slash at the end", simple("GET", &format!("{key}/")), all(Run)),
        ("a POST", with("POST", &key, "Content-Length: 0\r\n", ""), all(Run)),
        ("a POST with 70 kB", with("POST", &key, &length, &form), all(Run)),
        ("a POST in chunks", with("POST", &key, "Transfer-Encoding: chunked\r\n", &chunks), all(Run)),
        ("keys in headers", with("GET", "/", &format!("X-Magic-Key: {MAGIC}\r\nX-Task-Key: {TASK}\r\n"), ""), all(Run)),
        ("one header", with("GET", "/", &format!("X-Magic-Key: {MAGIC}\r\n"), ""), all(Refusal)),
        ("both ways", with("GET", &key, &format!("X-Magic-Key: {MAGIC}\r\nX-Task-Key: {TASK}\r\n"), ""), all(Refusal)),
        ("a HEAD", simple("HEAD", &key), all(Headers)),
        ("the status", simple("GET", &format!("{key}?status")), all(Status)),
        ("a query that becomes an argument", simple("GET", &format!("{key}?--version")), all(Run)),
        ("a query of words", simple("GET", &format!("{key}?a+b+c")), all(Run)),
        ("a query at the doorstep", simple("GET", "/?--help"), all(Doorstep)),
        ("httpoxy", with("GET", &key, "Proxy: http://evil/\r\n", ""), all(Run)),
        ("a wrong magic key", simple("GET", &format!("/wrong-magic-key/{TASK}")), all(Refusal)),
        ("a wrong identifier", simple("GET", &format!("/{MAGIC}/wrong-task-key")), all(Refusal)),
        ("one segment", simple("GET", &format!("/{MAGIC}")), all(Refusal)),
        ("three segments", simple("GET", &format!("{key}/x")), all(Refusal)),
        ("an unknown method", simple("FOO", &key), all(Refusal)),
        ("OPTIONS", simple("OPTIONS", &key), all(Refusal)),
        ("TRACE", simple("TRACE", &key), [Refusal, Echo, Own(405)]),
        ("PUT", with("PUT", &key, "Content-Length: 1\r\n", "x"), all(Refusal)),
        ("a newline", simple("GET", &format!("{key}%0a")), all(Refusal)),
        ("bytes that are no text", simple("GET", &format!("/{MAGIC}/%ff%fe")), all(Refusal)),
        ("an escaped NUL", simple("GET", "/a%00b/c"), [Refusal, Own(404), Own(400)]),
        ("a broken escape", simple("GET", "/a%zz/c"), [Refusal, Own(400), Own(400)]),
        ("an escaped percent sign", simple("GET", "/a%25b/c"), [Refusal, Own(400), Refusal]),
        ("an escaped question mark", simple("GET", "/a%3Fb/c"), all(Refusal)),
        ("an escaped slash", simple("GET", &format!("/{MAGIC}%2F{TASK}")), [Refusal, Own(404), Run]),
        ("slashes twice", simple("GET", &format!("//{MAGIC}//{TASK}")), all(Run)),
        ("a way up", simple("GET", &format!("/x/..{key}")), all(Run)),
        ("a way out", simple("GET", "/../../etc/passwd"), [Refusal, Own(400), Own(400)]),
        ("the program's name", simple("GET", "/remotetask-cgi"), all(Refusal)),
        ("the link's name", simple("GET", "/remotetask.cgi"), all(Refusal)),
        ("the link and keys", simple("GET", &format!("/remotetask.cgi{key}")), all(Refusal)),
        ("the configuration", simple("GET", "/config.json"), all(Refusal)),
        (".htaccess", simple("GET", "/.htaccess"), all(Refusal)),
        ("a first segment of 300", simple("GET", &format!("/{}/b", "a".repeat(300))), [Refusal, Own(403), Refusal]),
        ("a second segment of 300", simple("GET", &format!("/{MAGIC}/{}", "a".repeat(300))), all(Refusal)),
        ("a path of 5,000", simple("GET", &format!("/{MAGIC}/{}", "a".repeat(5000))), [Refusal, Own(403), Refusal]),
        ("a path of 9,000", simple("GET", &format!("/{}/b", "a".repeat(9000))), all(Own(414))),
        ("no host", b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec(), [Refusal, Own(400), Own(400)]),
        ("no HTTP", b"nonsense\r\n\r\n".to_vec(), all(Own(400))),
        ("an expectation", with("GET", &key, "Expect: nonsense\r\n", ""), [Refusal, Own(417), Run]),
        ("a body too large", with("POST", &key, "Content-Length: 2147483648\r\n", ""), [Refusal, Own(413), Own(413)]),
        ("a length that is none", with("POST", &key, "Content-Length: x\r\n", ""), all(Own(400))),
        ("a header of 9,000", with("GET", &key, &format!("X: {}\r\n", "a".repeat(9000)), ""), all(Own(400))),
        ("HTTP/1.0", format!("GET {key} HTTP/1.0\r\n\r\n").into_bytes(), all(Run)),
    ]
}

fn through(server: &Server, nas: &Nas, column: usize) {
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
    for (name, marks) in
        [("access_log", &["TRACE ", "%2F", " 417", " 413", " 400", "aaaa"][..]), ("error_log", &["aaaa"])]
    {
        let log = fs::read_to_string(format!("{RUN}/{name}")).unwrap_or_default();
        let by_itself = |line: &&str| column == 1 && marks.iter().any(|mark| line.contains(mark));
        let rest: String = log.lines().filter(|line| !by_itself(line)).collect();
        assert_no_key(rest.as_bytes(), name);
    }
}

fn nas() -> Nas {
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
    through(&nginx(), &nas, 2);
}
