//! How long windows wait for their last source.

use super::*;

#[test]
fn a_wait_is_from_the_first_sources_closing_to_the_lasts_whatever_was_provisional() {
    let rule = rule("a", 1, 10);
    let mut task = DetectTask::new(0, &plan([rule.clone()]), Vec::new(), None, 1).unwrap();
    let closes = |partition| Partial::Marker(marker(partition, 2, &[&rule], Some(200)));
    task.apply(0, delta(&rule, 100, &[(1, 500)]), at(1000));
    task.apply(1, closes(0), at(1010));
    assert!(!task.due());
    let provisional = task.overdue(at(1045)).unwrap();
    assert_eq!(provisional.windows.len(), 1);
    assert!(provisional.waits.is_empty());
    task.committed(provisional);
    task.apply(2, closes(1), at(1052));
    let emission = task.emission().unwrap();
    assert_eq!(emission.waits, [Duration::from_secs(42)]);
    // Windows without traffic have a record, but nothing that could have waited.
    assert!(emission.windows.len() > 1);
}
