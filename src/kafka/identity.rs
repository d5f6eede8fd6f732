//! The name of this process among those of one application.
//!
//! It is in the transactional ids: a restart under the same name settles at once what its predecessor
//! left open, and two processes under one name fence each other.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::errors::Fatal;

/// Processes of one application on one host that get a name of their own.
const SLOTS: u32 = 256;

/// A name, and what keeps it ours.
#[derive(Debug)]
pub struct Identity {
    /// The name: 1 to 100 of `[a-zA-Z0-9._-]`.
    pub name: String,
    /// Locked as long as this lives.
    _slot: Option<File>,
}

impl Identity {
    /// The configured name, else the pod's, else host name and the first free slot, held by a lock on
    /// a file in `locks`.
    pub fn choose(
        configured: Option<&str>,
        pod: Option<&str>,
        host: &str,
        application_id: &str,
        locks: &Path,
    ) -> Result<Self, Fatal> {
        if let Some(name) = configured.or(pod).filter(|n| !n.is_empty()) {
            return Ok(Self {
                name: clean(name),
                _slot: None,
            });
        }
        for slot in 0..SLOTS {
            let path = locks.join(format!("hotprefix-{application_id}-{slot}.lock"));
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(|e| Fatal(refused(&path, &e)))?;
            match file.try_lock() {
                Ok(()) => {
                    return Ok(Self {
                        name: format!("{}-{slot}", clean(host)),
                        _slot: Some(file),
                    });
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => {
                    return Err(Fatal(format!("lock file {}: {e}", path.display())));
                }
            }
        }
        Err(Fatal(format!(
            "{SLOTS} processes of {application_id} on this host already: set instance_id"
        )))
    }

    /// [`Self::choose`] with the surroundings of this process: `POD_NAME`, host name, temporary directory.
    pub fn of_process(configured: Option<&str>, application_id: &str) -> Result<Self, Fatal> {
        let pod = std::env::var("POD_NAME").ok();
        let host = hostname::get().map_or_else(
            |_| "localhost".to_owned(),
            |h| h.to_string_lossy().into_owned(),
        );
        Self::choose(
            configured,
            pod.as_deref(),
            &host,
            application_id,
            &std::env::temp_dir(),
        )
    }
}

/// As in a container whose file system is read-only.
fn refused(lock: &Path, error: &std::io::Error) -> String {
    format!(
        "lock file {}: {error}; set instance_id or POD_NAME, and none is needed",
        lock.display()
    )
}

/// Host and pod names are fit for a transactional id but for rare characters.
fn clean(name: &str) -> String {
    name.chars()
        .take(100)
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
                c
            } else {
                '-'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_process_on_a_host_gets_another_name_and_a_restart_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let choose = || Identity::choose(None, None, "host.example", "app", dir.path()).unwrap();
        let (first, second) = (choose(), choose());
        assert_eq!(first.name, "host.example-0");
        assert_eq!(second.name, "host.example-1");
        drop(first);
        assert_eq!(choose().name, "host.example-0");
    }

    #[test]
    fn host_without_room_for_a_lock_is_told_to_name_the_instance() {
        let nowhere = Path::new("/nonexistent");
        let refused = Identity::choose(None, None, "host", "app", nowhere).unwrap_err();
        assert!(refused.0.contains("/nonexistent/hotprefix-app-0.lock"));
        assert!(refused.0.contains("set instance_id or POD_NAME"));
    }

    #[test]
    fn configured_name_goes_before_the_pod_and_the_pod_before_the_host() {
        let dir = tempfile::tempdir().unwrap();
        let name = |configured, pod| {
            Identity::choose(configured, pod, "host", "app", dir.path())
                .unwrap()
                .name
        };
        assert_eq!(name(Some("mine"), Some("pod-3")), "mine");
        assert_eq!(name(None, Some("pod-3")), "pod-3");
        assert_eq!(name(None, Some("")), "host-0");
    }
}
