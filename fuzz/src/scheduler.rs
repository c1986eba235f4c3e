//! The answers of `synoschedtask --get`.

use remotetask::start::synoschedtask::{mentioned, parse, Listed};

/// Reads an answer, whole and cut off.
pub fn synoschedtask(answer: &[u8]) {
    let answer = String::from_utf8_lossy(answer);
    let numbers = mentioned(&answer);
    let Some(task) = parse(&answer, true) else { return };
    assert!(numbers.contains(&task.id), "{} is not in the answer", task.id);
    assert!(task.name.chars().count() <= 100);
    let head = |task: &Listed| (task.id, task.name.clone(), task.enabled, task.owner.clone(), task.user.clone());
    let cut = parse(&answer, false).expect("the same head");
    assert_eq!(head(&cut), head(&task));
    // A script can look like another task, and changes nothing of this one.
    let is_command = |line: &str| line.split(':').next().is_some_and(|label| label.trim() == "Command");
    if answer
        .lines()
        .skip_while(|line| line.trim().is_empty())
        .take_while(|line| !line.trim().is_empty())
        .any(is_command)
    {
        let fooling = format!("{answer}\n   ID: [999]\n  State: [enabled]\n  Owner: [root]\n  User: [root]\n x");
        let fooled = parse(&fooling, true).expect("the same head");
        assert_eq!(head(&fooled), head(&task));
    }
}
