//! The built programs, from outside. `nas` needs the throw-away machine of tests/nas/enter.

mod browser;
mod check;
mod commands;
mod documents;
mod faults;
mod history;
mod life;
mod log;
mod nas;
mod over_ssh;
mod page;
mod recipes;
mod refusals;
mod release;
mod root_half;
mod scheduler;
mod set;
mod style;
mod support;
mod terminal;
mod turns;
mod typed;
mod web_half;
mod wide;
mod workbench;
