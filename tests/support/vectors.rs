//! The flows that real producers wrote: `tests/vectors/flows.txt`.

/// Every vector: its name and the record.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    include_str!("../vectors/flows.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let mut parts = line.splitn(3, ' ');
            let mut part = || parts.next().expect("a line has three parts");
            match (part(), part(), part()) {
                (name, "json", record) => (name, record.as_bytes().to_vec()),
                (name, "hex", record) => (name, unhex(record)),
                (name, encoding, _) => panic!("{name}: encoding {encoding}"),
            }
        })
        .collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let digit = |c: char| c.to_digit(16).expect("it is hexadecimal") as u8;
    let digits: Vec<u8> = hex.chars().map(digit).collect();
    digits.chunks(2).map(|c| c[0] << 4 | c[1]).collect()
}
