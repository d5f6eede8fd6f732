//! What was saved reads back, and what was not is refused.

use super::*;
use proptest::prelude::*;

#[test]
fn prefixes_that_are_cut_or_too_long_are_named() {
    let read = |ipv4: &[u8]| {
        let message = DetectProvisional {
            ipv4: ipv4.to_vec(),
            ..DetectProvisional::default()
        };
        decode(
            &provisional_key(Fingerprint(7), Timestamp::MIN, 0),
            &message.encode_to_vec(),
        )
    };
    assert!(read(&[24, 192, 0, 2]).is_ok());
    for (cut, length) in [(&[24, 192, 0][..], 24), (&[33, 192, 0, 2, 1, 5], 33)] {
        let error = read(cut).err().expect("it is no prefix").to_string();
        let says = format!("a prefix of length {length} is cut or too long");
        assert!(error.contains(&says), "{error}");
    }
}

#[test]
fn as_many_partitions_are_read_as_there_may_be() {
    let read = |partitions: u32| {
        let topic: Arc<str> = "flows".into();
        let (key, value) = task(7, 1, std::iter::once((&topic, partitions as usize)));
        decode(&key, &value).is_ok()
    };
    assert_eq!(
        (read(MAX_PARTITIONS), read(MAX_PARTITIONS + 1)),
        (true, false)
    );
}

proptest! {
    #[test]
    fn provisional_prefixes_read_back(
        v4 in prop::collection::vec((any::<u32>(), 0u8..=32), 0..20),
        v6 in prop::collection::vec((any::<u128>(), 0u8..=128), 0..20),
    ) {
        let v4 = v4.into_iter().map(|(a, l)| Prefix::new(Addr::V4(a), l));
        let v6 = v6.into_iter().map(|(a, l)| Prefix::new(Addr::V6(a), l));
        let all: Vec<Prefix> = v4.chain(v6).collect();
        let key = provisional_key(Fingerprint(7), Timestamp::from_millis(-5), 3);
        match decode(&key, &provisional(4, 2, &all)) {
            Ok(Saved::Provisional { selection, start, window_revision, alert_revision, prefixes }) => {
                prop_assert_eq!((selection, start), (Fingerprint(7), Timestamp::from_millis(-5)));
                prop_assert_eq!((window_revision, alert_revision), (4, 2));
                prop_assert_eq!(prefixes, all);
            }
            _ => prop_assert!(false, "not a provisional record"),
        }
    }

    #[test]
    fn junk_is_an_error_and_never_a_panic(
        key in "(task|source/a/1|rule/0f|provisional/0f/5/0|other)",
        value in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let _ = decode(key.as_bytes(), &value);
        prop_assert!(decode(b"other", &value).is_err());
    }
}
