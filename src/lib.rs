//! One secret URL starts one task of a Synology NAS.
//!
//! The modules below stand in the order in which a request passes through them; `bin/` holds the
//! programs, each with its main path on one screen. ARCHITECTURE.md tells the whole story.

// The web half: `remotetask-cgi`, as the web server's user.
pub mod request; // environment and body → Request
pub mod credentials; // the two keys that it presents, or its flaw
pub mod config; // config.json → Config, or a Refusal that names place and fix
pub mod key; // what a key may look like; digests, compared in constant time
pub mod judge; // Credentials of a Request or an Ask, and Config → Permit (both halves; pure)
pub mod line; // the line between the halves: Ask and Reply
pub mod elevate; // Permit → Ask ⇒ sudo ⇒ Reply

// The root half: `remotetask-run`, and `remotetask-keep` for what is kept.
pub mod world; // step 0: nothing of the caller's world stays
pub mod trust; // steps 1 and 2: who we are, and what may be believed
pub mod look; // what is told of runs, where nothing is to start
pub mod turn; // step 6: lock, overlap, ceilings
pub mod start; // steps 7 and 8: the target exists; it is started
pub mod keep; // step 9 for a command: stays until it has ended
pub mod stop; // the end of runs that a caller asks for
pub mod record; // what is known of a run, in state/

// And back to the caller.
pub mod outcome; // one variant a row of the answers' table
pub mod step; // the numbers of the steps at which a start can fail
pub mod response; // the bytes of the answer
pub mod log; // log.txt
pub mod answer; // Outcome or refusal → its line in the log, and the Response

// Needed by several of them.
pub mod accounts; // users and groups of this machine
pub mod child; // a process of ours: environment, output, end
pub mod tree; // processes and their descendants, and how all of them are ended
pub mod files; // own folder, bounded reads, programs, locks
pub mod streams; // bounded reads of pipes, with a deadline
pub mod text; // escaping, for the log and for HTML

/// A fault on demand, to see that a fault is answered too. In the tests' build alone.
#[cfg(feature = "drill")]
pub fn drill(point: &str) {
    if std::env::var_os("REMOTETASK_DRILL").is_some_and(|wanted| wanted == point) {
        panic!("drill");
    }
}

/// Nothing.
#[cfg(not(feature = "drill"))]
pub fn drill(_: &str) {}
