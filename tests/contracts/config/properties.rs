//! Our table of librdkafka's properties, against the library that is linked in.

use hotprefix::config::property_names;
use rdkafka::config::ClientConfig;

/// A wrong value is refused with another message than an unknown name.
#[test]
fn every_property_of_the_table_is_known_to_the_library() {
    for name in property_names() {
        let refusal = ClientConfig::new()
            .set(name, "x")
            .create_native_config()
            .err();
        let refusal = refusal.map_or_else(String::new, |e| e.to_string());
        assert!(
            !refusal.contains("No such configuration property"),
            "{name}: {refusal}"
        );
    }
}

#[test]
fn the_library_refuses_a_name_that_the_table_has_not() {
    let native = ClientConfig::new()
        .set("no.such.property", "x")
        .create_native_config();
    assert!(native.is_err());
}
