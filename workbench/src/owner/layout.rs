//! The layout of config.json as it is written.

use serde_json::Value;

/// A value is written in one line if that is no longer than this.
const LINE: usize = 120;

/// The text of a configuration: a task and a magic key a line, as long as they fit in one.
pub fn layout(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0, "");
    text.push('\n');
    text
}

/// The file, `server`, `tasks` and the list of magic keys are always broken up.
fn write(text: &mut String, value: &Value, depth: usize, name: &str) {
    let line = one_line(value);
    let open = depth == 0 || depth == 1 && value.is_object() || name == "magickey" && value.is_array();
    let column = text.len() - text.rfind('\n').map_or(0, |at| at + 1);
    if !open && column + line.len() <= LINE {
        text.push_str(&line);
        return;
    }
    let indent = "  ".repeat(depth + 1);
    let end = "  ".repeat(depth);
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push_str("{\n");
            for (at, (name, value)) in map.iter().enumerate() {
                text.push_str(&format!("{indent}{}: ", Value::from(&**name)));
                write(text, value, depth + 1, name);
                text.push_str(if at + 1 < map.len() { ",\n" } else { "\n" });
            }
            text.push_str(&format!("{end}}}"));
        }
        Value::Array(list) if !list.is_empty() => {
            text.push_str("[\n");
            for (at, value) in list.iter().enumerate() {
                text.push_str(&indent);
                write(text, value, depth + 1, "");
                text.push_str(if at + 1 < list.len() { ",\n" } else { "\n" });
            }
            text.push_str(&format!("{end}]"));
        }
        _ => text.push_str(&line),
    }
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let fields = map.iter().map(|(name, value)| format!("{}: {}", Value::from(&**name), one_line(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_long_is_broken_up() {
        let words: Vec<String> = (0..30).map(|n| format!("word{n}")).collect();
        let text = layout(&json!({ "tasks": { "b": { "command": words, "name": "N" } } }));
        assert!(
            text.starts_with("{\n  \"tasks\": {\n    \"b\": {\n      \"command\": [\n        \"word0\",\n"),
            "{text}"
        );
        assert!(text.ends_with("      \"name\": \"N\"\n    }\n  }\n}\n"), "{text}");
        assert!(text.lines().all(|line| line.len() <= LINE));
    }
}
