//! Recipes for phones, tags, DSM's own programs, a dashboard.

use std::fmt::Write as _;

use super::{in_quotes, Call};
use crate::owner::workbench::Workbench;

/// The fields of a request with the keys in headers.
fn fields(call: &Call<'_>) -> String {
    format!(
        "  URL      {}/\n  Method   POST\n  Headers  X-Magic-Key   {}\n           X-Task-Key    {}\n",
        call.base, call.magic, call.identifier
    )
}

pub fn ios(call: &Call<'_>) -> String {
    format!(
        "{shown} ({id}) on an iPhone or iPad.\n\
         \n\
         On the home screen: open this in Safari, tap Share, Add to Home Screen. Opening\n\
         it starts nothing; its button does.\n\
         \x20 {}\n\
         \n\
         For Siri, the lock screen and automations, in the app Shortcuts: a new shortcut\n\
         with one action, Get Contents of URL (tap the arrow to see the rest):\n\
         {}",
        call.ask(),
        fields(call),
        shown = call.shown,
        id = call.id
    )
}

pub fn android(call: &Call<'_>) -> String {
    format!(
        "{shown} ({id}) on Android.\n\
         \n\
         On the home screen: open this in Chrome, tap the three dots, Add to Home screen.\n\
         Opening it starts nothing; its button does.\n\
         \x20 {}\n\
         \n\
         For one tap without a page, in the app HTTP Shortcuts: plus, Regular Shortcut;\n\
         Basic Request Settings has Method and URL, Request Headers the rest:\n\
         {}",
        call.ask(),
        fields(call),
        shown = call.shown,
        id = call.id
    )
}

pub fn nfc(call: &Call<'_>, bench: &Workbench) -> String {
    let ask = format!(
        "{} ({}) on an NFC tag, written as a URL by an app such as NFC Tools.\n\
         \n\
         A page with the button, whoever touches the tag:\n\
         \x20 {}\n\
         \n",
        call.shown,
        call.id,
        call.ask()
    );
    let at_once = match call.get_runs {
        true => format!("At once, by the touch alone; whoever can touch the tag starts it:\n  {}\n", call.url()),
        false => format!(
            "To start it by the touch alone, let a GET start it, and take the same address\n\
             without ?ask. Whoever can touch the tag starts it then:\n\
             \x20 {}\n",
            call.get_run(bench)
        ),
    };
    ask + &at_once
}

pub fn dsm_webhook(call: &Call<'_>) -> String {
    format!(
        "{} ({}) from a notification of DSM's.\n\
         \n\
         Control Panel, Notification, Webhooks (older: Push Service), Add, Provider\n\
         Custom. Its fields, of which DSM shows some on the next page:\n\
         {}\
         \x20 Body     as DSM proposes it; it is read and thrown away\n\
         \n\
         \"Send a test message\" starts the task. Choose by rules which events do.\n",
        call.shown,
        call.id,
        fields(call)
    )
}

pub fn surveillance(call: &Call<'_>, bench: &Workbench) -> String {
    let first = match call.get_runs {
        true => String::new(),
        false => format!(
            "It can only GET, and this task answers a GET with a page. Let a GET start it:\n\x20 {}\n\n",
            call.get_run(bench)
        ),
    };
    format!(
        "{} ({}) from an action rule of Surveillance Station.\n\
         \n\
         {first}\
         Action Rule, Add; as Action the device Webhook (older: External Device, HTTP).\n\
         \x20 Method   GET\n\
         \x20 URL      {}\n\
         Leave user name and password empty.\n",
        call.shown,
        call.id,
        call.url()
    )
}

pub fn synology_chat(call: &Call<'_>) -> String {
    format!(
        "{} ({}) by a slash command of Synology Chat.\n\
         \n\
         Your picture, Integration, Slash Commands, Create:\n\
         \x20 Command name  {}\n\
         \x20 Request URL   {}\n\
         Everybody who may use that command starts the task. Chat shows nothing of the\n\
         answer; the panel does.\n",
        call.shown,
        call.id,
        call.slug.trim_start_matches("task_"),
        call.url()
    )
}

pub fn homer(calls: &[Call<'_>]) -> String {
    let mut text = "# config.yml of Homer. A tile opens the task's page; its button starts it.\n\
                    # Whoever can open the dashboard's file has these addresses.\n\
                    services:\n  - name: \"NAS\"\n    items:\n"
        .to_owned();
    for call in calls {
        let _ = write!(
            text,
            "      - name: {}\n        icon: \"fas fa-play\"\n        url: {}\n        target: \"_blank\"\n",
            in_quotes(call.shown),
            in_quotes(&call.ask())
        );
    }
    text
}
