//! Home Assistant: a package with a button and a state for each task.
//!
//! Its log shows a `rest_command`'s URL at each answer from 400 on, and not its headers: the keys stand in these, and come
//! from secrets.yaml. It gives up after 10 s unless `timeout` says otherwise. The state asks by `params`, because a query in
//! `resource` may be dropped.

use std::fmt::Write as _;

use super::{in_quotes, Call};

/// Seconds between two questions for a state.
const INTERVAL: u64 = 60;

pub fn package(calls: &[Call<'_>]) -> String {
    let Some(first) = calls.first() else { return String::new() };
    let mut text = format!(
        "# 1. secrets.yaml: add these lines.\n\
         remotetask_magic_key: {}\n",
        in_quotes(first.magic)
    );
    for call in calls {
        let _ = writeln!(text, "remotetask_{}_task_key: {}", call.slug, in_quotes(call.identifier));
    }
    text.push_str(
        "\n\
         # 2. configuration.yaml: add these lines, unless packages stand there already.\n\
         homeassistant:\n\
         \x20 packages: !include_dir_named packages\n\
         \n\
         # 3. packages/remotetask.yaml: all that follows, as a new file. Then restart\n\
         #    Home Assistant. Each task has a button and a sensor with its state. No\n\
         #    RESTful switch or sensor may have a task's own address: it would start\n\
         #    the task at each poll, every 30 s. The sensor below only looks.\n",
    );
    text.push_str("rest_command:\n");
    for call in calls {
        let _ = write!(
            text,
            "  remotetask_{}:\n    url: {}\n    method: post\n{}    timeout: {}\n",
            call.slug,
            in_quotes(&format!("{}/", call.base)),
            headers(call, "    "),
            call.patience
        );
    }
    text.push_str("template:\n  - button:\n");
    for call in calls {
        let _ = write!(
            text,
            "      - name: {}\n        unique_id: remotetask_{slug}\n        press:\n          - service: rest_command.remotetask_{slug}\n",
            in_quotes(&literally(call.shown)),
            slug = call.slug
        );
    }
    text.push_str("rest:\n");
    for call in calls {
        let _ = write!(
            text,
            "  - resource: {}\n    params:\n      status: \"1\"\n{}    scan_interval: {INTERVAL}\n    timeout: {}\n    \
             sensor:\n      - name: {}\n        unique_id: remotetask_{}_state\n        \
             value_template: \"{{{{ value_json.state }}}}\"\n        \
             json_attributes: [started, ended, duration_ms, exit, signal, reference]\n",
            in_quotes(&format!("{}/", call.base)),
            headers(call, "    "),
            call.patience,
            in_quotes(&literally(call.shown)),
            call.slug
        );
    }
    text
}

fn headers(call: &Call<'_>, indent: &str) -> String {
    format!(
        "{indent}headers:\n{indent}  X-Magic-Key: !secret remotetask_magic_key\n\
         {indent}  X-Task-Key: !secret remotetask_{}_task_key\n{indent}  Accept: application/json\n",
        call.slug
    )
}

/// A name where Home Assistant expects a template.
fn literally(name: &str) -> String {
    match ["{{", "{%", "{#"].iter().any(|begin| name.contains(begin)) {
        true => format!("{{{{ {} }}}}", in_quotes(name)),
        false => name.to_owned(),
    }
}
