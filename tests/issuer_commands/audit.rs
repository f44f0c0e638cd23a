//! What the log's commands come to where there is nothing to show, and where they are asked wrongly.

use super::{Office, text};

/// Exit code, what was printed, and what was said.
fn came_to(office: &Office, args: &[&str]) -> (Option<i32>, String, String) {
    let output = office.run(args, "");
    let (printed, said) = (text(&output.stdout), text(&output.stderr));
    (output.status.code(), printed, said)
}

#[test]
fn nothing_found_is_said_and_no_fault_and_a_filter_that_can_not_be_read_is_one() {
    let office = Office::started();
    for args in [
        &["audit", "export", "--person", "nobody"][..],
        &["audit", "tail", "--person", "nobody"],
        &["audit", "tail", "--until", "2001-01-01"],
    ] {
        let (code, printed, said) = came_to(&office, args);
        assert_eq!((code, printed.as_str()), (Some(0), ""), "{args:?}: {said}");
        assert!(said.contains("no entry matches"), "{args:?}: {said}");
    }
    // For programs an empty table still has its header.
    let csv = ["audit", "export", "--format", "csv", "--person", "nobody"];
    let (code, printed, said) = came_to(&office, &csv);
    assert_eq!(code, Some(0));
    assert!(printed.starts_with("seq,time,") && printed.trim_end().lines().count() == 1);
    assert!(
        said.contains("no entry matches") && said.contains("leave a filter out"),
        "{said}"
    );
    let (code, printed, said) = came_to(&office, &["audit", "export"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(printed.contains("key-rotation"), "{printed}");
    for what in ["export", "tail"] {
        for wrong in [["--since", "yesterday"], ["--until", "2026-13-01"]] {
            let (code, printed, said) = came_to(&office, &["audit", what, wrong[0], wrong[1]]);
            assert_eq!((code, printed.as_str()), (Some(2), ""), "{what}: {said}");
            assert!(said.contains("--help"), "{said}");
        }
        let (code, ..) = came_to(&office, &["audit", what, "--nobody", "x"]);
        assert_eq!(code, Some(2), "an option that is none");
    }
}
