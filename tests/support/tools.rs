//! Real parts from package registries, fetched once into `target/tools`, pinned by version.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// As in the pom.
const KAFKA: &str = "4.1.0";
const POM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/kafka/pom.xml");

/// Cargo's target folder, wherever it is configured to be.
pub(crate) fn target_dir() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("cargo puts its tmp folder inside the target folder")
}

/// Another version of Apache Kafka for this process, to be chosen before the first one starts.
pub(crate) fn use_kafka(version: &'static str) {
    let chosen = KAFKA_VERSION.set(version);
    assert!(chosen.is_ok(), "Kafka's version is chosen already");
}

static KAFKA_VERSION: OnceLock<&str> = OnceLock::new();

/// The class path of Apache Kafka, fetched from Maven Central if it is not there yet.
pub(crate) fn kafka_class_path() -> &'static str {
    static CLASS_PATH: OnceLock<String> = OnceLock::new();
    CLASS_PATH.get_or_init(|| {
        require_jdk();
        let version = KAFKA_VERSION.get_or_init(|| KAFKA);
        let home = made_once(&format!("kafka-{version}"), |home| {
            let version = format!("-Dkafka.version={version}");
            fetch_jars(POM, home, &[&version]);
        });
        format!("{}/*", home.display())
    })
}

/// A folder of `target/tools` that `make` makes if it is not there yet. It makes it under another name: what was
/// begun and not ended is made anew.
///
/// Several test processes may ask at once: a lock file lets one make it while the others wait.
pub(crate) fn made_once(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let tools = target_dir().join("tools");
    fs::create_dir_all(&tools).expect("target/tools can be created");
    let lock = File::create(tools.join(format!("{name}.lock")));
    let lock = lock.expect("the lock file can be created");
    lock.lock().expect("the lock file can be locked");
    let home = tools.join(name);
    if !home.is_dir() {
        let partial = tools.join(format!("{name}.partial"));
        if partial.exists() {
            fs::remove_dir_all(&partial).expect("what was begun can be removed");
        }
        make(&partial);
        fs::rename(&partial, &home).expect("what was made can be moved into place");
    }
    home
}

/// Copies the jars that a pom names, and those that they need, from Maven Central.
pub(crate) fn fetch_jars(pom: &str, into: &Path, options: &[&str]) {
    let copy = Command::new("mvn")
        .args(["-q", "-B", "-f", pom, "dependency:copy-dependencies"])
        .arg(format!("-DoutputDirectory={}", into.display()))
        .arg("-DincludeScope=runtime")
        .args(options)
        .output();
    let copy = copy.unwrap_or_else(|error| {
        panic!(
            "the jars of {pom} are fetched with Maven, and `mvn` does not start ({error}): install it, \
             e.g. `apt-get install maven` or `brew install maven`"
        )
    });
    assert!(
        copy.status.success(),
        "the jars of {pom} are fetched from Maven Central, and that ended with {}:\n{}{}",
        copy.status,
        String::from_utf8_lossy(&copy.stdout),
        String::from_utf8_lossy(&copy.stderr),
    );
}

/// Panics with what to install unless a JDK of 17 or later answers.
pub(crate) fn require_jdk() {
    let advice = "broker tests run Apache Kafka 4, which needs Java 17 or later: install it, e.g. \
                  `apt-get install openjdk-17-jre-headless` or `brew install openjdk@17`";
    let version = Command::new("java")
        .arg("-version")
        .output()
        .unwrap_or_else(|error| panic!("{advice}; `java` does not start: {error}"));
    let said = String::from_utf8_lossy(&version.stderr).into_owned();
    let major = java_major(&said);
    assert!(
        major.is_some_and(|m| m >= 17),
        "{advice}; `java -version` says: {said}"
    );
}

/// The 17 of `openjdk version "17.0.15" 2025-04-15`.
fn java_major(said: &str) -> Option<u32> {
    let number = said.split('"').nth(1)?;
    number.split(['.', '-', '+']).next()?.parse().ok()
}

/// A new folder below the target folder for what one test writes: logs, configuration, data.
///
/// Folders of test processes that are gone are removed on the way, so that they do not pile up.
pub(crate) fn scratch(name: &str) -> PathBuf {
    static CLEANED: OnceLock<()> = OnceLock::new();
    let root = target_dir().join("broker-tests");
    CLEANED.get_or_init(|| remove_left_behind(&root));
    let dir = root.join(std::process::id().to_string()).join(name);
    fs::create_dir_all(&dir).expect("a scratch folder can be created in the target folder");
    dir
}

fn remove_left_behind(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else {
        return;
    };
    for entry in entries.flatten() {
        let owner = entry.file_name();
        if !Path::new("/proc").join(owner).exists() {
            // Another test process may be removing it too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[test]
fn java_version_is_read_from_what_java_says() {
    assert_eq!(
        java_major("openjdk version \"17.0.15\" 2025-04-15"),
        Some(17)
    );
    assert_eq!(java_major("java version \"1.8.0_392\""), Some(1));
    assert_eq!(java_major("openjdk version \"25-ea\" 2025-09-16"), Some(25));
    assert_eq!(java_major("no java here"), None);
}
