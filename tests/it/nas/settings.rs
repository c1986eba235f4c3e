//! `remotetask set` where Apache is touched.

use super::install::{order, status, Bare, DROP_IN};
use super::*;

#[test]
fn a_port_is_set_and_applied() {
    let bare = Bare::installed("echo ran >>$T/ran");
    let tried = order(&["set", "port", "10766", "--dry-run"]);
    assert!(
        tried.ok().contains("port would be 10766; it is 10765 (the default). Nothing was changed."),
        "{}",
        tried.out
    );
    assert!(tried.out.replace('\n', " ").contains("Then Apache's file would be put in place anew"), "{}", tried.out);
    assert_eq!(status("/"), 200, "at the old port");
    let set = order(&["set", "port", "10766"]);
    let expected =
        "port is 10766 now; it was 10765 (the default).\n  done   Apache answers at http://127.0.0.1:10766\n";
    assert_eq!(set.ok(), expected);
    assert_eq!(status_of(&format!("http://127.0.0.1:10766/{MAGIC}/{TASK}")), 200);
    assert_eq!((status("/"), &*bare.nas.effect("ran")), (0, "ran\n"));
    // A port that cannot be applied is reported; Apache goes on with the file that it has.
    let there = fs::read_to_string(DROP_IN).expect("the drop-in");
    let taken = std::net::TcpListener::bind("127.0.0.1:10767").expect("a port");
    let set = order(&["set", "port", "10767"]);
    assert_eq!(set.code, Some(1), "{}", set.out);
    assert!(set.out.starts_with("port is 10767 now; it was 10766.\n  fault  "), "{}", set.out);
    assert_eq!(fs::read_to_string(DROP_IN).expect("the drop-in"), there);
    drop(taken);
    assert!(order(&["set", "--unset", "port"]).ok().contains("  done   Apache answers at http://127.0.0.1:10765\n"));
    assert_eq!(status("/"), 200);
}
