//! Facts of this machine. Nothing here changes it.

pub mod apache; // Web Station's Apache, as it reports itself
pub mod box_row; // the NAS in a row of docs/boxes.md
pub mod http; // requests with curl
pub mod installation; // the installation as it lies here
pub mod shared_folder; // a folder that others may write, by an open descriptor
pub mod sure_name; // names that nobody else can make mean another file
