//! The version of these programs, and the C library that they bring along.

/// As `--version` and `check` show it. What the library costs stands in docs/install.md.
#[cfg(target_env = "musl")]
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " with musl");
/// As `--version` and `check` show it. What the library costs stands in docs/install.md.
#[cfg(not(target_env = "musl"))]
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " with glibc");
