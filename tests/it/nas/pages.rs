//! `url --page` as root, in folders that others may write.

use super::first_hour::bench;
use super::*;

/// Each with a file of clara's in it; an empty folder of this user's.
fn share(owner: u32) -> &'static str {
    let folder = "/volume1/share";
    let _ = fs::remove_dir_all(folder);
    fs::create_dir(folder).expect("a folder");
    fs::write(format!("{folder}/x"), "").expect("a file");
    chown(format!("{folder}/x"), Some(1026), Some(100)).expect("chown");
    chown(folder, Some(owner), Some(100)).expect("chown");
    // As a share with an ACL shows.
    mode(folder, 0o777);
    folder
}

#[test]
fn whose_folder_a_page_may_lie_in() {
    let _nas = Nas::with_command("true");
    for owner in [0, 1026] {
        let page = format!("{}/x.html", share(owner));
        assert_eq!(bench(&["url", "--page", "/volume1/share/x"]).ok(), format!("{page}\n"));
        let meta = fs::metadata(&page).expect("the page");
        use std::os::unix::fs::MetadataExt;
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (1026, 100, 0o600));
        fs::remove_file(page).expect("its end");
    }
    share(HTTP);
    let said = bench(&["url", "--page", "/volume1/share/x"]).refused();
    let expected =
        "remotetask: /volume1/share belongs to uid 1023, who could put another page in the place of this one. Name a \
                    file in a folder that is root's or that file's owner's.";
    assert_eq!(said, expected);
    assert!(fs::metadata("/volume1/share/x.html").is_err());
    // http may have put its own file in the place of the owner's.
    chown("/volume1/share/x", Some(HTTP), Some(HTTP)).expect("chown");
    let said = bench(&["url", "--page", "/volume1/share/x"]).refused();
    assert!(said.starts_with("remotetask: /volume1/share/x belongs to the web server's user, "), "{said}");
    fs::remove_dir_all("/volume1/share").expect("removed");
}
