//! `check` and the web server: its files, and live requests through the real one. Each finding is provoked
//! by one thing that is wrong.

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;

use serde_json::Value;

use super::*;
use crate::check::{findings, Row};
use crate::workbench::{said, Said};

const PACKAGE: &str = "/var/packages/Apache2.4/target/usr/local/etc/apache24/conf";
const DROP_IN: &str = "/usr/local/etc/apache24/sites-enabled/remotetask.conf";
const WEB: &str = "/volume1/web/remotetask";
const OURS: &str = "http://127.0.0.1:10765";

/// An installation in which nothing is to be found, with a port of its own.
fn healthy() -> Nas {
    let nas = Nas::new();
    nas.sealed_config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"));
    let _ = fs::remove_dir_all("/etc/nginx/proxy");
    for other in fs::read_dir("/volume1/web").expect("the share").flatten() {
        let _ = fs::remove_dir_all(other.path());
    }
    let cgid = format!("{PACKAGE}/modules.d/cgid.conf");
    fs::write(cgid, "LoadModule cgid_module modules/mod_cgid.so\nScriptSock /run/httpd/cgid.sock\n").expect("a module");
    let _ = fs::remove_file(format!("{PACKAGE}/modules.d/more.conf"));
    chown("/volume1/web", Some(0), Some(0)).expect("chown");
    mode("/volume1/web", 0o755);
    // DSM's own knows more; it is asked for nothing else.
    script(Path::new("/usr/local/bin/synosystemctl"), "[ \"$*\" = 'restart pkgctl-Apache2.4' ]");
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
fn told(said: &Said) -> Vec<(String, String)> {
    let text = |found: &serde_json::Value, name: &str| found[name].as_str().unwrap_or_default().to_owned();
    findings(said).iter().map(|found| (text(found, "code"), text(found, "says"))).collect()
}

#[track_caller]
fn only(said: &Said, code: &str, expected: &str) {
    match &told(said)[..] {
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
pub(super) fn nginx(server: &str) -> Server {
    let folder = "/run/proxy";
    let _ = fs::remove_dir_all(folder);
    fs::create_dir(folder).expect("a folder");
    mode(folder, 0o755);
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .concat();
    let conf = format!(
        "user http http; pid {folder}/nginx.pid; error_log {folder}/error_log crit; daemon off; worker_processes 1;\n\
         events {{ }}\nhttp {{ access_log off;\n{temporary}server {{ listen 10766;\n{server}\n}} }}\n"
    );
    fs::write(format!("{folder}/nginx.conf"), conf).expect("nginx.conf");
    // An address of its own, for on the loopback device there is no caller's to see.
    let _ = Command::new("ip").args(["addr", "add", "192.168.1.20/32", "dev", "lo"]).stderr(Stdio::null()).status();
    let mut command = Command::new("/usr/sbin/nginx");
    command.args(["-c", &format!("{folder}/nginx.conf"), "-e", &format!("{folder}/error_log")]);
    let child = command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).spawn().expect("nginx");
    Server::new(vec![child], 10766)
}

pub(super) const PROXIED: &str = "http://192.168.1.20:10766";
pub(super) const PASS: &str = "proxy_pass http://127.0.0.1:10765; proxy_set_header X-Real-IP $remote_addr;";

const LONG: &str = "A path whose part is longer than 255 characters gets a page of the web server's own (status 403), so a stranger sees what serves there. No key is as long.";

#[test]
fn a_healthy_web_server_gives_nothing_to_find() {
    let nas = healthy();
    assert_eq!(told(&look(&[])), []);
    let web = apache();
    let proxy = nginx(&format!("location / {{ {PASS} }}"));
    assert_eq!(told(&look(&["--url", PROXIED])), []);
    assert_eq!(told(&look(&["--url", OURS])), []);
    drop((proxy, web, nas));
    let nas = by_root();
    assert_eq!(told(&look(&[])), []);
    let web = apache();
    let proxy = nginx(&format!("location / {{ {PASS} }}"));
    only(&look(&["--url", PROXIED]), "live-long-path", LONG);
    drop((proxy, web));
    assert_eq!(nas.log().matches("why=5b 5c wrong magic key and identifier").count(), 6, "{}", nas.log());
}

/// A name that others choose is never a command to type, and their pipe keeps nobody waiting.
#[test]
fn what_others_lay_into_the_web_share() {
    let _nas = healthy();
    let evil = "/volume1/web/x`sudo id #";
    fs::create_dir_all(evil).expect("a folder");
    symlink("/etc/passwd", format!("{evil}/remotetask.cgi")).expect("a link");
    fs::create_dir_all("/volume1/web/y").expect("a folder");
    assert!(Command::new("mkfifo").arg("/volume1/web/y/index.php").status().expect("mkfifo").success());
    fs::create_dir_all("/volume1/web/z").expect("a folder");
    symlink("/dev/zero", "/volume1/web/z/index.php").expect("a link");
    let all: Value = serde_json::from_str(&look(&[]).out).expect("JSON");
    let shown = said(Command::new(at("remotetask")).arg("check"), "").out;
    for folder in [evil, "/volume1/web/y", "/volume1/web/z"] {
        fs::remove_dir_all(folder).expect("removed");
    }
    let findings = all["findings"].as_array().expect("a list").iter();
    let typed: Vec<&str> =
        findings.flat_map(|found| found["type"].as_array().expect("a list")).filter_map(Value::as_str).collect();
    assert!(typed.iter().any(|line| line.contains("'/volume1/web/x`sudo id #")), "{typed:?}");
    assert!(!typed.iter().any(|line| line.starts_with("sudo id")), "{typed:?}");
    assert!(!shown.lines().any(|line| line.trim().starts_with("sudo id")), "{shown}");
}

/// Ways of which little more can be seen from here.
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
        let found = told(&look(&[]));
        fs::remove_file(file).expect("removed");
        assert_eq!(found, [], "{file}");
    }
}

/// A writer below the web share lays out what never ends to be read, or never begins.
#[test]
fn what_is_no_file_is_not_waited_for() {
    let bounded = || {
        let line = "ulimit -v 1000000; exec timeout 20 /usr/local/remotetask/remotetask check --json";
        said(Command::new("/bin/bash").args(["-c", line]), "")
    };
    for name in ["index.php", ".htaccess"] {
        for zero in [false, true] {
            let _as_it_was = AsItWas::now();
            let _nas = by_root();
            let place = format!("{WEB}/{name}");
            let _ = fs::remove_file(&place);
            if name == "index.php" {
                fs::remove_file(format!("{WEB}/remotetask.cgi")).expect("removed");
            }
            match zero {
                true => symlink("/dev/zero", &place).expect("a link"),
                false => assert!(Command::new("mkfifo").arg(&place).status().expect("mkfifo").success()),
            }
            let codes: Vec<String> = told(&bounded()).into_iter().map(|(code, _)| code).collect();
            let expected = if name == "index.php" { "web-no-way-in" } else { "web-no-htaccess" };
            assert!(codes.iter().any(|code| code == expected), "{name} {zero}: {codes:?}");
        }
    }
}

/// The files that a row changes outside the installation, as they were.
struct AsItWas(String);

impl AsItWas {
    fn now() -> AsItWas {
        AsItWas(fs::read_to_string(format!("{PACKAGE}/httpd24.conf")).expect("httpd24.conf"))
    }
}

impl Drop for AsItWas {
    fn drop(&mut self) {
        fs::write(format!("{PACKAGE}/httpd24.conf"), &self.0).expect("httpd24.conf");
        let _ = fs::rename("/usr/local/bin/away", "/usr/local/bin/httpd24");
        for module in ["cgid", "cgi", "mime"] {
            let there = format!("{MODULES}/mod_{module}.so");
            let _ = fs::rename(format!("{there}.away"), there);
        }
        let _ = fs::remove_file(format!("{PACKAGE}/modules.d/more.conf"));
    }
}

const MODULES: &str = "/usr/lib/apache2/modules";

fn take_away(module: &str) {
    let there = format!("{MODULES}/mod_{module}.so");
    fs::rename(&there, format!("{there}.away")).expect("away");
}

/// Neither Apache nor the drop-in, which is the shipped text as an owner installs it, loads what runs programs.
fn without_cgi() {
    fs::write(DROP_IN, include_str!("../../../webstation/remotetask.conf")).expect("the drop-in");
    fs::write(format!("{PACKAGE}/modules.d/cgid.conf"), "").expect("no module");
}

/// An owner has set the entry point up by hand: nothing is noted.
fn by_hand() {
    fs::remove_file(at("webstation/way")).expect("removed");
}

/// The installation has laid the document root out.
fn laid_out() {
    fs::write(at("webstation/way"), "vhost\n").expect("the note");
}

fn in_main(old: &str, new: &str) {
    edit(&format!("{PACKAGE}/httpd24.conf"), old, new);
}

/// In the file with the virtual host of a document root.
fn in_host(old: &str, new: &str) {
    edit(&format!("{PACKAGE}/modules.d/more.conf"), old, new);
}

/// With a port of its own.
const PORT_ROWS: &[Row<Nas>] = &[
    Row {
        code: "web-no-way-in",
        plant: |_| fs::remove_file(DROP_IN).expect("removed"),
        says: "No web server leads here: there is no /usr/local/etc/apache24/sites-enabled/remotetask.conf, no document root with remotetask.cgi or index.php, and no file of nginx's that names remotetask-cgi.",
        cure: "Set one of them up, as docs/web.md says.",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-no-apache",
        plant: |_| fs::rename("/usr/local/bin/httpd24", "/usr/local/bin/away").expect("away"),
        says: "/usr/local/etc/apache24/sites-enabled/remotetask.conf is for Apache 2.4, and this machine has none.",
        cure: "Install \"Apache HTTP Server 2.4\" in DSM's Package Center and *",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-broken",
        plant: |_| more("Nonsense on\n"),
        says: "Apache finds a fault in its own files: *Invalid command 'Nonsense'*configuration.",
        cure: "Mend what it says, and ask it again: `sudo /usr/local/bin/httpd24 -t`",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-module-not-loaded",
        plant: |_| without_cgi(),
        says: "Apache does not load cgid_module, which /usr/local/etc/apache24/sites-enabled/remotetask.conf needs, though /usr/lib/apache2/modules/mod_cgid.so is there.",
        cure: "Make it load the module, and restart it: `echo 'LoadModule cgid_module /usr/lib/apache2/modules/mod_cgid.so' | sudo tee /usr/local/etc/apache24/sites-enabled/cgid.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-module-not-loaded",
        plant: |_| {
            without_cgi();
            take_away("cgid");
        },
        says: "Apache does not load cgi_module, which */remotetask.conf needs, though /usr/lib/apache2/modules/mod_cgi.so is there.",
        cure: "Make it load the module, and restart it: `echo 'LoadModule cgi_module /usr/lib/apache2/modules/mod_cgi.so' | sudo tee /usr/local/etc/apache24/sites-enabled/cgi.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-no-cgi",
        plant: |_| {
            without_cgi();
            take_away("cgid");
            take_away("cgi");
        },
        says: "This Apache cannot run programs: it has neither mod_cgid nor mod_cgi.",
        cure: "Take the way by PHP, as docs/web.md says.",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-dropin-not-read",
        plant: |_| in_main("IncludeOptional /usr/local/etc", "#IncludeOptional /usr/local/etc"),
        says: "Apache does not read /usr/local/etc/apache24/sites-enabled/remotetask.conf.",
        cure: "Let it read that folder, by a line at the end of its own configuration, and restart it: `echo 'IncludeOptional /usr/local/etc/apache24/sites-enabled/*.conf' | sudo tee -a /var/packages/Apache2.4/target/usr/local/etc/apache24/conf/httpd24.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-dropin-elsewhere",
        plant: |_| edit(DROP_IN, "Define REMOTETASK_FOLDER /usr/local/remotetask", "Define REMOTETASK_FOLDER /usr/local/other"),
        says: "Apache's port of its own leads to /usr/local/other, not to /usr/local/remotetask.",
        cure: "This makes it again what the installation sets up: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-dropin-elsewhere",
        plant: |_| {
            by_hand();
            edit(DROP_IN, "Define REMOTETASK_FOLDER /usr/local/remotetask", "Define REMOTETASK_FOLDER /usr/local/other");
        },
        says: "Apache's port of its own leads to /usr/local/other, not to /usr/local/remotetask.",
        cure: "Let it lead here, and restart Apache: `sudo sed -i 's|\\(Define REMOTETASK_FOLDER\\) .*|\\1 /usr/local/remotetask|' /usr/local/etc/apache24/sites-enabled/remotetask.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-other-port",
        plant: |nas| nas.raw_config(&fs::read_to_string(at("config.json")).expect("config").replacen("\"server\": {", "\"server\": {\"port\": 8080, ", 1)),
        says: "Apache is told to listen on 127.0.0.1:10765, config.json says 127.0.0.1:8080.",
        cure: "Let Apache follow config.json: `sudo remotetask apply`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-other-port",
        plant: |nas| {
            by_hand();
            nas.raw_config(&fs::read_to_string(at("config.json")).expect("config").replacen("\"server\": {", "\"server\": {\"port\": 8080, ", 1));
        },
        says: "Apache is told to listen on 127.0.0.1:10765, config.json says 127.0.0.1:8080.",
        cure: "Make the two the same, and restart Apache: `sudo sed -i 's|\\(Define REMOTETASK_LISTEN\\) .*|\\1 127.0.0.1:8080|' /usr/local/etc/apache24/sites-enabled/remotetask.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
        along: &[],
        cured: true,
    },
    // An including file may define the drop-in's names before.
    Row {
        code: "web-other-port",
        plant: |_| more("Define REMOTETASK_LISTEN 127.0.0.1:8081\n"),
        says: "Apache is told to listen on 127.0.0.1:8081, config.json says 127.0.0.1:10765.",
        cure: "Make the two the same, and restart Apache: `sudo sed -i * /var/packages/Apache2.4/target/usr/local/etc/apache24/conf/modules.d/more.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-changed",
        plant: |_| edit(DROP_IN, "    TraceEnable off\n", ""),
        says: "/usr/local/etc/apache24/sites-enabled/remotetask.conf lacks a line that was installed: TraceEnable off. Without it requests do not arrive, or refusals can be told apart.",
        cure: "This makes it again what the installation sets up: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-changed",
        plant: |_| {
            by_hand();
            edit(DROP_IN, "    TraceEnable off\n", "");
        },
        says: "/usr/local/etc/apache24/sites-enabled/remotetask.conf lacks a line that was installed: TraceEnable off. Without it requests do not arrive, or refusals can be told apart.",
        cure: "Put it back where it stood, as the same file in the folder webstation shows it, and restart Apache: `sudo vi /usr/local/etc/apache24/sites-enabled/remotetask.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-not-quiet",
        plant: |_| edit(DROP_IN, "    LogLevel emerg\n", ""),
        says: "/usr/local/etc/apache24/sites-enabled/remotetask.conf lacks a line that keeps keys out of Apache's logs: LogLevel emerg.",
        cure: "This makes it again what the installation sets up: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-more",
        plant: |_| edit(DROP_IN, "    LogLevel emerg\n", "    LogLevel emerg\n    UseCanonicalName Off\n"),
        says: "/usr/local/etc/apache24/sites-enabled/remotetask.conf has a line that was not installed: UseCanonicalName Off.",
        cure: "This makes it again what the installation sets up: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-not-quiet",
        plant: |_| {
            by_hand();
            edit(DROP_IN, "    LogLevel emerg\n", "");
        },
        says: "/usr/local/etc/apache24/sites-enabled/remotetask.conf lacks a line that keeps keys out of Apache's logs: LogLevel emerg.",
        cure: "Put it back where it stood, *",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-more",
        plant: |_| {
            by_hand();
            edit(DROP_IN, "    LogLevel emerg\n", "    LogLevel emerg\n    UseCanonicalName Off\n");
        },
        says: "/usr/local/etc/apache24/sites-enabled/remotetask.conf has a line that was not installed: UseCanonicalName Off.",
        cure: "If it is not yours, or writes a log, take it out, and restart Apache: `sudo vi /usr/local/etc/apache24/sites-enabled/remotetask.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-status-page",
        plant: |_| more("LoadModule status_module modules/mod_status.so\n<Location /status>\nSetHandler server-status\n</Location>\n"),
        says: "Apache has a status page (/var/packages/Apache2.4/target/usr/local/etc/apache24/conf/modules.d/more.conf, line 3), which shows the URLs that are being answered.",
        cure: "Make a comment of that line, and restart Apache: `sudo sed -i '3s/^/#/' /var/packages/Apache2.4/target/usr/local/etc/apache24/conf/modules.d/more.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-access-log",
        plant: |_| edit(DROP_IN, "    LogLevel emerg\n", "    LogLevel emerg\n    customlog /var/log/httpd/own \"%r\" env=!dontlog\n"),
        says: "Apache writes the address of every request to /var/log/httpd/own, and there every secret URL (/usr/local/etc/apache24/sites-enabled/remotetask.conf, line *).",
        cure: "Send the keys in headers *",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-access-log",
        plant: |_| edit(DROP_IN, "    LogLevel emerg\n", "    LogLevel emerg\n    TransferLog \"|/bin/cat\"\n"),
        says: "Apache writes the address of every request to |/bin/cat, and there every secret URL (/usr/local/etc/apache24/sites-enabled/remotetask.conf, line *).",
        cure: "Send the keys in headers *",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-access-log",
        plant: |_| more("LoadModule log_forensic_module modules/mod_log_forensic.so\nForensicLog /var/log/httpd/forensic\n"),
        says: "Apache writes the address of every request to /var/log/httpd/forensic, and there every secret URL (*/more.conf, line 2).",
        cure: "Send the keys in headers *",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-error-log",
        plant: |_| edit(DROP_IN, "    LogLevel emerg\n", "    LogLevel emerg\n    ErrorLog /var/log/httpd/own\n"),
        says: "ErrorLog /var/log/httpd/own in /usr/local/etc/apache24/sites-enabled/remotetask.conf, line *, lets Apache write to its error log, which names the path of a request and with it the secret URL.",
        cure: "Take that line out, so that nothing but LogLevel emerg is there, and restart Apache: `sudo vi +* /usr/local/etc/apache24/sites-enabled/remotetask.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-error-log",
        plant: |_| edit(DROP_IN, "    LogLevel emerg\n", "    LogLevel emerg\n    LogLevel emerg core:info\n"),
        says: "LogLevel emerg core:info in /usr/local/etc/apache24/sites-enabled/remotetask.conf, line *",
        cure: "Take that line out, *",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-access-log",
        plant: |_| more("GlobalLog /var/log/httpd/all \"%r\"\n"),
        says: "Apache writes the address of every request to /var/log/httpd/all, and there every secret URL (*/more.conf, line 1).",
        cure: "Send the keys in headers *",
        along: &[],
        cured: false,
    },
];

/// With a document root of Web Station's.
const ROOT_ROWS: &[Row<Nas>] = &[
    Row {
        code: "web-link-elsewhere",
        plant: |_| {
            fs::remove_file(format!("{WEB}/remotetask.cgi")).expect("removed");
            fs::copy(at("remotetask-cgi"), format!("{WEB}/remotetask.cgi")).expect("copied");
            // No command changes a folder that is not ours.
            chown(WEB, Some(HTTP), None).expect("chown");
        },
        says: "/volume1/web/remotetask/remotetask.cgi is no link to /usr/local/remotetask/remotetask-cgi, so it is not ours: whoever can write that folder may have put it there, to be given keys.",
        cure: "See what it is, and take it away. If requests are to come in by that folder, set it up as docs/web.md says: `sudo ls -ld /volume1/web/remotetask/remotetask.cgi`",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-link-elsewhere",
        plant: |_| {
            fs::remove_file(format!("{WEB}/remotetask.cgi")).expect("removed");
            symlink("/usr/local/remotetask/remotetask", format!("{WEB}/remotetask.cgi")).expect("a link");
        },
        says: "/volume1/web/remotetask/remotetask.cgi is no link to /usr/local/remotetask/remotetask-cgi, *",
        cure: "See what it is, *",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-link-elsewhere",
        plant: |_| {
            laid_out();
            fs::remove_file(format!("{WEB}/remotetask.cgi")).expect("removed");
            symlink("/usr/local/remotetask/remotetask", format!("{WEB}/remotetask.cgi")).expect("a link");
        },
        says: "/volume1/web/remotetask/remotetask.cgi is no link to /usr/local/remotetask/remotetask-cgi, *",
        cure: "This makes it again what the installation sets up: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-page-other",
        plant: |_| {
            fs::remove_file(format!("{WEB}/remotetask.cgi")).expect("removed");
            fs::write(format!("{WEB}/index.php"), "<?php # /usr/local/remotetask/remotetask-cgi").expect("a page");
        },
        says: "/volume1/web/remotetask/index.php names remotetask-cgi, and is not the page that is installed: it could keep every key that it is given.",
        cure: "See what it is, and take it away. If requests are to come in by that folder, put index.php from the folder webstation/php there, as docs/web.md says: `sudo ls -ld /volume1/web/remotetask/index.php`",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-root-name",
        plant: |_| {
            let odd = "/volume1/web/x\">\nGlobalLog `id`";
            fs::create_dir(odd).expect("a folder");
            fs::copy(format!("{WEB}/.htaccess"), format!("{odd}/.htaccess")).expect(".htaccess");
            symlink(at("remotetask-cgi"), format!("{odd}/remotetask.cgi")).expect("a link");
        },
        says: "The name of /volume1/web/x\">\nGlobalLog `id` would mean something else in Apache's files, so whether they let it read the .htaccess there is not looked at.",
        cure: "Give that folder a name of letters, digits, - and _ alone.",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-no-htaccess",
        plant: |_| fs::remove_file(format!("{WEB}/.htaccess")).expect("removed"),
        says: "/volume1/web/remotetask has remotetask.cgi, but no .htaccess that sends requests to it.",
        cure: "Put the one from the folder webstation there, as /volume1/web/remotetask/.htaccess.",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-no-htaccess",
        plant: |_| {
            laid_out();
            fs::remove_file(format!("{WEB}/.htaccess")).expect("removed");
        },
        says: "/volume1/web/remotetask has remotetask.cgi, but no .htaccess that sends requests to it.",
        cure: "This makes it again what the installation sets up: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-changed",
        plant: |_| edit(&format!("{WEB}/.htaccess"), "[END]\n", "[L]\n"),
        says: "/volume1/web/remotetask/.htaccess lacks a line that was installed: RewriteRule ^(.*)$ remotetask.cgi/$1 [END]. Without it *",
        cure: "Put it back where it stood, *",
        along: &["web-more"],
        cured: false,
    },
    Row {
        code: "web-changed",
        plant: |_| {
            laid_out();
            edit(&format!("{WEB}/.htaccess"), "[END]\n", "[L]\n");
        },
        says: "/volume1/web/remotetask/.htaccess lacks a line that was installed: RewriteRule ^(.*)$ remotetask.cgi/$1 [END]. Without it *",
        cure: "This makes it again what the installation sets up: `sudo remotetask repair`",
        along: &["web-more"],
        cured: true,
    },
    Row {
        code: "web-module-not-loaded",
        plant: |_| in_main("LoadModule rewrite_module", "#LoadModule rewrite_module"),
        says: "Apache does not load rewrite_module, which /volume1/web/remotetask/.htaccess needs, though /usr/lib/apache2/modules/mod_rewrite.so is there.",
        cure: "Make it load the module, and restart it: `echo 'LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so' | sudo tee /usr/local/etc/apache24/sites-enabled/rewrite.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-no-module",
        plant: |_| {
            in_main("LoadModule mime_module", "#LoadModule mime_module");
            in_main("TypesConfig", "#TypesConfig");
            take_away("mime");
        },
        says: "This Apache has no mime_module, which /volume1/web/remotetask/.htaccess needs.",
        cure: "Take the way by a port of its own, as docs/web.md says.",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-root-not-served",
        plant: |_| in_host("DocumentRoot", "#DocumentRoot"),
        says: "No virtual host of Apache's has /volume1/web/remotetask as its document root.",
        cure: "In Web Station make a virtual host with that document root, *",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-htaccess-ignored",
        plant: |_| in_host("AllowOverride All", "AllowOverride None"),
        says: "Apache ignores /volume1/web/remotetask/.htaccess: nothing allows it for that folder (AllowOverride All).",
        cure: "Allow it for that folder, and restart Apache: `printf '%s\\n' '<Directory \"/volume1/web/remotetask\">' 'AllowOverride All' '</Directory>' | sudo tee /usr/local/etc/apache24/sites-enabled/remotetask-htaccess.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-htaccess-line",
        plant: |_| {
            in_host("<Directory /volume1/web>", "<Directory \"/volume1/web/remotetask\">");
            in_host("AllowOverride All", "AllowOverride AuthConfig");
        },
        says: "Apache is told to ignore /volume1/web/remotetask/.htaccess: AllowOverride AuthConfig in */more.conf, line 5.",
        cure: "Let that line allow it, and restart Apache: `sudo sed -i '5s/.*/AllowOverride All/' */more.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-htaccess-unclear",
        plant: |_| in_host("<Directory /volume1/web>", "<Directory /volume?/web>"),
        says: "Whether Apache reads /volume1/web/remotetask/.htaccess cannot be told from its files: they say it by patterns.",
        cure: "Make a request, and see, *",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-root-open",
        plant: |_| chown(WEB, Some(HTTP), Some(HTTP)).expect("chown"),
        says: "Others than root can write /volume1/web/remotetask (it belongs to http, mode 0755). Whoever can, a web application with a hole among them, can take a key while somebody uses it.",
        cure: "Look whether what lies there is as it was installed, and make it root's: `sudo chown -h root:root /volume1/web/remotetask` `sudo chmod go-w /volume1/web/remotetask`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-root-open",
        plant: |_| mode(&format!("{WEB}/.htaccess"), 0o666),
        says: "Others than root can write /volume1/web/remotetask/.htaccess (it belongs to root, mode 0666). *",
        cure: "Look whether *: `sudo chown -h root:root /volume1/web/remotetask/.htaccess` `sudo chmod go-w /volume1/web/remotetask/.htaccess`",
        along: &[],
        cured: true,
    },
    // A name below a folder of somebody else's may lead anywhere by the time that it is typed.
    Row {
        code: "web-root-open-below",
        plant: |_| {
            chown(WEB, Some(HTTP), None).expect("chown");
            chown(format!("{WEB}/.htaccess"), Some(HTTP), None).expect("chown");
        },
        says: "Others than root can write /volume1/web/remotetask/.htaccess (it belongs to http, mode 0644), and what lies above it, or it is a link. Whoever can, a web application with a hole among them, can take a key while somebody uses it.",
        cure: "Close what lies above it first, then check again: a command for it by its name could be led to another file now.",
        along: &["web-root-open"],
        cured: false,
    },
    Row {
        code: "web-above-open",
        plant: |_| chown("/volume1/web", Some(HTTP), None).expect("chown"),
        says: "Others than root can write /volume1/web (it belongs to http, mode 0755), in which /volume1/web/remotetask lies: a web application with a hole can put another program in the place of ours, and take keys while they are used.",
        cure: "Take the way by a port of its own, as docs/web.md says: nothing of it lies in a share. Or make that folder root's, if nothing else has to write there.",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-root-open-below",
        plant: |_| {
            chown("/volume1/web", Some(HTTP), None).expect("chown");
            chown(WEB, Some(HTTP), None).expect("chown");
        },
        says: "Others than root can write /volume1/web/remotetask (it belongs to http, mode 0755), and *",
        cure: "Close what lies above it first, *",
        along: &["web-above-open"],
        cured: false,
    },
    Row {
        code: "web-root-shared",
        plant: |_| mode("/volume1/web", 0o777),
        says: "Others than root can perhaps write /volume1/web (mode 0777), and take a key there while somebody uses it. On a share of DSM's the mode shows 777 whatever its permissions say.",
        cure: "In Control Panel, Shared Folder, Edit, Permissions, see that * Or take the way by a port of its own, as docs/web.md says: nothing of it lies in a share.",
        along: &[],
        cured: false,
    },
    Row {
        code: "web-root-open",
        plant: |_| {
            fs::remove_file(format!("{WEB}/remotetask.cgi")).expect("removed");
            fs::write(format!("{WEB}/index.php"), include_str!("../../../webstation/php/index.php")).expect("a page");
            chown(format!("{WEB}/index.php"), Some(HTTP), None).expect("chown");
        },
        says: "Others than root can write /volume1/web/remotetask/index.php (it belongs to http, mode 0644). *",
        cure: "Look whether *: `sudo chown -h root:root /volume1/web/remotetask/index.php` `sudo chmod go-w /volume1/web/remotetask/index.php`",
        along: &[],
        cured: true,
    },
    Row {
        code: "web-access-log",
        plant: |_| in_host("DocumentRoot", "CustomLog /var/log/httpd/access_log \"%r\"\nDocumentRoot"),
        says: "Apache writes the address of every request to /var/log/httpd/access_log, and there every secret URL (*/more.conf, line 3).",
        cure: "Send the keys in headers (remotetask url --for curl shows how), *: `sudo vi +3 */more.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
        along: &[],
        cured: false,
    },
    // The server's own, where a virtual host has none.
    Row {
        code: "web-access-log",
        plant: |_| in_host("Listen", "TransferLog \"|/bin/cat\"\nListen"),
        says: "Apache writes the address of every request to |/bin/cat, and there every secret URL (*/more.conf, line 1).",
        cure: "Send the keys in headers *",
        along: &[],
        cured: false,
    },
    // Nothing sets what the log is told to heed.
    Row {
        code: "web-access-log",
        plant: |_| {
            in_main("LoadModule setenvif_module", "#LoadModule setenvif_module");
            in_host("DocumentRoot", "CustomLog /var/log/httpd/access_log \"%r\" env=!dontlog\nDocumentRoot");
        },
        says: "Apache writes the address of every request to /var/log/httpd/access_log, and *",
        cure: "Send the keys in headers *",
        along: &[],
        cured: false,
    },
];

fn try_all(rows: &[Row<Nas>], installed: fn() -> Nas) {
    let _as_it_was = AsItWas::now();
    for row in rows {
        let as_it_was = AsItWas::now();
        row.try_on(&installed(), &|| look(&[]), &str::to_owned);
        // A repair restarts it.
        super::install::service("stop");
        drop(as_it_was);
    }
}

#[test]
fn each_fault_of_a_port_of_its_own_is_found_and_cured() {
    try_all(PORT_ROWS, healthy);
}

#[test]
fn each_fault_of_a_document_root_is_found_and_cured() {
    try_all(ROOT_ROWS, by_root);
}

/// No finding: what is written down nowhere, or does not concern us.
#[test]
fn what_is_no_fault_of_the_web_server() {
    let _as_it_was = AsItWas::now();
    let _nas = by_root();
    in_host("DocumentRoot", "CustomLog /var/log/httpd/access_log \"%r\" env=!dontlog\nDocumentRoot");
    // Another's virtual host has its own log, and the server's own is then not ours.
    let text = fs::read_to_string(format!("{PACKAGE}/modules.d/more.conf")).expect("more");
    let other = "CustomLog /var/log/httpd/main \"%r\"\n<VirtualHost 127.0.0.1:10799>\nDocumentRoot /volume1\n\
        CustomLog /var/log/httpd/other \"%r\"\n</VirtualHost>\n<Location /status>\nSetHandler server-status\n</Location>\n";
    more(&(text + other));
    assert_eq!(told(&look(&[])), []);
}

#[test]
fn dsm_6_restarts_its_packages_in_its_own_way() {
    let _as_it_was = AsItWas::now();
    let _nas = healthy();
    without_cgi();
    let seven = fs::read_to_string("/etc.defaults/VERSION").expect("VERSION");
    fs::write("/etc.defaults/VERSION", seven.replace("majorversion=\"7\"", "majorversion=\"6\"")).expect("VERSION");
    let found = findings(&look(&[]));
    fs::write("/etc.defaults/VERSION", seven).expect("VERSION");
    let cure = found[0]["cure"].as_str().expect("a cure");
    assert!(cure.ends_with(" `sudo synoservice --restart pkgctl-Apache2.4`"), "{cure}");
}

/// Faults on the way: what nginx in front of a healthy Apache does, and what is said.
const PROXIES: &[(&str, &str, &str)] = &[
    (
        "live-led-away",
        "return 302 https://nas.example.org:5001/login;",
        "Whoever asks http://192.168.1.20:10766 for / is sent on to https://nas.example.org:5001/login (status 302).",
    ),
    ("live-elsewhere", "return 200 'DSM';", "Something else answers at http://192.168.1.20:10766: status 200 to a request of /, not the start page."),
    ("live-elsewhere", "return 401;", "Something else answers at http://192.168.1.20:10766: status 401 to a request of /, not the start page."),
    ("live-back-end", "location / { proxy_pass http://127.0.0.1:10799; }", "A proxy answers, but the web server behind it does not: status 502 to a request of /."),
    ("live-failed", "return 444;", "The request to http://192.168.1.20:10766 failed: (52) Empty reply from server."),
    // As Web Station does it by default: the rest is looked at all the same.
    (
        "live-pages-replaced",
        "proxy_intercept_errors on; error_page 404 = @own; location @own { return 404 'gone'; } location / { PASS }",
        "A request with a wrong pair of keys arrives, is refused with status 404, and the web server puts a page of its own in the place of ours. *",
    ),
    (
        "live-other-page",
        "location ~ ... { return 404 'gone'; } location / { PASS }",
        "A request with a wrong pair of keys gets a different page than the start page (status 404): a proxy or DSM puts its own error page in the place of ours, so a stranger sees that there is something.",
    ),
    (
        "live-other-page",
        "location / { if ($args ~ --) { return 403; } PASS }",
        "A request with a query that looks like an option gets a different page than the start page (status 403): a proxy or DSM puts *",
    ),
    (
        "live-method",
        "location / { limit_except GET { deny all; } PASS }",
        "To a POST something else answers (status 403), so those who send one start nothing.",
    ),
    (
        "live-other-status",
        "location / { PASS proxy_intercept_errors on; error_page 404 =200 /; }",
        "The answer to a wrong pair of keys has the status 200, where it should be 404.",
    ),
    (
        "live-path-lost",
        "location / { rewrite ^ / break; PASS }",
        "The path does not arrive at all: a wrong pair of keys is answered as if it were a request of /.",
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
    // At the doorstep alone nothing is to be seen of it.
    (
        "live-added",
        "location / { PASS } location ~ ..... { PASS add_header Refresh 5 always; }",
        "Something between adds the header refresh to the answers.",
    ),
    (
        "live-path",
        "location = / { PASS } location / { rewrite ^/(.*)$ /tasks/$1 break; PASS }",
        "The path does not arrive as it was sent (a wrong pair of keys): the log says \"5a the path is not /<magickey>/<identifier>\", where \"5b 5c wrong magic key and identifier\" should stand.",
    ),
    (
        "live-path",
        "location / { rewrite ^(/[^/]+/[^/]+)/.*$ $1 break; PASS }",
        "The path does not arrive as it was sent (three parts in the path): the log says \"5b 5c wrong magic key and identifier\", where \"5a the path is not /<magickey>/<identifier>\" should stand.",
    ),
    (
        "live-keys-in-headers",
        "location / { PASS proxy_set_header X-Magic-Key ''; proxy_set_header X-Task-Key ''; }",
        "Keys in headers (X-Magic-Key, X-Task-Key) do not arrive: the log says \"nothing\".",
    ),
    (
        "live-keys-in-headers",
        "location / { PASS proxy_set_header X-Magic-Key ''; }",
        "Keys in headers (X-Magic-Key, X-Task-Key) do not arrive: the log says \"5a keys in path and headers, or one header of the two\".",
    ),
    (
        "live-no-address",
        "location / { proxy_pass http://127.0.0.1:10765; }",
        "The caller's address does not arrive: the log says from=unknown. No key with \"from\" would work.",
    ),
    (
        "live-no-address",
        "location / { PASS proxy_set_header X-Forwarded-For 192.168.1.99; }",
        "The caller's address does not arrive: the log says from=unknown. No key with \"from\" would work.",
    ),
    (
        "live-other-address",
        "location / { proxy_pass http://127.0.0.1:10765; proxy_set_header X-Real-IP 192.168.1.1; }",
        "The request went out from 192.168.1.20, and the log says from=192.168.1.1: something between, a router or a proxy of another machine's, puts its own address in the place of the caller's. A \"from\" would see that one.",
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
    for wrong in ["nas/a/b", "ftp://nas", "https://user@nas", "https://nas/?status"] {
        let refused = said(Command::new(at("remotetask")).args(["check", "--url", wrong]), "").refused();
        assert!(refused.starts_with("remotetask: this is no address;") && !refused.contains(wrong), "{refused}");
    }
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
    drop(_proxy);
    // Other faults are seen all the same.
    let _proxy = nginx(&format!("{tls} location / {{ {PASS} add_header Set-Cookie a=b always; }}"));
    let codes: Vec<String> =
        told(&look(&["--url", "https://localhost:10768"])).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["live-certificate", "live-added"]);
    let expected = "The TLS handshake with https://localhost:10766 failed: (35) *.";
    only(&look(&["--url", "https://localhost:10766"]), "live-no-tls", expected);
}

#[test]
fn a_key_for_a_network_needs_the_callers_address() {
    let nas = healthy();
    let config = fs::read_to_string(at("config.json")).expect("config");
    let key = format!("\"{}\"", sealed(MAGIC));
    let limited = format!("[{{\"label\": \"guest\", \"key\": {key}, \"from\": [\"192.168.1.0/24\"]}}]");
    nas.raw_config(&config.replacen(&key, &limited, 1));
    let _web = apache();
    let _proxy = nginx("location / { proxy_pass http://127.0.0.1:10765; }");
    let expected = "The caller's address does not arrive: the log says from=unknown. So the keys with \"from\" are refused: guest.";
    only(&look(&["--url", PROXIED]), "live-no-address-for-from", expected);
    // From the loopback device no address can arrive.
    assert_eq!(told(&look(&["--url", OURS])), []);
}

/// The secret URL itself is not asked for: that would start its task.
#[test]
fn an_address_with_keys_is_not_looked_at() {
    let nas = healthy();
    nas.sealed_config(&format!(
        "\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/touch\", \"/run/effects/started\"]}}"
    ));
    let _web = apache();
    for path in [format!("/{MAGIC}/{TASK}"), format!("/{MAGIC}/{TASK}/"), format!("/{MAGIC}"), format!("/{TASK}")] {
        let refused = look(&["--url", &format!("{OURS}{path}")]).refused();
        let expected =
            "remotetask: behind the host of this address stands what may be keys, and a request there could \
            start a task. Give the address alone, such as https://nas.example.org.";
        assert_eq!(refused, expected);
    }
    assert_eq!(nas.log(), "");
    assert!(!Path::new("/run/effects/started").exists());
}

/// A folder below another document root is an address as well.
#[test]
fn an_address_with_a_folder() {
    let _nas = by_root();
    in_host("DocumentRoot \"/volume1/web/remotetask\"", "DocumentRoot \"/volume1/web\"");
    let _web = apache();
    let codes: Vec<String> =
        told(&look(&["--url", &format!("{OURS}/remotetask")])).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["live-trace", "live-long-path"]);
}

#[test]
fn what_apache_answers_by_itself() {
    let _nas = by_root();
    let web = apache();
    let found = told(&look(&["--url", OURS]));
    let trace =
        "Apache answers TRACE by itself and sends the request back, so a stranger sees that there is an Apache.";
    assert_eq!(found, [("live-trace".to_owned(), trace.to_owned()), ("live-long-path".to_owned(), LONG.to_owned())]);
    drop(web);
    // As the fix says.
    fs::write(format!("{DROP_INS}/trace.conf"), "TraceEnable off\n").expect("trace.conf");
    let _web = apache();
    only(&look(&["--url", OURS]), "live-long-path", LONG);
}

#[test]
fn a_program_that_apache_does_not_run() {
    let _nas = by_root();
    edit(&format!("{WEB}/.htaccess"), "+ExecCGI ", "");
    let web = apache();
    let found = told(&look(&["--url", OURS]));
    let expected = ("live-forbidden".to_owned(), "The web server refuses even to answer /: status 403.".to_owned());
    assert!(found.contains(&expected), "{found:?}");
    drop((web, _nas));
    let _nas = healthy();
    let broken = "<VirtualHost 127.0.0.1:10765>\nScriptAlias / /run/broken/\n<Directory /run>\nRequire all granted\n</Directory>\n</VirtualHost>\n";
    script(Path::new("/run/broken"), "exit 1");
    fs::write(format!("{DROP_INS}/a.conf"), broken).expect("a.conf");
    let _web = apache();
    let expected = "The web server cannot run the program: status 500 to a request of /.";
    only(&look(&["--url", OURS]), "live-broken", expected);
}

#[test]
fn a_start_page_that_the_web_server_cannot_read() {
    let _nas = healthy();
    fs::write(at("start.html"), "Mine").expect("a page");
    let _web = apache();
    assert_eq!(told(&look(&["--url", OURS])), []);
    mode(&at("start.html"), 0o600);
    let expected =
        "Your own start page, /usr/local/remotetask/start.html, is not shown: the web server's user cannot read it.";
    let found = told(&look(&["--url", OURS]));
    assert!(found.contains(&("live-own-page".to_owned(), expected.to_owned())), "{found:?}");
    assert!(found.iter().all(|(code, _)| code == "live-own-page" || !code.starts_with("live-")), "{found:?}");
}

/// A configuration with a fault is found as such, not as a path that does not arrive.
#[test]
fn a_refused_configuration_is_no_fault_of_the_way() {
    let nas = healthy();
    nas.raw_config("{");
    let _web = apache();
    let found = told(&look(&["--url", OURS]));
    assert!(found.iter().any(|(code, _)| code == "config-refused"), "{found:?}");
    assert!(found.iter().all(|(code, _)| !code.starts_with("live-")), "{found:?}");
}

/// Others' requests come in between, and neither hide ours nor are taken for them.
#[test]
fn others_may_call_meanwhile() {
    let nas = healthy();
    let web = apache();
    let proxy = nginx(&format!("location / {{ {PASS} }}"));
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                let stranger = "X-Real-IP: 203.0.113.9\r\n";
                let _ = web.request("GET", "/some-wrong-key/another-wrong-key", stranger, "");
                let _ = web.request("GET", "/x", stranger, "");
            }
        });
        let found = told(&look(&["--url", PROXIED]));
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(found, []);
    });
    assert!(nas.log().contains("from=203.0.113.9"));
    drop((proxy, web));
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
    let found = told(&look(&["--url", OURS]));
    assert_eq!(found[1], ("live-not-logged".to_owned(), expected.to_owned()), "{found:?}");
    assert!(found.len() == 2 && found[0].0 == "web-dropin-elsewhere", "{found:?}");
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

/// Set up by a virtual host, and Apache's drop-in only loads what that needs.
#[test]
fn a_drop_in_that_only_loads_the_module() {
    let bare = super::install::Bare::new();
    let cgid = format!("{PACKAGE}/modules.d/cgid.conf");
    let was = fs::read_to_string(&cgid).expect("a file");
    fs::write(&cgid, "").expect("not loaded");
    more(
        "Listen 127.0.0.1:10765\n<VirtualHost 127.0.0.1:10765>\nDocumentRoot \"/volume1/web/remotetask\"\n\
         <Directory /volume1/web>\nAllowOverride All\nRequire all granted\n</Directory>\n</VirtualHost>\n",
    );
    let done = super::install::setup(&["--vhost"]);
    assert!(done.ok().contains("  done   Apache loads what runs programs, "), "{}", done.out);
    bare.nas.sealed_config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"));
    let text = fs::read_to_string(DROP_IN).expect("the drop-in");
    assert!(text.contains("LoadModule cgid_module") && !text.contains("REMOTETASK"), "{text}");
    assert_eq!(told(&look(&[])), []);
    // One that lacks all of its lines but these is one still.
    fs::write(DROP_IN, format!("{text}<IfDefine !REMOTETASK_FOLDER>\n</IfDefine>\n")).expect("written");
    assert!(told(&look(&[])).iter().any(|(code, _)| code == "web-changed"));
    fs::write(DROP_IN, "# nothing\n").expect("written");
    assert!(told(&look(&[])).iter().any(|(code, _)| code == "web-changed"));
    super::install::order(&["uninstall"]).ok();
    fs::write(&cgid, was).expect("as it was");
    fs::remove_file(format!("{PACKAGE}/modules.d/more.conf")).expect("as it was");
}
