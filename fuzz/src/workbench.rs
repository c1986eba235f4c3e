//! More of the workbench's modules, by their paths.
#![allow(dead_code, missing_docs)]

#[path = "../../workbench/src/nas/apache.rs"]
pub mod apache;
#[path = "../../workbench/src/parts/sudo_rule/listing.rs"]
pub mod listing;
