//! `remotetask report`: one paste about this NAS that everybody may read.

use super::install::tree;
use super::*;
use crate::workbench::{said, Said};

const SITES: &str = "/etc/nginx/sites-enabled";

fn report() -> Said {
    let mut command = Command::new(at("remotetask"));
    // As sudo calls it for an administrator.
    command.arg("report").env("SUDO_USER", "dora-the-owner");
    said(&mut command, "")
}

/// Its lines behind this heading.
fn part<'t>(text: &'t str, heading: &str) -> &'t str {
    let (_, rest) = text.split_once(&format!("== {heading}\n")).unwrap_or_else(|| panic!("{heading}: {text}"));
    rest.split("\n== ").next().unwrap_or(rest)
}

#[test]
fn no_secret_no_name_and_no_change() {
    let nas = Nas::new();
    nas.config(&format!("\"7\": {{\"identifier\": \"{TASK}\"}}"));
    nas.scheduled(7, "enabled", "echo a-secret-of-the-script");
    let url = ["url", "--at", "https://clarasnas.example.org:8443"];
    said(Command::new(at("remotetask")).args(url), "").ok();
    said(Command::new(at("remotetask")).args(["key", "new", "--label", "Erik's phone"]), "").ok();
    said(Command::new(at("remotetask")).args(["set", "panel", "new"]), "").ok();
    let _ = fs::create_dir_all(SITES);
    let site = format!("{SITES}/webservice_portal_clarasnas");
    let text = "server {\n  server_name clarasnas.example.org;\n  proxy_intercept_errors on; set_real_ip_from 203.0.113.77; # Bert's\n  \
                error_log /volume1/homes/bert/log;\n  location / { proxy_pass http://127.0.0.1:10765; }\n}\n\
                server { server_name bank.example.net; access_log /volume1/bank; }\nreal_ip_header X-Forwarded-For;\n";
    let text = format!("{text}error_page 404 /{MAGIC}/{TASK};\n");
    fs::write(&site, text).expect("a host");
    let before = tree();
    let said = report();
    same(&before, &tree());
    fs::remove_file(&site).expect("removed");
    let text = said.ok();
    let keys = fs::read_to_string(at("keys.json")).expect("keys.json");
    let keys: serde_json::Value = serde_json::from_str(&keys).expect("JSON");
    let keys = keys["keys"].as_object().expect("keys");
    assert!(keys.len() >= 2);
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").expect("a name").trim().to_owned();
    let mut secrets: Vec<String> = [
        MAGIC,
        TASK,
        &hostname,
        "clara",
        "bert",
        "dora",
        "erik",
        "Bert's",
        "example.org",
        "example.net",
        "bank",
        "203.0.113",
        "a-secret-of-the-script",
        "sha256:",
    ]
    .map(str::to_owned)
    .into();
    for (digest, secret) in keys {
        secrets.push(digest["sha256:".len()..].to_owned());
        secrets.push(secret["key"].as_str().expect("a key").to_owned());
    }
    for secret in secrets.iter().filter(|secret| !matches!(&***secret, "localhost" | "(none)")) {
        assert!(!text.to_lowercase().contains(&secret.to_lowercase()), "{secret}: {text}");
    }
    assert!(!text.contains(|c: char| c != '\n' && c.is_control()), "{text}");
    // And it says what it is for.
    assert!(part(text, "DSM").contains("productversion: 7.2\nbuildnumber: 64570\n"), "{text}");
    assert!(part(text, "sudo").starts_with("version: Sudo version 1."), "{text}");
    let programs = part(text, "DSM's programs");
    assert!(programs.contains("/usr/syno/bin/synoschedtask --help (exit "), "{text}");
    assert!(programs.contains("/usr/syno/bin/synoschedtask --get id=987654321 (exit 0): nothing"), "{text}");
    assert!(programs.contains("synologset1: not there"), "{text}");
    let nginx = part(text, "nginx");
    let told = "  | server {\n  |   proxy_intercept_errors on\n  |   set_real_ip_from address-1\n  |   error_log /volume1/homes/user-";
    assert!(nginx.contains(told) && nginx.contains("  | real_ip_header X-Forwarded-For"), "{text}");
    assert!(!nginx.contains("access_log /volume1"), "{text}");
    assert!(part(text, "Apache").contains("\nmod_cgid: "), "{text}");
}

/// A program of DSM's that hangs, and one that says too much, cost no more than their time.
#[test]
fn each_question_has_an_end() {
    let _nas = Nas::new();
    let (program, away) = ("/usr/syno/bin/synowebapi", "/usr/syno/bin/synowebapi.away");
    fs::rename(program, away).expect("away");
    script(Path::new(program), "yes clara | head -c 10000000; exec sleep 600");
    let said = report();
    fs::remove_file(program).expect("removed");
    fs::rename(away, program).expect("back");
    assert!(said.ok().contains("/usr/syno/bin/synowebapi --help: gives no answer within 10 s\n"), "{}", said.out);
    assert!(said.out.ends_with("== end of the report\n") && said.out.lines().count() < 600, "{}", said.out);
}

/// A NAS without anything of ours, or with a configuration that is refused, has a report too; its keys are hidden all the
/// same.
#[test]
fn whatever_is_broken() {
    let nas = Nas::new();
    // A key in an owner's own line.
    let _ = fs::create_dir_all(SITES);
    let site = format!("{SITES}/x");
    fs::write(&site, format!("error_page 404 /{MAGIC};\n")).expect("a line");
    for config in [
        "[1]",
        "{\"server\": [], \"tasks\": 7}",
        "{",
        &format!("{{\"magickey\": [{{\"key\": \"{MAGIC}\", \"x\": 1}}]}}"),
    ] {
        nas.raw_config(config);
        let said = report();
        assert!(said.ok().ends_with("== end of the report\n"), "{}", said.out);
        if config.contains(MAGIC) {
            assert!(said.out.contains("error_page 404 /KEY\n"), "{}", said.out);
            assert_no_key(said.out.as_bytes(), "the report");
        }
    }
    fs::remove_file(&site).expect("removed");
    fs::remove_file(at("config.json")).expect("removed");
    assert!(report().ok().starts_with("== Remote task starter\nversion: "));
    let other = nas.http(&format!("{FOLDER}/remotetask report"), &[]);
    assert!(other.stderr.contains("this needs root") && other.bytes.is_empty(), "{other:?}");
}
