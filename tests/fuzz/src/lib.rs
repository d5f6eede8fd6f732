//! What all fuzzers share: hotprefix's pure modules and its configuration, compiled from their own files, the mutators
//! that know how inputs are built, and the plain second implementations that results are held against.

#[path = "../../../src/net.rs"]
pub mod net;
#[path = "../../../src/time.rs"]
pub mod time;
#[path = "../../../src/units/mod.rs"]
pub mod units;

#[path = "../../../src/flow/mod.rs"]
pub mod flow;
#[path = "../../../src/rule/mod.rs"]
pub mod rule;
#[path = "../../../src/window/mod.rs"]
pub mod window;

#[path = "../../../src/partial/mod.rs"]
pub mod partial;

#[path = "../../../src/count/mod.rs"]
pub mod count;
#[path = "../../../src/detect/mod.rs"]
pub mod detect;

#[path = "../../../src/alert/mod.rs"]
pub mod alert;

#[path = "../../../src/proto.rs"]
pub mod proto;

#[path = "../../../src/config/mod.rs"]
pub mod config;

pub mod edit_message;
pub mod edit_text;
pub mod random;
pub mod wire;

pub mod inputs;

/// A target's mutator: libFuzzer's own half of the time, else `$edit`, which takes the input and a
/// [`random::Random`].
#[macro_export]
macro_rules! mutator {
    ($edit:expr) => {
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            let mut random = $crate::random::Random::new(seed);
            if random.one_in(2) {
                libfuzzer_sys::fuzzer_mutate(data, size, max_size)
            } else {
                let mut input = data[..size].to_vec();
                for _ in 0..=random.below(3) {
                    $edit(&mut input, &mut random);
                }
                input.truncate(max_size);
                data[..input.len()].copy_from_slice(&input);
                input.len()
            }
        });
    };
}
