//! `url --for`: ready text for callers, run where a test can run it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::{json, Value};

use crate::support::*;
use crate::workbench::{remotetask, said};

const CALLERS: [&str; 10] =
    ["curl", "home-assistant", "ios", "android", "nfc", "ci", "dsm-webhook", "surveillance", "synology-chat", "homer"];

/// Two tasks: one by name, which waits for long, one that asks first.
fn two() -> Sandbox {
    let sandbox = Sandbox::new();
    let wait = format!("\"7\": {{\"identifier\": \"{TASK}\", \"name\": \"Check \\\"off\\\"\", \"wait\": 15, \"command\": [\"/bin/true\"]}}");
    let asks = "\"a.b\": {\"identifier\": \"Jf4uB9rWx2KzQm8T\", \"get\": \"confirm\", \"command\": [\"/bin/true\"]}";
    sandbox.config("", &format!("{wait}, {asks}"));
    sandbox
}

fn text(sandbox: &Sandbox, task: &str, caller: &str) -> String {
    remotetask(sandbox, &["url", task, "--for", caller]).ok().to_owned()
}

/// The address of a web server that hands each request to the programs of the sandbox, until the tests end.
fn served(sandbox: &Sandbox) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("its address"));
    let program = sandbox.path("remotetask-cgi");
    std::thread::spawn(move || listener.incoming().flatten().for_each(|connection| serve(connection, &program)));
    base
}

fn serve(mut connection: TcpStream, program: &std::path::Path) {
    let mut reader = BufReader::new(connection.try_clone().expect("a connection"));
    let mut line = String::new();
    let _ = reader.read_line(&mut line);
    let words: Vec<&str> = line.split(' ').collect();
    let [method, target, ..] = words[..] else { return };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut command = Command::new(program);
    command.env_clear().env("REQUEST_METHOD", method).env("PATH_INFO", path).env("QUERY_STRING", query);
    command.env("REMOTE_ADDR", "192.168.1.7").env("GATEWAY_INTERFACE", "CGI/1.1");
    let mut length = 0;
    loop {
        let mut header = String::new();
        let _ = reader.read_line(&mut header);
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "content-type" => drop(command.env("CONTENT_TYPE", value)),
            other => drop(command.env(format!("HTTP_{}", other.to_uppercase().replace('-', "_")), value)),
        }
    }
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    command.env("CONTENT_LENGTH", length.to_string());
    let answer = said(&mut command, &String::from_utf8_lossy(&body)).out;
    let status = answer.lines().next().and_then(|line| line.strip_prefix("Status: ")).unwrap_or("500");
    let _ = write!(connection, "HTTP/1.1 {status}\r\nConnection: close\r\n{answer}");
}

/// Returns the output of these lines in a shell, in a folder of its own.
fn in_a_shell(lines: &str) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let said = said(Command::new("/bin/sh").args(["-ec", lines]).current_dir(folder.path()), "");
    (said.code.unwrap_or(-1), said.out + &said.err)
}

#[test]
fn curl_starts_it_in_each_way() {
    let sandbox = two();
    remotetask(&sandbox, &["url", "--at", &served(&sandbox)]).ok();
    let recipe = text(&sandbox, "7", "curl");
    // All but the lines for Windows, at once.
    let (linux, windows) = recipe.split_once("# On Windows").expect("two parts");
    let (code, shown) = in_a_shell(linux);
    assert_eq!((code, shown.matches("Task finished: Check \"off\" (").count()), (0, 3), "{shown}");
    // cmd.exe knows no single quotes; a shell here takes the double ones the same way.
    let line = windows.lines().last().expect("a line");
    assert!(
        !windows.lines().skip(1).any(|line| line.contains('\'')) && line.starts_with("curl.exe -X POST -H \""),
        "{line}"
    );
    let (code, shown) = in_a_shell(&line.replacen("curl.exe", "curl -sS", 1));
    assert!(code == 0 && shown.starts_with("Task finished: "), "{shown}");
    // The exit codes that the comment names.
    let wrong = line.replacen("curl.exe", "curl -sS", 1).replace(TASK, "a-wrong-identifier");
    assert_eq!(in_a_shell(&wrong).0, 0);
    assert_eq!(in_a_shell(&wrong.replacen("curl", "curl --fail-with-body", 1)).0, 22);
}

#[test]
fn a_ci_fails_with_its_task() {
    let sandbox = two();
    remotetask(&sandbox, &["url", "--at", &served(&sandbox)]).ok();
    let recipe = text(&sandbox, "Check \"off\"", "ci");
    assert!(recipe.contains("--max-time 35 "), "{recipe}");
    let lines = recipe.split_once("  run: |\n").expect("a step").1;
    let keys = |task: &str| format!("REMOTETASK_MAGIC_KEY={MAGIC} REMOTETASK_TASK_KEY={task}\n{lines}");
    let (code, shown) = in_a_shell(&keys(TASK));
    assert!(code == 0 && shown.starts_with("Task finished: "), "{shown}");
    assert_eq!(in_a_shell(&keys("a-wrong-identifier")).0, 22);
    // The step itself holds no key.
    assert_no_key(recipe.split_once("# A step").expect("a step").1.as_bytes(), "the step");
}

#[test]
fn home_assistant_gets_a_package_of_all_tasks() {
    let sandbox = two();
    remotetask(&sandbox, &["url", "--at", "https://nas.example.org"]).ok();
    let package = remotetask(&sandbox, &["url", "--for", "home-assistant"]);
    let (secrets, rest) = package.ok().split_once("# 2.").expect("secrets first");
    // Keys stand in secrets.yaml alone: its log shows a URL, and no header.
    assert_no_key(rest.as_bytes(), "the package");
    assert!(
        secrets.contains(&format!("remotetask_magic_key: \"{MAGIC}\"\nremotetask_task_7_task_key: \"{TASK}\"\n")),
        "{secrets}"
    );
    for expected in [
        "rest_command:\n  remotetask_task_7:\n    url: \"https://nas.example.org/\"\n    method: post\n    headers:\n      \
         X-Magic-Key: !secret remotetask_magic_key\n      X-Task-Key: !secret remotetask_task_7_task_key\n      \
         Accept: application/json\n    timeout: 35\n",
        "      - name: \"Check \\\"off\\\"\"\n        unique_id: remotetask_task_7\n        press:\n          \
         - service: rest_command.remotetask_task_7\n",
        "  - resource: \"https://nas.example.org/\"\n    params:\n      status: \"1\"\n",
        "        value_template: \"{{ value_json.state }}\"\n",
        "    timeout: 22\n",
        "it would start\n#    the task at each poll, every 30 s.",
    ] {
        assert!(rest.contains(expected), "{expected}\n{rest}");
    }
    let names: std::collections::HashSet<&str> =
        rest.lines().filter_map(|line| line.strip_prefix("  remotetask_")?.strip_suffix(':')).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    // One task alone.
    let one = text(&sandbox, "7", "home-assistant");
    assert!(one.contains("remotetask_task_7:") && !one.contains("task_a_b"), "{one}");
    // Two people: one package is one person's.
    remotetask(&sandbox, &["key", "new", "--label", "Anna"]).ok();
    assert!(remotetask(&sandbox, &["url", "--for", "home-assistant"]).refused().contains("say which"));
    assert!(remotetask(&sandbox, &["url", "--for", "home-assistant", "--who", "Anna"]).ok().contains("a_b"));
}

/// Home Assistant's program, which is too large for every machine.
fn hass() -> String {
    std::env::var("REMOTETASK_HASS").expect("tests/run --all installs Home Assistant, and names its program")
}

/// Home Assistant's folder with the package's three parts in their files, and with more in configuration.yaml.
fn as_its_owner_puts_it(package: &str, more: &str) -> tempfile::TempDir {
    let (secrets, rest) = package.split_once("# 2. ").expect("three files");
    let (configuration, rest) = rest.split_once("# 3. ").expect("three files");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("packages")).expect("a folder");
    for (name, text) in [
        ("secrets.yaml", secrets.to_owned()),
        ("configuration.yaml", format!("# {configuration}{more}")),
        ("packages/remotetask.yaml", format!("# {rest}")),
    ] {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

/// Home Assistant's own judgement.
#[test]
fn long_home_assistant_takes_the_package() {
    let hass = hass();
    let sandbox = Sandbox::new();
    let ids = ["7", "backup (daily)", "Check off!", "x_", "Caf\u{e9}", "\u{5907}\u{4efd}", "a_b", "a.b", "Backup"];
    let task = |at: usize, id: &str| {
        format!("\"{id}\": {{\"identifier\": \"a-key-of-task-{at}\", \"name\": \"{{{{ {id} }}}}\", \"command\": [\"/bin/true\"]}}")
    };
    let tasks: Vec<String> = ids.iter().enumerate().map(|(at, id)| task(at, id)).collect();
    sandbox.config("", &tasks.join(", "));
    let package = remotetask(&sandbox, &["url", "--for", "home-assistant", "--at", "https://nas.example.org"]);
    let folder = as_its_owner_puts_it(package.ok(), "");
    let mut check = Command::new(hass);
    check.args(["--script", "check_config", "--info", "all", "-c"]).arg(folder.path());
    let said = said(&mut check, "");
    let shown = said.out.to_lowercase();
    assert!(said.code == Some(0) && !shown.contains("failed config") && !shown.contains("error"), "{}", said.out);
    assert_eq!(shown.matches("unique_id: remotetask_task_").count(), 2 * ids.len(), "{}", said.out);
}

/// A Home Assistant that runs on this machine, and the words that let its owner in.
struct HomeAssistant {
    _folder: tempfile::TempDir,
    process: Child,
    base: String,
    token: String,
}

impl Drop for HomeAssistant {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

impl HomeAssistant {
    /// With this package, once its owner has logged in.
    fn with(package: &str) -> HomeAssistant {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let more = format!("api:\nauth:\nhttp:\n  server_host: 127.0.0.1\n  server_port: {port}\n");
        let folder = as_its_owner_puts_it(package, &more);
        let config = folder.path().display().to_string();
        said(Command::new(hass()).args(["--script", "auth", "-c", &config, "add", "anna", "secret of anna"]), "").ok();
        let process = Command::new(hass()).args(["-c", &config]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut own = HomeAssistant {
            _folder: folder,
            process: process.expect("it starts"),
            base: format!("http://127.0.0.1:{port}"),
            token: String::new(),
        };
        let id = format!("{}/", own.base);
        let begin = json!({"client_id": id, "handler": ["homeassistant", null], "redirect_uri": id});
        let flow =
            until("its first answer", || own.post("/auth/login_flow", &begin)["flow_id"].as_str().map(str::to_owned));
        let login = json!({"client_id": id, "username": "anna", "password": "secret of anna"});
        let code = own.post(&format!("/auth/login_flow/{flow}"), &login)["result"].clone();
        let form = format!("grant_type=authorization_code&client_id={id}&code={}", code.as_str().expect("a code"));
        own.token = own.curl("/auth/token", &["-d", &form])["access_token"].as_str().expect("a token").to_owned();
        own
    }

    fn curl(&self, path: &str, words: &[&str]) -> Value {
        let login = format!("Authorization: Bearer {}", self.token);
        let mut curl = Command::new("curl");
        curl.args(["-s", "--max-time", "60", "-H", &login]).args(words).arg(format!("{}{path}", self.base));
        serde_json::from_slice(&curl.output().expect("curl").stdout).unwrap_or_default()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.curl(path, &["-H", "Content-Type: application/json", "-d", &body.to_string()])
    }

    /// The state that it has for this.
    fn state(&self, entity: &str) -> Value {
        self.curl(&format!("/api/states/{entity}"), &[])
    }

    /// Its state anew, which must become this one.
    fn becomes(&self, entity: &str, state: &str) -> Value {
        until(state, || {
            self.post("/api/services/homeassistant/update_entity", &json!({ "entity_id": entity }));
            Some(self.state(entity)).filter(|found| found["state"] == state)
        })
    }
}

/// A real one: its button starts the task once, its sensor has the state, and looking starts nothing.
#[test]
fn long_home_assistant_presses_the_button() {
    let sandbox = Sandbox::with_task("echo ran >>$T/effect; [ ! -e $T/bad ]", ", \"name\": \"Check off\"");
    let base = served(&sandbox);
    let package = remotetask(&sandbox, &["url", "--for", "home-assistant", "--at", &base]);
    let home = HomeAssistant::with(package.ok());
    let (button, sensor) = ("button.check_off", "sensor.check_off");
    until("its button", || home.state(button)["state"].is_string().then_some(()));
    home.becomes(sensor, "never");
    assert!(!sandbox.path("effect").exists(), "it has only looked");
    home.post("/api/services/button/press", &json!({ "entity_id": button }));
    assert_eq!(sandbox.read("effect"), "ran\n");
    let state = home.becomes(sensor, "finished");
    assert!(state["attributes"]["exit"] == 0 && state["attributes"]["ended"].is_string(), "{state}");
    assert_eq!(sandbox.read("effect"), "ran\n");
    // From an automation; a failure is a state too.
    sandbox.write("bad", "");
    home.post("/api/services/rest_command/remotetask_task_t", &json!({}));
    assert_eq!(home.becomes(sensor, "failed")["attributes"]["exit"], 1);
    assert_eq!(sandbox.read("effect"), "ran\nran\n");
    // The keys are in no state that it shows.
    assert_no_key(home.curl("/api/states", &[]).to_string().as_bytes(), "its states");
}

/// The status that Home Assistant asks for starts nothing, and answers in JSON.
#[test]
fn the_status_sensor_only_looks() {
    let sandbox = two();
    let mut call = sandbox.get("/").var("QUERY_STRING", "status=1").accept("application/json");
    call.set("HTTP_X_MAGIC_KEY", MAGIC);
    call.set("HTTP_X_TASK_KEY", TASK);
    assert_eq!(call.send().json()["state"], "never");
    assert!(!sandbox.files().iter().any(|name| name.ends_with(".json") && name.starts_with("state")));
}

#[test]
fn who_can_only_get_is_told_how_a_get_starts_it() {
    let sandbox = two();
    remotetask(&sandbox, &["url", "--at", "https://nas.example.org"]).ok();
    for (caller, url) in [
        ("nfc", format!("https://nas.example.org/{MAGIC}/Jf4uB9rWx2KzQm8T?ask")),
        ("surveillance", format!("  URL      https://nas.example.org/{MAGIC}/Jf4uB9rWx2KzQm8T\n")),
    ] {
        let asks = text(&sandbox, "a.b", caller);
        assert!(
            asks.contains(&url) && asks.contains(" set 'a.b' get run\n") || asks.contains(" set a.b get run\n"),
            "{asks}"
        );
        let runs = text(&sandbox, "7", caller);
        assert!(
            !runs.contains("get run") && runs.contains(&format!("https://nas.example.org/{MAGIC}/{TASK}\n")),
            "{runs}"
        );
    }
}

/// A POST with the body of Synology Chat or of DSM's webhooks starts the task, as any POST does.
#[test]
fn a_form_of_another_program_starts_it() {
    let sandbox = two();
    for body in [&b"token=abc&user_id=3&username=anna&text=%2Fcheck"[..], b"{\"text\": \"DSM says\"}"] {
        let call = sandbox.call("POST", &format!("/{MAGIC}/{TASK}"));
        let call = call.var("CONTENT_TYPE", "application/x-www-form-urlencoded").body(body);
        call.send().is_like("200 OK", "Task finished: Check \"off\" (* s)\n");
    }
}

/// Each shows the task by name and number, and nobody's keys but the caller's.
#[test]
fn every_caller_has_a_text() {
    let sandbox = two();
    remotetask(&sandbox, &["url", "--at", "https://nas.example.org"]).ok();
    for caller in CALLERS {
        let shown = text(&sandbox, "7", caller);
        assert!(shown.contains("Check \"off\"") || shown.contains("Check \\\"off\\\""), "{caller}: {shown}");
        assert!(shown.contains(MAGIC) && shown.contains(TASK), "{caller}: {shown}");
        assert!(!shown.contains("Jf4uB9rWx2KzQm8T"), "{caller}");
        // Addresses and keys are as wide as they are; sentences are not.
        let wide = |line: &&str| line.chars().count() > 80 && !line.contains("http") && !line.contains(TASK);
        assert_eq!(shown.lines().find(wide), None, "{caller}");
    }
    let help = remotetask(&sandbox, &["url", "--help"]);
    assert!(CALLERS.iter().all(|caller| help.ok().contains(&format!("- {caller}:"))), "{}", help.out);
    // On a page, to be copied on the phone.
    sandbox.write("x.run", "");
    let file = sandbox.path("x.run").display().to_string();
    remotetask(&sandbox, &["url", "7", "--for", "ios", "--page", &file]).ok();
    let page = sandbox.read("x.run.html");
    assert!(
        page.contains("<pre>Check &quot;off&quot; (7) on an iPhone") && page.contains(&format!("X-Task-Key    {TASK}")),
        "{page}"
    );
    std::fs::remove_file(sandbox.path("x.run.html")).expect("its end");
}
