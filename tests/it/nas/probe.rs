//! `probe` on NASes that behave differently: which way works, and is it set?

use super::first_hour::{bench, fill_it, on_a_small_volume};
use super::servers::by_port;
use super::*;

fn box_is(how: &[&str]) {
    fs::write("/usr/syno/etc/stand-in", how.join("\n") + "\n").expect("stand-in");
}

/// The harmless task as `remotetask probe` says to make it, and one more that has a URL.
fn with_tasks(state: &str) -> (Nas, String) {
    let nas = Nas::new();
    let session = "read -r _ _ _ _ _ session _ </proc/$$/stat; echo $session >/run/effects/session";
    nas.scheduled(3, state, &format!("date >>/usr/local/remotetask/state/probe; {session}"));
    nas.scheduled(7, state, "echo ran >>/run/effects/seven");
    bench(&["tasks", "add", "7", "--get", "run"]).ok();
    let path = bench(&["url", "7"]).paths().remove(0);
    (nas, path)
}

/// The last words of each line that a probe says about a way, and the row of its report.
fn probed(code: i32) -> (Vec<String>, String) {
    let said = bench(&["probe", "3", "--yes", "--watch", "4"]);
    assert_eq!((said.code, &*said.err), (Some(code), ""), "{}", said.out);
    assert!(said.out.lines().all(|line| line.starts_with('|') || line.chars().count() <= 80), "{}", said.out);
    let ways =
        ["--run: ", "--run check_time=0: ", "--run check_time=0 check_status=0: ", "its web API: ", "its own script: "];
    let line = |way: &&str| {
        said.out.lines().find_map(|line| line.strip_prefix(way)).unwrap_or_else(|| panic!("{way}: {}", said.out))
    };
    let words = ways.iter().map(|way| line(way).split([':', '.']).next().unwrap_or_default().to_owned()).collect();
    let row = said.out.lines().last().unwrap_or_default().to_owned();
    (words, row)
}

#[test]
fn a_box_on_which_a_plain_run_does_nothing() {
    let (nas, path) = with_tasks("enabled");
    let (words, row) = probed(0);
    assert_eq!(words, ["nothing", "ran", "ran", "ran", "ran"]);
    // The last of them, its own script, is not in the session of the owner's terminal, whose end would end it.
    let stat = fs::read_to_string("/proc/self/stat").expect("stat");
    let own = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(3)).expect("a session");
    assert_ne!(nas.effect_awaited("session").trim(), own);
    assert!(
        row.contains(" | synoschedtask synowebapi esynoscheduler | TaskScheduler 4, EventScheduler 4 | nothing |"),
        "{row}"
    );
    assert!(
        like(&row, "| * | 7.2-64570 | * | x86_64 | * | 1.* | nothing | ran | ran | ran | ran | synoschedtask |"),
        "{row}"
    );
    let config = fs::read_to_string(at("config.json")).expect("config.json");
    assert!(config.contains("\"scheduler\": \"synoschedtask\""), "{config}");
    let web = by_port("cgid");
    assert_eq!(web.get(&path).body, "Task started: Task 7 (handed to DSM)\n");
    nas.effect_awaited("seven");
    // As many columns as the table has.
    let boxes = include_str!("../../../docs/boxes.md");
    let head = boxes.lines().find(|line| line.starts_with("| model")).expect("the table");
    assert_eq!(row.matches('|').count(), head.matches('|').count());
}

#[test]
fn a_box_whose_scheduler_starts_nothing_from_outside() {
    let (nas, path) = with_tasks("enabled");
    box_is(&["deaf"]);
    let web = by_port("cgid");
    assert_eq!(web.get(&path).body, "Task started: Task 7 (handed to DSM)\n");
    let (words, row) = probed(0);
    assert_eq!(words, ["nothing", "nothing", "nothing", "ran", "ran"]);
    assert!(row.ends_with(" | synowebapi |"), "{row}");
    assert_eq!(nas.effect("seven"), "", "before, it said so and nothing ran");
    assert_eq!(web.get(&path).body, "Task started: Task 7 (handed to DSM)\n");
    assert_eq!(nas.effect_awaited("seven"), "ran\n");

    box_is(&["deaf", "webapi-idle"]);
    let (words, row) = probed(0);
    assert_eq!(words, ["nothing", "nothing", "nothing", "nothing", "ran"]);
    assert!(row.ends_with(" | direct |"), "{row}");
    assert!(like(&web.get(&path).body, "Task finished: Task 7 (* s)\n"));
    assert_eq!(nas.effect("seven"), "ran\nran\n");
}

#[test]
fn a_disabled_task_wants_its_own_way() {
    let (nas, path) = with_tasks("disabled");
    let (words, _) = probed(0);
    assert_eq!(words, ["nothing", "nothing", "ran", "ran", "ran"]);
    box_is(&["status-blind"]);
    let (words, row) = probed(0);
    assert_eq!(words, ["nothing", "nothing", "refused", "ran", "ran"]);
    assert!(row.ends_with(" | synowebapi |"), "{row}");
    let web = by_port("cgid");
    assert_eq!(web.get(&path).body, "Task started: Task 7 (handed to DSM)\n");
    assert_eq!(nas.effect_awaited("seven"), "ran\n");
}

/// Others can give a process any words, and a script of theirs may do what it likes to a terminal.
#[test]
fn what_others_do_is_no_evidence_and_reaches_no_terminal() {
    let (nas, _) = with_tasks("enabled");
    box_is(&["deaf", "webapi-idle"]);
    let tty = "(exec 3</dev/tty) 2>/dev/null && echo one >>/run/effects/tty || echo none >>/run/effects/tty";
    nas.scheduled(3, "enabled", tty);
    let mut forged = nas.as_http("exec bash -c 'exec -a /x/synoschedtask sh -c \"sleep 600; :\" --run id=3'", &[]);
    let line = format!("{} probe 3 --yes --watch 3", at("remotetask"));
    let said = crate::workbench::said(Command::new("script").args(["-qec", &line, "/dev/null"]), "");
    Command::new("pkill").args(["-u", "1023"]).status().expect("pkill");
    let _ = forged.wait();
    assert_eq!(said.out.matches("nothing: DSM took it").count(), 4, "{}", said.out);
    assert!(said.out.contains("ran: seen by its keeper"), "{}", said.out);
    assert_eq!(nas.effect_awaited("tty"), "none\n");
}

#[test]
fn a_box_without_a_web_api_and_one_on_which_nothing_works() {
    let (_nas, _) = with_tasks("enabled");
    box_is(&["deaf"]);
    fs::rename("/usr/syno/bin/synowebapi", "/usr/syno/bin/synowebapi.away").expect("rename");
    fs::write("/usr/syno/etc/synoschedule.d/root/3.task", "id=3\nowner=0\nstate=enabled\nname=x\n").expect("damaged");
    let before = fs::read_to_string(at("config.json")).expect("config.json");
    let (words, row) = probed(1);
    assert_eq!(words, ["nothing", "nothing", "nothing", "missing", "refused"]);
    assert!(row.ends_with(" | missing | refused | none |"), "{row}");
    assert_eq!(fs::read_to_string(at("config.json")).expect("config.json"), before);
}

/// A triggered task by both its ways; and a row about this NAS.
#[test]
fn a_triggered_task_and_its_ways() {
    let (nas, _) = with_tasks("enabled");
    nas.event("Harmless", "date >>/usr/local/remotetask/state/probe");
    let probed = |code: i32| {
        let said = bench(&["probe", "--event", "Harmless", "--yes", "--watch", "12"]);
        assert_eq!((said.code, &*said.err), (Some(code), ""), "{}", said.out);
        let of = |way: &str| {
            let line = said
                .out
                .lines()
                .find_map(|line| line.strip_prefix(way))
                .unwrap_or_else(|| panic!("{way}: {}", said.out));
            line.split([':', '.']).next().unwrap_or_default().to_owned()
        };
        (
            of("synowebapi: "),
            of("esynoscheduler: "),
            said.out.clone(),
            said.out.lines().last().unwrap_or_default().to_owned(),
        )
    };
    let (web, own, text, row) = probed(0);
    assert_eq!((&*web, &*own), ("ran", "ran"), "{text}");
    assert!(
        text.contains(
            "It ended with exit code 0; DSM's record of the task says\n{\"exit_code\":0,\"exit_type\":\"stop\"}."
        ),
        "{text}"
    );
    let programs = "synoschedtask synowebapi esynoscheduler | TaskScheduler 4, EventScheduler 4";
    assert!(row.ends_with(&format!(" | {programs} | ran | ran | synowebapi |")), "{row}");
    let boxes = include_str!("../../../docs/boxes.md");
    let head = boxes.lines().rfind(|line| line.starts_with("| model")).expect("the table");
    assert_eq!(row.matches('|').count(), head.matches('|').count());
    box_is(&["webapi-idle", "no-history"]);
    let (web, own, _, row) = probed(0);
    assert_eq!((&*web, &*own), ("nothing", "ran"));
    assert!(row.ends_with(" | nothing | ran | esynoscheduler |"), "{row}");
    assert!(fs::read_to_string(at("config.json")).expect("config.json").contains("\"events\": \"esynoscheduler\""));
    box_without("synowebapi");
    box_without("esynoscheduler");
    let (web, own, _, row) = probed(1);
    assert_eq!((&*web, &*own), ("missing", "missing"));
    assert!(
        row.ends_with(
            " | synoschedtask | TaskScheduler not known, EventScheduler not known | missing | missing | none |"
        ),
        "{row}"
    );
    fs::rename("/usr/syno/sbin/esynoscheduler.away", "/usr/syno/sbin/esynoscheduler").expect("back");
    let refused = bench(&["probe", "--event", "harmles", "--yes"]).refused();
    assert_eq!(refused, "remotetask: DSM has no triggered task \"harmles\". It has \"Harmless\".");
}

/// On a full volume what was seen is shown, and the configuration stays whole.
#[test]
fn what_cannot_be_written_is_said() {
    let nas = Nas::new();
    on_a_small_volume();
    nas.scheduled(3, "enabled", "true");
    nas.config(&format!("\"3\": {{\"identifier\": \"{TASK}\"}}"));
    bench(&["key", "new", "--label", "x"]).ok();
    fill_it();
    let before = fs::read(at("config.json")).expect("config.json");
    let said = bench(&["probe", "3", "--yes", "--watch", "6"]);
    let seen = said.out.contains("--run check_time=0: ran: seen by ");
    assert_eq!((said.code, seen), (Some(1), true), "{said:?}");
    let why = "remotetask: /usr/local/remotetask/config.json stays as it is: there is no space left";
    assert!(said.err.replace('\n', " ").starts_with(why), "{said:?}");
    assert_eq!(fs::read(at("config.json")).expect("config.json"), before);
}

#[test]
fn what_probe_refuses_and_how_to_make_the_task() {
    let (nas, _) = with_tasks("enabled");
    let how = bench(&["probe"]);
    assert!(how.ok().contains("\n  Run command    date >>/usr/local/remotetask/state/probe\n"), "{}", how.out);
    let refused = bench(&["probe", "9", "--yes"]).refused();
    assert_eq!(
        refused,
        "remotetask: the Task Scheduler has no task 9; remotetask tasks shows the numbers that it has."
    );
    // Nobody can be asked, and nobody has said yes.
    let said = bench(&["probe", "3"]);
    assert_eq!(said.code, Some(1));
    assert!(said
        .err
        .replace('\n', " ")
        .contains("nothing was started; where nobody can be asked, --yes says that it may run"));
    assert!(!Path::new(&at("state/probe")).exists());
    drop(nas);
}
