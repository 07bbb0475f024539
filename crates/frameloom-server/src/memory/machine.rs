//! How much memory the machine has, or what it leaves to this process.

use std::fs;
use std::path::{Path, PathBuf};

/// A quarter of it, in bytes.
pub(crate) fn quarter() -> u64 {
    memory(Path::new("/")).unwrap_or(UNKNOWN) / 4
}

/// What a machine is taken to have that doesn't say it.
const UNKNOWN: u64 = 4 << 30;

/// The machine's memory or the least limit of the control groups that this process is in, in
/// bytes. `root` is where the system's files are.
fn memory(root: &Path) -> Option<u64> {
    let machine = machine(root);
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(|line| group_limit(root, line));
    limits.chain(machine).min()
}

fn machine(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The limit of a group that a line of `/proc/self/cgroup` names, and of those around it: of
/// version 2 (`0::/PATH`) or of version 1's memory controller.
fn group_limit(root: &Path, line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let (mount, file) = if controllers.is_empty() {
        ("sys/fs/cgroup", "memory.max")
    } else if controllers.split(',').any(|controller| controller == "memory") {
        ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
    } else {
        return None;
    };
    let mount = root.join(mount);
    let path: PathBuf = mount.join(path.trim_start_matches('/'));
    let groups = path.ancestors().take_while(|group| group.starts_with(&mount));
    let limit = |group: &Path| fs::read_to_string(group.join(file)).ok()?.trim().parse().ok();
    // "max" is no number; a container sees its own group as the root, whatever its path is.
    groups.filter_map(limit).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory_with(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        memory(root.path())
    }

    const MACHINE: (&str, &str) = ("proc/meminfo", "MemTotal:       2048 kB\nMemFree: 1 kB\n");

    #[test]
    fn the_least_limit_counts() {
        assert_eq!(memory_with(&[]), None);
        assert_eq!(memory_with(&[MACHINE]), Some(2 << 20));
        let group = ("proc/self/cgroup", "0::/a/b\n");
        let max = ("sys/fs/cgroup/a/b/memory.max", "max\n");
        let outer = ("sys/fs/cgroup/a/memory.max", "1048576\n");
        assert_eq!(memory_with(&[MACHINE, group, max]), Some(2 << 20));
        assert_eq!(memory_with(&[MACHINE, group, max, outer]), Some(1 << 20));
        // A container of version 1 sees its own limit at the root.
        let group = ("proc/self/cgroup", "9:name=systemd:/x\n4:cpu,memory:/docker/abc\n0::/\n");
        let own = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "4096\n");
        assert_eq!(memory_with(&[MACHINE, group, own]), Some(4096));
        // Without a limit it is more than any machine has.
        let none = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(memory_with(&[MACHINE, group, none]), Some(2 << 20));
    }
}
