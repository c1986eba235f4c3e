//! The words, signs and pictures by which a page tells of a state.

use super::*;

/// A running task has a bar, and no button but one to stop it, where its callers may.
#[test]
fn a_task_that_runs_on_the_panel() {
    let about = about(Wish::Page, Method::Get);
    let past = Box::new(Past { usual_ms: Some(240_000), runs: Vec::new() });
    let running = |may_stop, may_overlap| {
        let run = Run { past: past.clone(), ..run(State::Started) };
        let task = PanelTask { may_stop, may_overlap, ..on_panel("t", "T", Some(run)) };
        shown(&about, &panel(vec![task], 0, None))
    };
    let page = running(false, false);
    assert!(page.contains("<strong>Running</strong> for 1 min 10 s, usually 4 min"), "{page}");
    let bar =
        "<progress value=\"70000\" max=\"240000\" aria-label=\"Running for 1 min 10 s of about 4 min\"></progress>";
    assert!(page.contains(bar) && !page.contains("<button"), "{page}");
    let stop = "name=\"after\" value=\"01a2\"><button class=\"stop\" id=\"stop1\" aria-labelledby=\"stop1 name1\" \
                name=\"stop\" value=\"t\">Stop</button></form>";
    assert!(running(true, false).contains(stop), "{}", running(true, false));
    assert_eq!(
        (running(true, true).matches("<button").count(), running(false, true).matches("<button").count()),
        (2, 1)
    );
    // Nobody knows how long.
    let first = shown(&about, &panel(vec![on_panel("t", "T", Some(run(State::Started)))], 0, None));
    assert!(first.contains("<progress aria-label=\"Running for 1 min 10 s\"></progress>"), "{first}");
    // Not even a very long run leaves its bar.
    let long = About { now: STARTED + 10_000_000, ..about };
    let run = Run { past, ..run(State::Started) };
    let page = shown(&long, &panel(vec![on_panel("t", "T", Some(run))], 0, None));
    assert!(page.contains("<progress value=\"240000\" max=\"240000\"") && page.contains("for 2 h 46 min"), "{page}");
}

/// Each state: its kind, its sign, and its word in each language; and which pages look again by themselves.
#[test]
fn states_are_told_apart_by_sign_word_and_colour() {
    use State::*;
    let last = |state| Outcome::Last { run: Some(run(state)) };
    for (outcome, kind, sign, english, german, looks_again) in [
        (last(Starting), "run", "●", "Running", "Läuft", true),
        (last(Started), "run", "●", "Running", "Läuft", true),
        (last(Handing), "wait", "○", "Perhaps handed to DSM", "Vielleicht an DSM übergeben", false),
        (last(Handed), "wait", "○", "Handed to DSM", "An DSM übergeben", false),
        (last(Finished), "ok", "✓", "Done", "Fertig", false),
        (last(Failed), "bad", "✗", "Failed", "Fehlgeschlagen", false),
        (last(TimedOut), "bad", "✗", "Took too long", "Dauerte zu lange", false),
        (last(Stopped), "wait", "■", "Stopped", "Gestoppt", false),
        (last(Interrupted), "bad", "✗", "Interrupted", "Unterbrochen", false),
        (last(NotStarted), "bad", "✗", "Not started", "Nicht gestartet", false),
        (Outcome::Last { run: None }, "wait", "○", "Never started", "Noch nie gestartet", false),
        (Outcome::Started(run(Started)), "run", "●", "Running", "Läuft", true),
        (Outcome::Started(run(Handed)), "wait", "○", "Handed to DSM", "An DSM übergeben", false),
        (Outcome::Finished(run(Finished)), "ok", "✓", "Done", "Fertig", false),
        (Outcome::Failed(run(Failed)), "bad", "✗", "Failed", "Fehlgeschlagen", false),
        (Outcome::not_started(Step::Program, "x"), "bad", "✗", "Not started", "Nicht gestartet", false),
        (Outcome::Unknown { reason: "x".into() }, "wait", "?", "Not known", "Nicht bekannt", false),
        (Outcome::Running(run(Started)), "run", "●", "Running", "Läuft", true),
        (Outcome::Cooling { run: run(Finished), retry_after: 7 }, "wait", "○", "Not yet", "Noch nicht", false),
        (
            Outcome::Busy { retry_after: 7, reason: "x".into() },
            "wait",
            "○",
            "Too much is running",
            "Es läuft zu viel",
            false,
        ),
        (Outcome::Again(run(Failed)), "bad", "✗", "Failed", "Fehlgeschlagen", false),
        (Outcome::Stopped(run(Stopped)), "wait", "■", "Stopped", "Gestoppt", false),
        (Outcome::Newer(run(Started)), "run", "●", "Running", "Läuft", true),
        (Outcome::NotStopped { may: true, run: None }, "wait", "○", "Not running", "Läuft nicht", false),
        (
            Outcome::NotStopped { may: false, run: Some(run(Started)) },
            "wait",
            "○",
            "Cannot be stopped here",
            "Lässt sich hier nicht stoppen",
            true,
        ),
    ] {
        for (language, lang, word) in [(Language::English, "en", english), (Language::German, "de", german)] {
            let about = About { language, name: "<b>", ..about(Wish::Page, Method::Post) };
            let on_panel = panel(vec![on_panel("t", "<b>", outcome.run().cloned())], 0, Some(("t", outcome.clone())));
            for page in [shown(&about, &outcome), shown(&about, &on_panel)] {
                assert!(page.starts_with(&format!("<!doctype html>\n<html lang=\"{lang}\">")), "{page}");
                assert!(page.contains(&format!("<p class=\"state {kind}")), "{kind} in {page}");
                let line =
                    format!("<span class=\"sign\" aria-hidden=\"true\">{sign}</span><span><strong>{word}</strong>");
                assert!(page.contains(&line), "{line} in {page}");
                assert_eq!(page.contains("refresh\""), looks_again, "{page}");
                assert!(page.contains("&#60;b&#62;") && !page.contains("<b>"), "{page}");
            }
        }
    }
}

/// Words in place of machine words, and where a failure leads.
#[test]
fn sentences_on_a_page() {
    let line = |outcome: &Outcome, language, name: &str| {
        let page = shown(&About { language, reference: None, ..about(Wish::Page, Method::Post) }, outcome);
        assert!(page.contains(name), "{name} in {page}");
    };
    let at = |form: &str| words::time(STARTED).map(|time| time.format(form).to_string()).unwrap_or_default();
    let done = Outcome::Finished(Run { duration_ms: Some(5_100), ..run(State::Finished) });
    line(&done, Language::English, &format!("<strong>Done</strong> {}, took 5 s<", at("at %H:%M")));
    line(&done, Language::German, &format!("<strong>Fertig</strong> {}, dauerte 5 s<", at("um %H:%M")));
    let failed = Outcome::Failed(ended(State::Failed, Some(3), None));
    line(&failed, Language::English, &format!("<strong>Failed</strong> {}: exit code 3, after 1 s<", at("at %H:%M")));
    line(&failed, Language::English, "<code>01a2</code> (<code>sudo remotetask log 01a2</code>)");
    line(&failed, Language::German, "Rückgabewert 3, nach 1 s<");
    line(&Outcome::Failed(ended(State::Failed, None, Some(9))), Language::English, ": signal 9, after 1 s<");
    line(&Outcome::Again(run(State::Started)), Language::English, "Nothing was started a second time");
    line(&Outcome::Running(run(State::Started)), Language::German, "Die Aufgabe lief schon");
    line(
        &Outcome::Newer(run(State::Started)),
        Language::German,
        "Nichts wurde gestoppt: Dieser Lauf begann inzwischen.",
    );
    let cooling = Outcome::Cooling { run: run(State::Finished), retry_after: 75 };
    line(&cooling, Language::English, "<strong>Not yet</strong> Try again in 1 min 15 s.");
    line(&cooling, Language::English, "Last run: Done ");
}

#[test]
fn times_and_durations_in_words() {
    let texts = texts::Texts::of(Language::English);
    let day = 24 * 60 * 60 * 1000;
    let viewer = |now, clock| view::Viewer { texts: &texts, now, clock };
    for (ms, words) in [
        (0, "less than 1 s"),
        (499, "less than 1 s"),
        (500, "1 s"),
        (59_400, "59 s"),
        (60_000, "1 min"),
        (70_000, "1 min 10 s"),
        (3_599_000, "59 min 59 s"),
        (3_600_000, "1 h"),
        (90_060_000, "25 h 1 min"),
    ] {
        assert_eq!(viewer(NOW, view::Clock::Exact).duration(ms), words, "{ms}");
    }
    let at = |form: &str| words::time(STARTED).map(|time| time.format(form).to_string()).unwrap_or_default();
    for (age, relative, form) in [
        (0, "just now", "at %H:%M"),
        (59_999, "just now", ""),
        (60_000, "1 minute ago", ""),
        (59 * 60_000, "59 minutes ago", ""),
        (day, "", "yesterday at %H:%M"),
        (3 * day, "", "on %-d %b at %H:%M"),
        (300 * day, "", "on %-d %b %Y at %H:%M"),
    ] {
        let word = |clock| viewer(STARTED + age, clock).of_last(Some(&run(State::Interrupted))).more;
        assert!(relative.is_empty() || word(view::Clock::Relative) == relative, "{age}");
        assert!(form.is_empty() || word(view::Clock::Exact) == at(form), "{age}: {}", word(view::Clock::Exact));
    }
    // The clock was set back.
    assert_eq!(
        viewer(STARTED - 1000, view::Clock::Relative).of_last(Some(&run(State::Interrupted))).more,
        at("at %H:%M")
    );
}

#[test]
fn the_picture_of_the_last_runs() {
    let short = |state, duration_ms| Short { state, duration_ms };
    let runs = vec![
        short(State::Finished, Some(14_000)),
        short(State::Failed, Some(28_000)),
        short(State::NotStarted, None),
        short(State::Handed, None),
        short(State::Stopped, Some(1)),
        short(State::Started, None),
    ];
    let with = |runs| Outcome::Last {
        run: Some(Run { past: Box::new(Past { usual_ms: Some(14_000), runs }), ..run(State::Started) }),
    };
    let pictured = page(&with(runs.clone()), Wish::Page, Method::Get);
    let caption = "Last 5 runs: 1 done, 2 failed, 1 stopped, 1 without a known end; usually 14 s";
    for part in [
        "role=\"img\" aria-labelledby=\"runs\">",
        "<rect class=\"ok\" x=\"0\" y=\"20\" width=\"8\" height=\"20\"><title>14 s, 1 done</title></rect>",
        "<rect class=\"bad\" x=\"12\" y=\"0\" width=\"8\" height=\"40\"><title>28 s, 1 failed</title></rect>",
        "<rect class=\"bad\" x=\"24\" y=\"36\" width=\"8\" height=\"4\"><title>1 failed</title></rect>",
        &format!("<figcaption class=\"soft\" id=\"runs\">{caption}</figcaption>"),
    ] {
        assert!(pictured.contains(part), "{part} in {pictured}");
    }
    assert_eq!(pictured.matches("<rect ").count(), 5, "what runs has no bar yet");
    let one = with(runs[..1].to_vec());
    assert!(!page(&one, Wish::Page, Method::Get).contains("<svg"));
}

/// A page after a GET that started something leaves its address; others look again only while something runs.
#[test]
fn pages_move_on_or_look_again() {
    for (outcome, wish, method, expected) in [
        (Outcome::Started(run(State::Started)), Wish::Start, Method::Get, Some(("1", "?status"))),
        (Outcome::Started(run(State::Handed)), Wish::Start, Method::Get, Some(("1", "?status"))),
        (Outcome::Finished(run(State::Finished)), Wish::Start, Method::Get, Some(("1", "?status"))),
        (Outcome::Failed(run(State::Failed)), Wish::Start, Method::Get, Some(("1", "?status"))),
        (Outcome::Again(run(State::Finished)), Wish::Start, Method::Get, Some(("1", "?status"))),
        (Outcome::Running(run(State::Started)), Wish::Start, Method::Get, Some(("3", "?status"))),
        (Outcome::Cooling { run: run(State::Finished), retry_after: 9 }, Wish::Start, Method::Get, None),
        (Outcome::Started(run(State::Started)), Wish::Start, Method::Post, Some(("3", "?ask"))),
        (Outcome::Finished(run(State::Finished)), Wish::Start, Method::Post, None),
        (Outcome::Last { run: Some(run(State::Started)) }, Wish::Page, Method::Get, Some(("3", "?ask"))),
        (Outcome::Last { run: Some(run(State::Started)) }, Wish::Status, Method::Get, Some(("3", "?status"))),
        (Outcome::Last { run: Some(run(State::Handed)) }, Wish::Status, Method::Get, None),
        (Outcome::Last { run: None }, Wish::Page, Method::Get, None),
        (
            Outcome::NotStopped { may: true, run: Some(run(State::Started)) },
            Wish::Stop,
            Method::Post,
            Some(("3", "?ask")),
        ),
    ] {
        assert_eq!(refresh_of(&page(&outcome, wish, method)), expected, "{outcome:?} {wish:?} {method:?}");
    }
}

/// Each word that a page may say, and each line of a text, is explained to those who read it.
#[test]
fn each_word_is_explained() {
    let page = include_str!("../../../docs/use.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .map(|line| line.split('|').map(str::trim).collect())
        .filter(|row: &Vec<_>| row.len() == 6)
        .collect();
    let explained = |column: usize, word: &str| rows.iter().any(|row| row[column].split(", ").any(|one| one == word));
    for outcome in outcomes() {
        let (_, line) = words::headline(&outcome);
        assert!(explained(2, line), "{line}");
        let shown = page_of(&outcome);
        let word = shown.split("<strong>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default();
        assert!(explained(1, word), "{word}");
    }
}

fn page_of(outcome: &Outcome) -> String {
    shown(&about(Wish::Page, Method::Post), outcome)
}
