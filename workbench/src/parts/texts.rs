//! The texts that an installation consists of, as webstation/ has them.

/// The two lines for sudo.
pub const SUDOERS: &str = include_str!("../../../webstation/sudoers");
/// Apache's drop-in for a port of its own.
pub const DROP_IN: &str = include_str!("../../../webstation/remotetask.conf");
/// A document root in which Apache starts the program.
pub const HTACCESS: &str = include_str!("../../../webstation/.htaccess");
/// A document root with a page of PHP.
pub const PHP_HTACCESS: &str = include_str!("../../../webstation/php/.htaccess");
/// That page.
pub const PHP_PAGE: &str = include_str!("../../../webstation/php/index.php");
/// nginx's lines for that page.
pub const PHP_NGINX: &str = include_str!("../../../webstation/php/nginx.conf");
/// The script for DSM's boot.
pub const BOOT: &str = include_str!("../../../webstation/boot.sh");
