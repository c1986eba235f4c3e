//! The workbench is a program and no library, so the modules with its parsers are compiled in by their paths.
#![allow(dead_code, missing_docs)]

#[path = "../../workbench/src/owner/fault.rs"]
pub mod fault;
#[path = "../../workbench/src/owner/request_log.rs"]
pub mod request_log;
