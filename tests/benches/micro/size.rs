//! How many distinct addresses there are.

/// Whether everything is to run once and small. As divan decides it: what `cargo bench` starts is told so.
pub(crate) fn is_test() -> bool {
    let has = |name| std::env::args().any(|arg| arg == name);
    has("--test") || !has("--bench")
}

/// Distinct addresses of a load.
pub(crate) fn sizes() -> Vec<u32> {
    if is_test() {
        return vec![1_000];
    }
    let mut sizes = vec![1_000, 100_000, 1_000_000];
    if std::env::var_os("HOTPREFIX_MICRO_LARGE").is_some() {
        sizes.push(10_000_000);
    }
    sizes
}

/// Addresses where one size says it all.
pub(crate) fn million() -> u32 {
    if is_test() { 1_000 } else { 1_000_000 }
}
