//! Our table of librdkafka's properties, against the library that is linked in.

use hotprefix::config::property_names;
use rdkafka::config::ClientConfig;

#[test]
fn every_property_of_the_table_is_known_to_the_library() {
    let native = ClientConfig::new()
        .create_native_config()
        .expect("an empty configuration is valid");
    for name in property_names() {
        let unknown = match native.get(name) {
            Ok(_) => false,
            Err(error) => error.to_string().contains("Unknown"),
        };
        // Properties that hold a pointer cannot be read back, but are not unknown either.
        assert!(!unknown, "{name}");
    }
}

#[test]
fn the_library_refuses_a_name_that_the_table_has_not() {
    let native = ClientConfig::new()
        .set("no.such.property", "x")
        .create_native_config();
    assert!(native.is_err());
}
