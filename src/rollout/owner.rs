//! Who this process is, and whether another one of this machine still lives.

use std::process;

use super::journal::Owner;

/// This process. `user` and `host` are for people.
pub fn this_process(user: &str, host: &str) -> Owner {
    let process = process::id();
    Owner {
        name: format!("{user} on {host} (process {process})"),
        machine: machine(),
        process,
        process_began: began(process).unwrap_or_default(),
    }
}

/// Whether a process of this machine lives. Only asked where [`Owner::machine`] is ours.
pub fn is_alive(owner: &Owner) -> bool {
    began(owner.process).is_some_and(|began| owner.process_began.is_empty() || began == owner.process_began)
}

/// The machine since it was started, and the namespace that process numbers count in. Empty where
/// the system does not say: then only the heartbeat tells.
fn machine() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    match (boot.trim(), namespace.to_string_lossy()) {
        ("", _) => String::new(),
        (_, namespace) if namespace.is_empty() => String::new(),
        (boot, namespace) => format!("{boot} {namespace}"),
    }
}

/// When a process began, in ticks since the machine did (field 22 of `/proc/PID/stat`, proc(5)); a
/// zombie has ended.
fn began(process: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let alive = !matches!(fields.first(), Some(&"Z" | &"X"));
    alive.then(|| fields.get(19).map(|field| (*field).to_owned())).flatten()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself_and_the_dead() {
        let me = this_process("u", "h");
        assert!(is_alive(&me));
        let reused = Owner { process_began: "1".to_owned(), ..me.clone() };
        assert!(!is_alive(&reused));
        assert!(!is_alive(&Owner { process: u32::MAX - 1, ..me }));
    }
}
