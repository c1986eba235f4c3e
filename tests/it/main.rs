//! The built programs, from outside. `nas` needs the throw-away machine of tests/nas/enter.

mod check;
mod commands;
mod life;
mod log;
mod nas;
mod over_ssh;
mod page;
mod refusals;
mod root_half;
mod scheduler;
mod support;
mod terminal;
mod web_half;
mod wide;
mod workbench;
