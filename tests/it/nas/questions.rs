//! docs/questions.md: each of its commands in their order, as an owner types them.

use super::first_hour::{bench, date};
use super::install::{setup, status, Bare};
use super::web_check::{nginx, PROXIED};
use super::*;
use crate::workbench::said;

/// The commands of a page: its indented lines.
fn commands(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix("    ")).collect()
}

#[test]
fn each_command_does_what_the_page_says() {
    let bare = Bare::new();
    let _address = HomeAddress::new();
    bare.nas.scheduled(7, "disabled", "true");
    let task = format!("{STORE}/7.task");
    fs::write(&task, fs::read_to_string(&task).expect("it").replace("Task 7", "Check off")).expect("written");
    setup(&["--port"]).ok();
    bench(&["tasks", "add", "7"]).ok();
    bench(&["key", "new", "--label", "Anna's phone"]).ok();
    // The owner's clicks, by each name of the page.
    let _proxy = nginx("location / { proxy_pass http://192.168.1.20:10765; proxy_set_header X-Real-IP $remote_addr; }");
    let lost = bench(&["url", "--who", "Anna's phone"]).paths().remove(0);
    assert_eq!(status(&lost), 200);
    let expected = [
        ("key rotate", "the old one is refused from the next request on."),
        ("try", "Anna's phone"),
        ("key rotate", "the old one is refused from the next request on."),
        ("set panel new", "the panel"),
        ("tasks rotate", "Check off"),
        ("log --who", "Anna's phone"),
        ("key new --label Bert", "Bert has a key now."),
        ("phone home", "good   all of the way works, at http://192.168.1.20:10765"),
        ("phone proxy", "good   all of the way works, at http://192.168.1.20:10766"),
        ("phone proxy", "good   all of the way works, at http://192.168.1.20:10766"),
        ("log --since", "looked at the panel"),
        ("log", "looked at the panel"),
        ("check --url", "works"),
        ("probe", "harmless"),
        ("repair", "nothing was changed"),
        ("check", "works"),
        ("report", "DSM"),
    ];
    let page = include_str!("../../../docs/questions.md");
    assert_eq!(commands(page).len(), expected.len(), "a command more, or less");
    for (line, (words, told)) in commands(page).into_iter().zip(expected) {
        let typed = line.strip_prefix("sudo remotetask ").unwrap_or_else(|| panic!("{line}"));
        assert!(typed.starts_with(words), "{words}: {line}");
        let typed = ["https://tasks.example.org", "https://nas.your-tailnet.ts.net"]
            .iter()
            .fold(typed.replace("2027-01-31", &date("next sunday")), |typed, name| typed.replace(name, PROXIED));
        let anna = bench(&["url", "--who", "Anna's phone"]);
        let link = anna.out.split_whitespace().find(|word| word.starts_with("http")).unwrap_or_default();
        let done =
            said(Command::new("sh").args(["-c", &format!("{} {typed}", at("remotetask"))]), &format!("{link}\n"));
        assert!(done.ok().contains(told), "{line}: {}", done.out);
        assert!(done.out.len() > 20 && status_of(&format!("http://192.168.1.20:10765{lost}")) != 200, "{line}");
    }
}
