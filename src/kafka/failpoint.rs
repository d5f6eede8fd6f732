//! Named points at which a test ends the process, as abruptly as `kill -9`.
//!
//! In: the file that the environment variable [`FILE`] names, with the name of a point in it. When that point is
//! reached next, the file is removed and the process is gone: no destructor runs, no buffer is flushed, no
//! group is left. A file that is not there, or another name in it, does nothing.
//!
//! Invariant: no release has this. Without the feature `failpoints` a point is nothing, and with it only a build with
//! debug assertions compiles.

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!(
    "the feature `failpoints` is for tests: no build without debug assertions may have it"
);

/// The environment variable that names the file.
pub const FILE: &str = "HOTPREFIX_FAILPOINT_FILE";

/// What comes after the stage and a dot in a point's name, in the order in which a process meets them.
pub const POINTS: [&str; 14] = [
    "init.before",
    "init.after",
    "assign.before",
    "assign.after",
    "restore.before",
    "restore.after",
    "produce.before",
    "produce.after",
    "offsets.before",
    "offsets.after",
    "commit.before",
    "commit.after",
    "revoke.before",
    "revoke.after",
];

/// A point is reached: `stage` is `count` or `detect`, `point` one of [`POINTS`].
#[cfg(feature = "failpoints")]
pub(crate) fn reached(stage: &str, point: &str) {
    debug_assert!(POINTS.contains(&point), "{point} is not in the list");
    let Some(file) = std::env::var_os(FILE) else {
        return;
    };
    let Ok(armed) = std::fs::read_to_string(&file) else {
        return;
    };
    if armed
        .strip_prefix(stage)
        .and_then(|rest| rest.strip_prefix('.'))
        != Some(point)
    {
        return;
    }
    // Removed first, so that the process that comes after this one passes. Who armed it sees that it was reached.
    let _ = std::fs::remove_file(&file);
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    // The signal may be taken by any thread: this one must not go on meanwhile.
    loop {
        std::thread::park();
    }
}

/// Nothing.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) const fn reached(_stage: &str, _point: &str) {}
