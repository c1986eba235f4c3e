//! A request's body: read away before the answer, and kept where it can be a form of ours.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use crate::credentials::Flaw;
use crate::streams::{self, Drained};

/// The largest body of a request that may start something.
pub const BODY_MAX: u64 = 1 << 20;
/// The time in which a body must have come.
pub const BODY_TIME: Duration = Duration::from_secs(3);
/// The largest form.
pub const FORM_MAX: u64 = 4 << 10;

const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// A body that was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// Its bytes, where they may be a form; not looked at yet.
    pub form: Vec<u8>,
    /// Why it was not seen whole, if it was not: such a request starts nothing.
    pub flaw: Option<Flaw>,
}

impl Body {
    /// Reads the body away for [`BODY_TIME`] at most, because some servers fail, or lose the answer, where it is left
    /// unread. That holds for one above [`BODY_MAX`] too.
    ///
    /// A body that ends before its CONTENT_LENGTH broke off: the caller went away, or the server gave the request up
    /// (Apache starts a program before it refuses a body that is too large). Without a CONTENT_LENGTH (chunks, which
    /// Apache unpacks) the end of a body looks like a break.
    pub fn read(body: impl AsFd, var: impl Fn(&str) -> Option<OsString>) -> Body {
        let bytes = |name| var(name).map(OsStringExt::into_vec).unwrap_or_default();
        let declared = bytes("CONTENT_LENGTH");
        let declared = declared.trim_ascii();
        let (length, flaw) = match declared.is_empty() {
            // RFC 3875, 4.1.2: absent or empty is no body.
            true if bytes("HTTP_TRANSFER_ENCODING").is_empty() => return Body::default(),
            true => (u64::MAX, Some(Flaw::NoLength)),
            false => match std::str::from_utf8(declared).ok().and_then(|text| text.parse().ok()) {
                Some(0) => return Body::default(),
                Some(length) if length > BODY_MAX => (length, Some(Flaw::LargeBody)),
                Some(length) => (length, None),
                None => (u64::MAX, Some(Flaw::NoLength)),
            },
        };
        let mut form = Vec::new();
        let kept = (length <= FORM_MAX && is_form(&bytes("CONTENT_TYPE"))).then_some(&mut form);
        let flaw = match streams::drain(body, length, Instant::now() + BODY_TIME, kept) {
            _ if flaw.is_some() => flaw,
            Drained::Whole => None,
            Drained::Ended => Some(Flaw::Body),
            Drained::Late => Some(Flaw::SlowBody),
        };
        Body { form, flaw }
    }
}

/// Parameters such as a charset may follow.
fn is_form(content_type: &[u8]) -> bool {
    let media = content_type.split(|&b| b == b';').next().unwrap_or_default();
    media.trim_ascii().eq_ignore_ascii_case(FORM)
}
