//! Saved state → tasks: what cannot be read is an error; from what can be read, detect goes on without a panic, and what
//! either task saves then can be read again, and says the same.
#![no_main]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hotprefix_fuzz::count::{CountTask, Resume};
use hotprefix_fuzz::detect::{DetectTask, Emission};
use hotprefix_fuzz::edit_message;
use hotprefix_fuzz::inputs::{self, Saved, count_plan, detect_plan, ms};
use hotprefix_fuzz::partial;
use prost::Message as _;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Ok(saved) = Saved::decode(input) else {
        return;
    };
    if let Some(bytes) = &saved.metadata {
        count_restores(&URL_SAFE_NO_PAD.encode(bytes));
    }
    detect_restores(&saved);
});

hotprefix_fuzz::mutator!(|input: &mut Vec<u8>, random: &mut _| edit_message::edit(
    input, random, 4
));

fn count_restores(metadata: &str) {
    let Some(first) = saved_by_count(metadata) else {
        return;
    };
    let second = saved_by_count(&first).expect("own metadata");
    assert_eq!(first, second);
}

/// What a task that restored `metadata` saves; `None` where it cannot be read.
fn saved_by_count(metadata: &str) -> Option<String> {
    let resume = Resume::Committed {
        next_offset: 7,
        metadata,
    };
    match CountTask::new(inputs::source(), count_plan(), resume) {
        Ok(mut task) => Some(task.flush().metadata),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

type State = BTreeMap<Vec<u8>, Vec<u8>>;

fn task(state: &State, committed: Option<i64>) -> Option<DetectTask> {
    let records = state.clone().into_iter().collect();
    let backwards = state.clone().into_iter().rev().collect();
    let made = DetectTask::new(0, &detect_plan(), records, committed, 1);
    let other = DetectTask::new(0, &detect_plan(), backwards, committed, 1);
    assert_eq!(made.is_ok(), other.is_ok(), "the order of records decides");
    match made {
        Ok(task) => Some(task),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fn detect_restores(saved: &Saved) {
    let records = saved.records.iter().cloned();
    let mut state: State = records.map(|r| (r.key, r.value)).collect();
    let mut committed = saved.committed;
    let Some(mut task) = task(&state, committed) else {
        return;
    };
    let mut offset = committed.unwrap_or(0).max(0);
    for record in &saved.log {
        let Ok(partial) = partial::decode(record) else {
            return;
        };
        task.apply(offset, partial, ms(1_568_127_900_000));
        offset += 2;
        for _ in 0..64 {
            let Some(emission) = task.emission() else {
                break;
            };
            commit(&mut task, emission, &mut state, &mut committed);
        }
    }
    for wall in [1_568_127_900_000, i64::MAX] {
        if let Some(emission) = task.overdue(ms(wall)) {
            commit(&mut task, emission, &mut state, &mut committed);
        }
    }
    if let Some(emission) = task.progress() {
        commit(&mut task, emission, &mut state, &mut committed);
    }
    if committed != saved.committed {
        let again = self::task(&state, committed).expect("own state");
        assert_eq!(again.sources().count(), task.sources().count());
    }
}

fn commit(
    task: &mut DetectTask,
    emission: Emission,
    state: &mut State,
    committed: &mut Option<i64>,
) {
    for change in &emission.state {
        match &change.value {
            Some(value) => state.insert(change.key.clone(), value.clone()),
            None => state.remove(&change.key),
        };
    }
    *committed = Some(emission.offset);
    task.committed(emission);
}
