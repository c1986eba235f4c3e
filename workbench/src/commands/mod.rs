//! The owner's commands, a module each.

pub mod overview; // remotetask alone: where things stand, and the next step
pub mod status; // the last run of each task
pub mod log; // requests and runs as one timeline
pub mod tasks; // what can be started
pub mod targets; // what a new task starts
pub mod set; // a setting of the server, or of a task
pub mod key; // people and devices
pub mod url; // secret URLs, as codes, as text, as a page
pub mod recipes; // ready text for callers
pub mod page; // a page of URLs that goes after it was read
pub mod seal; // digests in place of plain keys
pub mod try_request; // everything but the start
pub mod probe; // the method that starts a scheduled task on this NAS
pub mod probe_event; // the same for a triggered task
pub mod prove; // one request, all the way
pub mod report; // what is not known of DSM, of this NAS, without secrets
