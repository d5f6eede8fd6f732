use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn message(result: Result<u64, UnitError>) -> String {
    result
        .expect_err("the text should have been refused")
        .to_string()
}

#[test]
fn sizes_know_decimal_and_binary_units() {
    assert_eq!(parse_size("100MiB"), Ok(104_857_600));
    assert_eq!(parse_size("1GB"), Ok(1_000_000_000));
    assert_eq!(parse_size("512 KiB"), Ok(524_288));
    assert_eq!(parse_size("1.5KiB"), Ok(1536));
    assert_eq!(parse_size("7"), Ok(7));
    assert_eq!(parse_size("18446744073709551615"), Ok(u64::MAX));
}

#[test]
fn rates_are_exact_beyond_what_a_float_holds() {
    assert_eq!(BIT_RATE.parse("1.5Gbps"), Ok(1_500_000_000));
    assert_eq!(BIT_RATE.parse("100Mbit/s"), Ok(100_000_000));
    assert_eq!(
        BIT_RATE.parse("9007199.254740993Gbps"),
        Ok(9_007_199_254_740_993)
    );
    assert_eq!(PACKET_RATE.parse("200kpps"), Ok(200_000));
    assert_eq!(FLOW_RATE.parse("1.25kflows/s"), Ok(1250));
    assert_eq!(COUNT.parse("4M"), Ok(4_000_000));
}

#[test]
fn durations_are_exact_to_the_millisecond() {
    assert_eq!(parse_duration("60s"), Ok(Duration::from_mins(1)));
    assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(parse_duration("1h30m"), Ok(Duration::from_mins(90)));
    assert_eq!(parse_duration(" 1.5s "), Ok(Duration::from_millis(1500)));
    assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
    assert_eq!(format_duration(Duration::from_secs(90)), "90s");
    assert_eq!(format_duration(Duration::from_hours(1)), "1h");
    assert_eq!(format_duration(Duration::ZERO), "0ms");
}

#[test]
fn each_refusal_names_the_text_and_what_is_valid() {
    let duration = |text| message(parse_duration(text).map(|_| 0));
    insta::assert_snapshot!(
        [
            message(parse_size("100Mb")),
            message(parse_size("100mib")),
            message(parse_size("1.3KiB")),
            message(parse_size("20EiB")),
            message(parse_size("18446744073709551616")),
            message(parse_size("16384PiB")),
            message(parse_size("-5")),
            message(parse_size("")),
            message(parse_size("1e6")),
            message(BIT_RATE.parse("100mbps")),
            message(BIT_RATE.parse("100MB/s")),
            message(PACKET_RATE.parse("20000000000Gpps")),
            message(COUNT.parse("1.5")),
            duration("60"),
            duration("5 min"),
            duration("0.5ms"),
            duration("1h30"),
            duration("999999999999999999d"),
            duration("five"),
        ]
        .join("\n")
    );
}

proptest! {
    #[test]
    fn formatted_values_read_back(value: u64) {
        for quantity in [&SIZE, &BIT_RATE, &PACKET_RATE, &FLOW_RATE, &COUNT] {
            prop_assert_eq!(quantity.parse(&quantity.format(value)), Ok(value));
        }
    }

    #[test]
    fn any_text_is_a_value_or_an_error(text in "\\PC*") {
        let _ = parse_size(&text);
        let _ = parse_duration(&text);
    }

    #[test]
    fn thousandths_are_exact(whole in 0u64..1_000_000, thousandths in 0u64..1000) {
        prop_assert_eq!(
            BIT_RATE.parse(&format!("{whole}.{thousandths:03}kbps")),
            Ok(whole * 1000 + thousandths)
        );
    }
}
