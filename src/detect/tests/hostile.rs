//! State that this program did not write as it stands: an error that says what to do, never another state.

use prost::Message as _;

use super::*;
use crate::proto::v1::{DetectCounted, DetectLate, DetectRule, DetectSource, DetectTask as Saved};

/// State with a record of every kind: a source, a rule, a provisional window, the task.
fn saved() -> (DetectPlan, Committed) {
    let rule = rule("a", 7, 10);
    let mut world = World::new(plan([rule.clone()]));
    world.mark(marker(0, 2, &[&rule], Some(1)));
    world.apply(delta(&rule, 0, &[(1, 500)]));
    world.mark(marker(0, 2, &[&rule], Some(30)));
    assert!(!world.overdue(0), "it has not waited yet");
    assert!(world.overdue(60), "a provisional record is written");
    if let Some(emission) = world.task.progress() {
        world.commit(emission);
    }
    let kinds = ["task", "source/", "rule/", "provisional/"];
    for kind in kinds {
        let has = |k: &Vec<u8>| k.starts_with(kind.as_bytes());
        assert!(world.committed.state.keys().any(has), "no {kind}");
    }
    (world.plan, world.committed)
}

/// The error of a task that restores `state` with the value of `key` (or of the first that begins so) changed.
fn refused(key: &str, change: impl FnOnce(&mut Vec<u8>)) -> StateError {
    let (plan, mut committed) = saved();
    let begins = |k: &Vec<u8>| k.starts_with(key.as_bytes());
    let key = committed.state.keys().find(|k| begins(k)).cloned();
    let value = key.and_then(|k| committed.state.get_mut(&k));
    change(value.expect("it is there"));
    committed.task(&plan).expect_err("it was changed")
}

#[test]
fn what_was_saved_is_restored() {
    let (plan, committed) = saved();
    committed.task(&plan).expect("own state");
}

#[test]
fn an_unknown_field_in_any_record_is_refused_with_its_key_and_what_to_do() {
    for key in ["task", "source/flows/0", "rule/", "provisional/"] {
        // Field 100, varint 1.
        let error = refused(key, |value| value.extend([0xa0, 0x06, 0x01]));
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("state record `{key}")),
            "{message}"
        );
        assert!(message.contains("its known fields make"), "{message}");
        assert!(message.contains("hotprefix reset"), "{message}");
    }
}

#[test]
fn bytes_that_are_no_message_are_refused_in_any_record() {
    for key in ["task", "source/flows/0", "rule/", "provisional/"] {
        let error = refused(key, |value| *value = vec![0xff; 30]);
        assert!(matches!(error, StateError::Corrupt { .. }), "{error}");
    }
}

#[test]
fn another_version_is_told_before_anything_that_it_may_have_written() {
    let (plan, mut committed) = saved();
    let task = committed.state.get_mut(&b"task"[..]).expect("it is there");
    let mut newer = Saved::decode(&**task).expect("own state");
    newer.version = 3;
    *task = newer.encode_to_vec();
    task.extend([0xa0, 0x06, 0x01]);
    committed.state.insert(b"a-new-kind/1".to_vec(), vec![1]);
    for state in committed.state.values_mut() {
        state.extend([0xa8, 0x06, 0x01]);
    }
    let error = committed.task(&plan).expect_err("it is newer");
    assert_eq!(error, StateError::Version { found: 3 });
    assert!(error.to_string().contains("run the version that wrote it"));
}

#[test]
fn partitions_that_no_topic_has_are_refused() {
    let error = refused("task", |value| {
        let mut task = Saved::decode(&**value).expect("own state");
        task.topics.insert("flows".to_owned(), u32::MAX);
        *value = task.encode_to_vec();
    });
    let message = error.to_string();
    assert!(
        message.contains("topic `flows` has 4294967295 partitions"),
        "{message}"
    );
}

#[test]
fn what_is_named_twice_is_refused() {
    let counted = DetectCounted {
        selection: 7,
        ..DetectCounted::default()
    };
    let error = refused("source/flows/0", |value| {
        *value = DetectSource {
            counted: vec![counted; 2],
            ..DetectSource::default()
        }
        .encode_to_vec();
    });
    assert!(
        error.to_string().contains("it names a selection twice"),
        "{error}"
    );
    let error = refused("rule/", |value| {
        let mut rule = DetectRule::decode(&**value).expect("own state");
        rule.late = vec![
            DetectLate {
                offset: 3,
                start: 0,
            },
            DetectLate {
                offset: 3,
                start: 10,
            },
        ];
        *value = rule.encode_to_vec();
    });
    assert!(
        error.to_string().contains("it names an offset twice"),
        "{error}"
    );
}

#[test]
fn a_rule_without_an_interval_is_refused() {
    for interval_ms in [0, u64::MAX] {
        let error = refused("rule/", |value| {
            let mut rule = DetectRule::decode(&**value).expect("own state");
            rule.interval_ms = interval_ms;
            *value = rule.encode_to_vec();
        });
        let message = error.to_string();
        assert!(
            message.contains(&format!("interval_ms is {interval_ms}")),
            "{message}"
        );
    }
}

#[test]
fn state_without_a_position_is_refused_also_where_no_offset_was_committed() {
    let (plan, mut committed) = saved();
    committed.state.remove(&b"task"[..]).expect("it was there");
    committed.offset = None;
    let error = committed.task(&plan).expect_err("nobody wrote that");
    let expected = StateError::Offset {
        position: 0,
        committed: None,
    };
    assert_eq!(error, expected);
}
