//! All that takes bytes from outside, each as a function that takes any bytes and panics where a promise is broken.
//!
//! `tests/fuzz` gives them to libFuzzer; `cargo test` gives each the inputs that are kept in `corpus/`.

mod asked; // CGI variables and a body → judgement, wish, form
mod configuration; // config.json, at a glance and in full
mod line; // the lines between the halves, and the pages that are made of an answer
mod scheduler; // the answers of synoschedtask
mod web_api; // the answers of synowebapi and esynoscheduler, and the ends of runs that they tell
mod store; // the files of the scheduler's store
mod state; // the records in state/
mod log; // log.txt, as the workbench reads it
mod sudo; // the answers of `sudo -l`
mod apache; // the web server's reports and files

mod owner; // the workbench's own modules, which the last three read by
mod workbench;

/// A function that takes any bytes.
pub type Target = fn(&[u8]);

/// Each target by its name, which is also that of its folder in `corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("request", asked::request),
    ("config", configuration::config),
    ("ask", line::ask),
    ("reply", line::reply),
    ("synoschedtask", scheduler::synoschedtask),
    ("synowebapi", web_api::synowebapi),
    ("esynoscheduler", web_api::esynoscheduler),
    ("store", store::store),
    ("record", state::record),
    ("log", log::log),
    ("sudo", sudo::sudo),
    ("apache", apache::apache),
];

/// Asserts that a text is one line that a terminal shows as it stands.
fn assert_is_a_line(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// Inputs that a fuzzer begins with, and those that have shown a fault.
    #[test]
    fn every_kept_input_keeps_the_promises() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        for (name, target) in TARGETS {
            let entries = fs::read_dir(corpus.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
            let inputs: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
            assert!(inputs.len() >= 5, "{name} has {} inputs", inputs.len());
            for path in inputs {
                println!("{}", path.display());
                target(&fs::read(path).expect("an input"));
            }
        }
    }

    #[test]
    fn no_bytes_and_odd_bytes() {
        for (_, target) in TARGETS {
            for input in [&b""[..], b"\0", b"\xff", b"{", b"\xef\xbb\xbf{}", b"\n\n\n", &[b'['; 300], &[b'"'; 5000]] {
                target(input);
            }
        }
    }
}
