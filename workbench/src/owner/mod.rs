//! The owner: screen and sentences, and both files of keys as an owner changes them.

pub mod version; // of these programs
pub mod fault; // an error in an owner's words
pub mod screen; // the owner's terminal, or a pipe
pub mod finding; // a fault or advice of `check`, declared once
pub mod run_words; // runs in an owner's words
pub mod request_log; // log.txt, read
pub mod report; // findings on the screen
pub mod workbench; // the installation of this program
pub mod strength; // guesses that a key takes
pub mod layout; // the text of config.json
pub mod edit; // config.json, changed as a whole or not at all
pub mod secrets; // new keys; keys.json
pub mod view; // both files as the owner reads them
pub mod known_keys; // keys.json follows config.json
pub mod panel; // the key of the page that people get
pub mod names; // people, tasks, words of a shell
pub mod typed; // secrets among the words of a command line
pub mod addresses; // where a NAS is reached
pub mod urls; // secret URLs, and codes of them
