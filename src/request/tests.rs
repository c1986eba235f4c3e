use super::*;
use std::os::unix::ffi::OsStrExt;

fn request(variables: &[(&str, &[u8])]) -> Request {
    Request::from_variables(|name| {
        let value = variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        value.map(|value| std::ffi::OsStr::from_bytes(value).to_owned())
    })
}

fn get(path: &[u8]) -> Request {
    request(&[("REQUEST_METHOD", b"GET"), ("PATH_INFO", path)])
}

#[test]
fn the_path() {
    let keys = |magic: &str, task: &str| (magic.to_owned(), task.to_owned());
    for (path, expected, flaw) in [
        (&b"/magic/task"[..], keys("magic", "task"), None),
        (b"/magic/task/", keys("magic", "task"), None),
        (b"/magic/task//", keys("magic", "task"), Some(Flaw::Segments)),
        (b"/magic//task", keys("magic", ""), Some(Flaw::Segments)),
        (b"//magic/task", keys("", "magic"), Some(Flaw::Segments)),
        (b"/magic", keys("magic", ""), Some(Flaw::Segments)),
        (b"/magic/", keys("magic", ""), Some(Flaw::Segments)),
        (b"/magic/task/more", keys("magic", "task"), Some(Flaw::Segments)),
        (b"//", keys("", ""), Some(Flaw::Segments)),
        (b"///", keys("", ""), None),
        (b"magic/task", keys("magic", "task"), Some(Flaw::Segments)),
        (b"/ma\xffgic/ta\nsk", keys("ma\u{fffd}gic", "ta\nsk"), None),
    ] {
        let request = get(path);
        let (credentials, found) = request.credentials();
        assert_eq!((credentials.text(), found), (expected, flaw), "{}", path.escape_ascii());
        assert!(!request.is_doorstep(), "{}", path.escape_ascii());
    }
    assert!(get(b"/").is_doorstep() && get(b"").is_doorstep());
}

#[test]
fn the_doorstep_is_a_get_or_head_of_the_root_without_keys() {
    let at = |method: &'static [u8], more: (&'static str, &'static [u8])| {
        request(&[("REQUEST_METHOD", method), ("PATH_INFO", b"/"), more]).is_doorstep()
    };
    let nothing = ("HTTP_X", &b""[..]);
    assert!(at(b"GET", nothing) && at(b"HEAD", nothing));
    assert!(!at(b"POST", nothing) && !at(b"OPTIONS", nothing) && !at(b"get", nothing) && !at(b"", nothing));
    assert!(!at(b"GET", ("HTTP_X_MAGIC_KEY", b"x")));
    assert!(at(b"GET", ("HTTP_X_MAGIC_KEY", b"")));
    assert!(!at(b"GET", ("REDIRECT_STATUS", b"403")));
    assert!(at(b"GET", ("REDIRECT_STATUS", b"200")));
}

#[test]
fn keys_in_headers() {
    let with = |path: &[u8], magic: &[u8], task: &[u8]| {
        let request = request(&[
            ("REQUEST_METHOD", b"POST"),
            ("PATH_INFO", path),
            ("HTTP_X_MAGIC_KEY", magic),
            ("HTTP_X_TASK_KEY", task),
        ]);
        let (credentials, flaw) = request.credentials();
        (credentials.text(), flaw)
    };
    let keys = |magic: &str, task: &str| (magic.to_owned(), task.to_owned());
    for (path, magic, task, expected, flaw) in [
        (&b"/"[..], &b"m"[..], &b"t"[..], keys("m", "t"), None),
        (b"", b"m", b"t", keys("m", "t"), None),
        (b"/", b"m", b"", keys("m", ""), Some(Flaw::Mixed)),
        (b"/", b"", b"t", keys("", "t"), Some(Flaw::Mixed)),
        (b"/m/t", b"m", b"t", keys("m", "t"), Some(Flaw::Mixed)),
        (b"/m/t", b"", b"t", keys("", "t"), Some(Flaw::Mixed)),
        (b"/m/t", b"", b"", keys("m", "t"), None),
    ] {
        assert_eq!(with(path, magic, task), (expected, flaw), "{}", path.escape_ascii());
    }
}

#[test]
fn methods_and_the_servers_own_refusals() {
    let flaw = |method: &'static [u8], status: &'static [u8]| {
        request(&[("REQUEST_METHOD", method), ("PATH_INFO", b"/m/t"), ("REDIRECT_STATUS", status)]).credentials().1
    };
    for (method, status, expected) in [
        (&b"GET"[..], &b""[..], None),
        (b"HEAD", b"", None),
        (b"POST", b"200", None),
        (b"PUT", b"", Some(Flaw::Method)),
        (b"DELETE", b"", Some(Flaw::Method)),
        (b"get", b"", Some(Flaw::Method)),
        (b"", b"", Some(Flaw::Method)),
        (b"GET", b"403", Some(Flaw::Server)),
        (b"GET", b"500", Some(Flaw::Server)),
    ] {
        assert_eq!(flaw(method, status), expected, "{} {}", method.escape_ascii(), status.escape_ascii());
    }
}

#[test]
fn the_form_of_the_answer() {
    for (accept, expected) in [
        ("", Form::Plain),
        ("*/*", Form::Plain),
        ("text/plain", Form::Plain),
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", Form::Html),
        ("Text/HTML", Form::Html),
        ("application/json", Form::Json),
        ("text/html, application/json;q=0.1", Form::Json),
    ] {
        assert_eq!(form(accept.as_bytes()), expected, "{accept}");
    }
}

#[test]
fn the_callers_address() {
    for (remote, real, forwarded, expected) in [
        ("192.168.1.7", "", "", "192.168.1.7"),
        ("::ffff:192.168.1.7", "", "", "192.168.1.7"),
        ("2001:db8::1", "", "", "2001:db8::1"),
        // Not listened to: an address that a caller from outside gives itself.
        ("203.0.113.9", "192.168.1.7", "192.168.1.7", "203.0.113.9"),
        ("127.0.0.1", "192.168.1.7", "10.0.0.1, 192.168.1.7", "192.168.1.7"),
        // One of the two is the caller's own word.
        ("127.0.0.1", "192.168.1.7", "203.0.113.9", ""),
        ("127.0.0.1", "192.168.1.7", "192.168.1.7, 203.0.113.9", ""),
        ("::1", "192.168.1.7", "", "192.168.1.7"),
        ("::ffff:127.0.0.1", "192.168.1.7", "", "192.168.1.7"),
        ("127.0.0.1", "", "10.0.0.1, 192.168.1.7", "192.168.1.7"),
        ("127.0.0.1", "", "192.168.1.7", "192.168.1.7"),
        ("127.0.0.1", "", "192.168.1.7,", ""),
        ("127.0.0.1", "", "", ""),
        ("127.0.0.1", "127.0.0.1", "192.168.1.7", ""),
        ("127.0.0.1", "192.168.1.7, 10.0.0.1", "", ""),
        ("127.0.0.1", "nonsense", "192.168.1.7", ""),
        ("", "192.168.1.7", "", ""),
        ("unix:", "192.168.1.7", "", ""),
    ] {
        let request = request(&[
            ("REMOTE_ADDR", remote.as_bytes()),
            ("HTTP_X_REAL_IP", real.as_bytes()),
            ("HTTP_X_FORWARDED_FOR", forwarded.as_bytes()),
        ]);
        let shown = request.from.map(|address| address.to_string()).unwrap_or_default();
        assert_eq!(shown, expected, "{remote} {real} {forwarded}");
    }
}
