//! `check` and the web server: its files, and live requests through the real one. Each finding is provoked
//! by one thing that is wrong.

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;

use serde_json::Value;

use super::*;
use crate::workbench::{said, Said};

const PACKAGE: &str = "/var/packages/Apache2.4/target/usr/local/etc/apache24/conf";
const DROP_IN: &str = "/usr/local/etc/apache24/sites-enabled/remotetask.conf";
const WEB: &str = "/volume1/web/remotetask";
const OURS: &str = "http://127.0.0.1:10765";

/// An installation in which nothing is to be found, with a port of its own.
fn healthy() -> Nas {
    let nas = Nas::new();
    nas.sealed_config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"));
    let _ = fs::remove_file("/usr/local/bin/remotetask");
    symlink(at("remotetask"), "/usr/local/bin/remotetask").expect("a link");
    let _ = fs::remove_dir_all("/etc/nginx/proxy");
    let cgid = format!("{PACKAGE}/modules.d/cgid.conf");
    fs::write(cgid, "LoadModule cgid_module modules/mod_cgid.so\nScriptSock /run/httpd/cgid.sock\n").expect("a module");
    for own in ["/var/packages/Apache2.4/target/usr/local/etc/apache24/conf/modules.d/more.conf", "/run/away"] {
        let _ = fs::remove_file(own);
    }
    nas
}

/// The same by a document root of Web Station's.
fn by_root() -> Nas {
    let nas = healthy();
    fs::remove_file(DROP_IN).expect("removed");
    fs::create_dir_all(WEB).expect("a document root");
    mode(WEB, 0o755);
    fs::write(format!("{WEB}/.htaccess"), include_str!("../../../webstation/.htaccess")).expect(".htaccess");
    symlink(at("remotetask-cgi"), format!("{WEB}/remotetask.cgi")).expect("a link");
    let host = "Listen 127.0.0.1:10765\n<VirtualHost 127.0.0.1:10765>\nDocumentRoot \"/volume1/web/remotetask\"\n\
        <Directory /volume1/web>\nAllowOverride All\nRequire all granted\n</Directory>\n</VirtualHost>\n";
    more(host);
    nas
}

/// More of Apache's own files.
fn more(text: &str) {
    fs::write(format!("{PACKAGE}/modules.d/more.conf"), text).expect("more");
}

fn edit(path: &str, old: &str, new: &str) {
    let text = fs::read_to_string(path).expect(path);
    assert!(text.contains(old), "{path}: {old}");
    fs::write(path, text.replacen(old, new, 1)).expect(path);
}

fn look(arguments: &[&str]) -> Said {
    said(Command::new(at("remotetask")).args(["check", "--json"]).args(arguments), "")
}

/// Codes and sentences of what was found.
fn findings(said: &Said) -> Vec<(String, String)> {
    let all: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    assert_eq!(said.code, Some(if all["works"] == true { 0 } else { 1 }), "{said:?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|found| (text(&found["code"]), text(&found["says"])))
        .collect()
}

#[track_caller]
fn only(said: &Said, code: &str, expected: &str) {
    match &findings(said)[..] {
        [(found, says)] => assert!(found == code && like(says, expected), "{code}: {found}: {says}"),
        other => panic!("{code}: {other:?}"),
    }
}

/// Apache as the package starts it.
fn apache() -> Server {
    let mut command = Command::new("/usr/local/bin/httpd24");
    command.arg("-DFOREGROUND").env_clear().env("PATH", "/usr/bin:/bin").process_group(0);
    Server::new(vec![command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("httpd24")], 10765)
}

/// A web server of nginx's that does this with each request.
fn nginx(server: &str) -> Server {
    let folder = "/run/proxy";
    let _ = fs::remove_dir_all(folder);
    fs::create_dir(folder).expect("a folder");
    mode(folder, 0o755);
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .concat();
    let conf = format!(
        "user http http; pid {folder}/nginx.pid; error_log {folder}/error_log crit; daemon off; worker_processes 1;\n\
         events {{ }}\nhttp {{ access_log off;\n{temporary}server {{ listen 127.0.0.1:10766;\n{server}\n}} }}\n"
    );
    fs::write(format!("{folder}/nginx.conf"), conf).expect("nginx.conf");
    let mut command = Command::new("/usr/sbin/nginx");
    command.args(["-c", &format!("{folder}/nginx.conf"), "-e", &format!("{folder}/error_log")]);
    let child = command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).spawn().expect("nginx");
    Server::new(vec![child], 10766)
}

const PROXIED: &str = "http://127.0.0.1:10766";
const PASS: &str = "proxy_pass http://127.0.0.1:10765; proxy_set_header X-Real-IP 192.168.1.7;";

#[test]
fn a_healthy_web_server_gives_nothing_to_find() {
    let nas = healthy();
    assert_eq!(findings(&look(&[])), []);
    let web = apache();
    let proxy = nginx(&format!("location / {{ {PASS} }}"));
    assert_eq!(findings(&look(&["--url", PROXIED])), []);
    drop((proxy, web, nas));
    let nas = by_root();
    assert_eq!(findings(&look(&[])), []);
    let web = apache();
    let proxy = nginx(&format!("location / {{ {PASS} }}"));
    assert_eq!(findings(&look(&["--url", PROXIED])), []);
    drop((proxy, web));
    assert_eq!(nas.log().matches("why=5b 5c wrong magic key and identifier").count(), 6, "{}", nas.log());
}

/// Ways of which nothing more can be seen from here.
#[test]
fn by_php_or_fcgiwrap() {
    for (file, text) in [
        ("/volume1/web/remotetask/index.php", include_str!("../../../webstation/php/index.php")),
        ("/usr/local/etc/nginx/conf.d/remotetask/user.conf", include_str!("../../../webstation/nginx-fcgiwrap.conf")),
    ] {
        let _nas = healthy();
        fs::remove_file(DROP_IN).expect("removed");
        fs::create_dir_all(Path::new(file).parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("written");
        let found = findings(&look(&[]));
        fs::remove_file(file).expect("removed");
        assert_eq!(found, [], "{file}");
    }
}

/// What is wrong with files: how it comes about, from which installation, and what is said.
type Row = (&'static str, fn() -> Nas, fn(&Nas), &'static str);

const FILES: &[Row] = &[
    (
        "web-no-way-in",
        healthy,
        |_| fs::remove_file(DROP_IN).expect("removed"),
        "No web server leads here: there is no /usr/local/etc/apache24/sites-enabled/remotetask.conf, no document root with remotetask.cgi or index.php, and no file of nginx's that names remotetask-cgi.",
    ),
    (
        "web-no-apache",
        healthy,
        |_| fs::rename("/usr/local/bin/httpd24", "/usr/local/bin/away").expect("away"),
        "/usr/local/etc/apache24/sites-enabled/remotetask.conf is for Apache 2.4, and this machine has none.",
    ),
    ("web-broken", healthy, |_| more("Nonsense on\n"), "Apache finds a fault in its own files: *Invalid command 'Nonsense'*."),
    (
        "web-cgi-not-loaded",
        healthy,
        |_| fs::write(format!("{PACKAGE}/modules.d/cgid.conf"), "").expect("no module"),
        "Apache does not load its module for programs (mod_cgid), though the module is there.",
    ),
    (
        "web-no-cgi",
        healthy,
        |_| {
            fs::write(format!("{PACKAGE}/modules.d/cgid.conf"), "").expect("no module");
            fs::rename("/usr/lib/apache2/modules/mod_cgid.so", "/usr/lib/apache2/modules/away").expect("away");
        },
        "This Apache cannot run programs: it has neither mod_cgid nor mod_cgi.",
    ),
    (
        "web-dropin-not-read",
        healthy,
        |_| edit(&format!("{PACKAGE}/httpd24.conf"), "IncludeOptional /usr/local/etc", "#IncludeOptional /usr/local/etc"),
        "Apache does not read /usr/local/etc/apache24/sites-enabled/remotetask.conf.",
    ),
    (
        "web-changed",
        healthy,
        |_| edit(DROP_IN, "    LogLevel emerg\n", ""),
        "/usr/local/etc/apache24/sites-enabled/remotetask.conf lacks a line that was installed: LogLevel emerg.",
    ),
    (
        "web-other-port",
        healthy,
        |nas| nas.raw_config(&fs::read_to_string(at("config.json")).expect("config").replacen("\"server\": {", "\"server\": {\"port\": 8080, ", 1)),
        "Apache is told to listen on 127.0.0.1:10765, config.json says 127.0.0.1:8080.",
    ),
    (
        "web-link-elsewhere",
        by_root,
        |_| {
            fs::remove_file(format!("{WEB}/remotetask.cgi")).expect("removed");
            symlink("/usr/local/remotetask/remotetask", format!("{WEB}/remotetask.cgi")).expect("a link");
        },
        "/volume1/web/remotetask/remotetask.cgi does not lead to /usr/local/remotetask/remotetask-cgi.",
    ),
    (
        "web-no-htaccess",
        by_root,
        |_| fs::remove_file(format!("{WEB}/.htaccess")).expect("removed"),
        "/volume1/web/remotetask has remotetask.cgi, but no .htaccess that sends requests to it.",
    ),
    (
        "web-no-rewrite",
        by_root,
        |_| edit(&format!("{PACKAGE}/httpd24.conf"), "LoadModule rewrite_module", "#LoadModule rewrite_module"),
        "Apache does not load mod_rewrite, which the .htaccess in /volume1/web/remotetask needs.",
    ),
    (
        "web-root-open",
        by_root,
        |_| chown(WEB, Some(HTTP), Some(HTTP)).expect("chown"),
        "Others than root can write /volume1/web/remotetask (it belongs to uid 1023, mode 0755). Whoever can, a web application with a hole among them, can take a key while somebody uses it.",
    ),
    (
        "web-access-log",
        by_root,
        |_| edit(&format!("{PACKAGE}/modules.d/more.conf"), "DocumentRoot", "CustomLog /var/log/httpd/access_log \"%r\"\nDocumentRoot"),
        "Apache writes the address of every request to /var/log/httpd/access_log, and there every secret URL.",
    ),
    (
        "web-status-page",
        healthy,
        |_| more("LoadModule status_module modules/mod_status.so\n<Location /status>\nSetHandler server-status\n</Location>\n"),
        "Apache has a status page (server-status), which shows the URLs that are being answered.",
    ),
];

/// What the rows change outside the installation, as it was.
struct AsItWas(String);

impl AsItWas {
    fn now() -> AsItWas {
        AsItWas(fs::read_to_string(format!("{PACKAGE}/httpd24.conf")).expect("httpd24.conf"))
    }
}

impl Drop for AsItWas {
    fn drop(&mut self) {
        fs::write(format!("{PACKAGE}/httpd24.conf"), &self.0).expect("httpd24.conf");
        for (away, place) in [
            ("/usr/local/bin/away", "/usr/local/bin/httpd24"),
            ("/usr/lib/apache2/modules/away", "/usr/lib/apache2/modules/mod_cgid.so"),
        ] {
            let _ = fs::rename(away, place);
        }
        let _ = fs::remove_file(format!("{PACKAGE}/modules.d/more.conf"));
    }
}

#[test]
fn each_fault_of_the_web_servers_files_is_found() {
    let _as_it_was = AsItWas::now();
    for (code, installed, provoke, expected) in FILES {
        let as_it_was = AsItWas::now();
        let nas = installed();
        provoke(&nas);
        only(&look(&[]), code, expected);
        drop(as_it_was);
    }
}

/// What is wrong on the way: what nginx in front of a healthy Apache does, and what is said.
const PROXIES: &[(&str, &str, &str)] = &[
    ("live-elsewhere", "return 301 https://login.example.org/;", "Something else answers at http://127.0.0.1:10766: status 301 to a request of /, not the start page."),
    ("live-elsewhere", "return 200 'DSM';", "Something else answers at http://127.0.0.1:10766: status 200 to a request of /, not the start page."),
    ("live-broken", "return 502;", "The web server cannot run the program: status 502 to a request of /."),
    ("live-failed", "return 444;", "The request to http://127.0.0.1:10766 failed: (52) Empty reply from server."),
    (
        "live-other-page",
        "proxy_intercept_errors on; error_page 404 = @own; location @own { return 404 'gone'; } location / { PASS }",
        "To a wrong pair of keys another page comes than the start page (status 404): a proxy or DSM puts its own error page in the place of ours, so a stranger sees that there is something.",
    ),
    (
        "live-other-status",
        "location / { PASS proxy_intercept_errors on; error_page 404 =200 /; }",
        "The answer to a wrong pair of keys has the status 200, where it should be 404.",
    ),
    (
        "live-header",
        "location / { PASS proxy_hide_header Referrer-Policy; }",
        "The header Referrer-Policy does not arrive as it was sent: it is missing, and should be \"no-referrer\".",
    ),
    (
        "live-header",
        "location / { PASS add_header Cache-Control public always; }",
        "The header Cache-Control does not arrive as it was sent: it is \"no-store\", \"public\", and should be \"no-store\".",
    ),
    ("live-added", "location / { PASS add_header Set-Cookie a=b always; }", "Something between adds the header set-cookie to the answers."),
    (
        "live-path",
        "location = / { PASS } location / { rewrite ^/(.*)$ /tasks/$1 break; PASS }",
        "The path does not arrive as it was sent (a wrong pair of keys): the log says \"5a the path is not /<magickey>/<identifier>\", where \"5b 5c wrong magic key and identifier\" should stand.",
    ),
    (
        "live-keys-in-headers",
        "location / { PASS proxy_set_header X-Magic-Key ''; proxy_set_header X-Task-Key ''; }",
        "Keys in headers (X-Magic-Key, X-Task-Key) do not arrive: the log says \"nothing\".",
    ),
    (
        "live-no-address",
        "location / { proxy_pass http://127.0.0.1:10765; }",
        "The caller's address does not arrive: the log says from=unknown. No key with \"from\" would work.",
    ),
];

#[test]
fn each_fault_on_the_way_is_found() {
    let _nas = healthy();
    let _web = apache();
    for (code, server, expected) in PROXIES {
        let _proxy = nginx(&server.replace("PASS", PASS));
        only(&look(&["--url", PROXIED]), code, expected);
    }
}

#[test]
fn what_keeps_a_request_from_its_goal() {
    let nas = healthy();
    only(
        &look(&["--url", "http://nowhere.invalid"]),
        "live-no-name",
        "The name in http://nowhere.invalid is not known here: (6) *.",
    );
    only(&look(&["--url", OURS]), "live-refused", "Nothing answers at http://127.0.0.1:10765: (7) *.");
    // It takes the call and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:10767").expect("a port");
    let late = look(&["--url", "http://127.0.0.1:10767"]);
    only(&late, "live-late", "No answer came from http://127.0.0.1:10767 in time: (28) *.");
    drop(silent);
    let wrong = said(Command::new(at("remotetask")).args(["check", "--url", "nas"]), "");
    assert_eq!(wrong.refused(), "remotetask: \"nas\" is no address; write one such as https://nas.example.org.");
    fs::rename("/usr/bin/curl", "/usr/bin/curl.away").expect("away");
    let without = look(&["--url", OURS]);
    fs::rename("/usr/bin/curl.away", "/usr/bin/curl").expect("back");
    only(&without, "live-no-curl", "There is no curl on this machine to make a request with: there is no such file.");
    drop(nas);
}

#[test]
fn a_certificate_that_nobody_believes() {
    let _nas = healthy();
    let _web = apache();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-keyout", "/etc/ssl/nas.key", "-out", "/etc/ssl/nas.pem"])
        .output()
        .expect("openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let tls = "listen 127.0.0.1:10768 ssl; ssl_certificate /etc/ssl/nas.pem; ssl_certificate_key /etc/ssl/nas.key;";
    let _proxy = nginx(&format!("{tls} location / {{ {PASS} }}"));
    let expected = "The certificate of https://localhost:10768 is not believed: (60) *.";
    only(&look(&["--url", "https://localhost:10768"]), "live-certificate", expected);
}

#[test]
fn a_key_for_a_network_needs_the_callers_address() {
    let nas = healthy();
    let config = fs::read_to_string(at("config.json")).expect("config");
    let key = format!("\"{}\"", sealed(MAGIC));
    let limited = format!("[{{\"label\": \"guest\", \"key\": {key}, \"from\": [\"192.168.1.0/24\"]}}]");
    nas.raw_config(&config.replacen(&key, &limited, 1));
    let _web = apache();
    let expected = "The caller's address does not arrive: the log says from=unknown. So the keys with \"from\" are refused: guest.";
    only(&look(&["--url", OURS]), "live-no-address-for-from", expected);
}

#[test]
fn another_installation_that_answers() {
    let nas = healthy();
    let _ = fs::remove_dir_all("/usr/local/other");
    fs::create_dir("/usr/local/other").expect("a folder");
    fs::copy(at("remotetask-cgi"), "/usr/local/other/remotetask-cgi").expect("copied");
    nas.sealed_config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"));
    edit(DROP_IN, "Define REMOTETASK_FOLDER /usr/local/remotetask", "Define REMOTETASK_FOLDER /usr/local/other");
    let _web = apache();
    let expected = "The right page came, but /usr/local/remotetask/log.txt has no line for the request (a wrong pair of keys): another installation answers there, or the log cannot be written.";
    only(&look(&["--url", OURS]), "live-not-logged", expected);
}

#[test]
fn plain_http_from_outside() {
    let _nas = healthy();
    let _web = apache();
    let _proxy = nginx(&format!("location / {{ {PASS} }}"));
    fs::write("/etc/hosts", "127.0.0.1 localhost nas nas.example.org\n").expect("hosts");
    let expected = "http://nas.example.org:10766 is not https: everybody on the way can read the keys, and use them.";
    only(&look(&["--url", "http://nas.example.org:10766"]), "live-in-the-clear", expected);
}
