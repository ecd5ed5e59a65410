//! What control groups leave: memory, and time of the cores. Version 2 has one tree for all, version 1 one for each. A
//! group has no more than the groups that it is in.

use super::root::Root;

const TREES: &str = "sys/fs/cgroup";

/// The memory of all that is seen from here, in bytes; a container's, for a host's own is not limited.
pub(super) fn memory(root: &Root) -> Option<u64> {
    let number = |path: &str| root.text(&format!("{TREES}/{path}"))?.trim().parse().ok();
    number("memory.max").or_else(|| number("memory/memory.limit_in_bytes"))
}

/// The quota of all that is seen from here, in thousandths of a core.
pub(super) fn quota(root: &Root) -> Option<u64> {
    quota_2(root, "").or_else(|| quota_1(root, "", ""))
}

/// That of a process, from the text of `/proc/PID/cgroup`: the least of its groups'.
pub(super) fn quota_of(root: &Root, text: &str) -> Option<u64> {
    let groups = text.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        Some((fields.next()?, fields.next()?.trim_end_matches('/')))
    });
    let quotas = groups.flat_map(|(trees, group)| {
        let quota = move |group: &str| match trees {
            "" => quota_2(root, group),
            _ if trees.split(',').any(|tree| tree == "cpu") => quota_1(root, trees, group),
            _ => None,
        };
        around(group).filter_map(quota).collect::<Vec<_>>()
    });
    quotas.min()
}

/// `/a/b` and `/a` of `/a/b`.
fn around(group: &str) -> impl Iterator<Item = &str> {
    let outer = group.match_indices('/').map(|(at, _)| &group[..at]);
    outer.chain([group]).filter(|group| !group.is_empty())
}

fn quota_2(root: &Root, group: &str) -> Option<u64> {
    thousandths(&root.text(&format!("{TREES}{group}/cpu.max"))?)
}

fn quota_1(root: &Root, trees: &str, group: &str) -> Option<u64> {
    let number = |name: &str| {
        let text = |tree: &str| root.text(&format!("{TREES}/{tree}{group}/cpu.cfs_{name}_us"));
        text("cpu").or_else(|| text(trees).filter(|_| !trees.is_empty()))
    };
    thousandths(&format!("{} {}", number("quota")?, number("period")?))
}

/// Time and period in microseconds; `max` and -1 are without a quota.
fn thousandths(text: &str) -> Option<u64> {
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    let (time, period) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    time.checked_mul(1000)?.checked_div(period)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn quotas_are_cores() {
        let table = [
            ("max 100000", None),
            ("150000 100000", Some(1500)),
            ("1000 100000\n", Some(10)),
            ("1 0", None),
            ("-1\n 100000\n", None),
            ("", None),
        ];
        for (text, cores) in table {
            assert_eq!(thousandths(text), cores, "{text:?}");
        }
    }

    fn root(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(TREES).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = Root::open(folder.path()).unwrap();
        (folder, root)
    }

    #[test]
    fn both_versions_are_read() {
        let (_folder, root_2) = root(&[
            ("memory.max", "1048576\n"),
            ("cpu.max", "200000 100000\n"),
            ("shop.slice/cpu.max", "50000 100000\n"),
            ("shop.slice/liberty.service/cpu.max", "max 100000\n"),
        ]);
        assert_eq!((memory(&root_2), quota(&root_2)), (Some(1_048_576), Some(2000)));
        // The slice's holds for what is in it.
        assert_eq!(quota_of(&root_2, "0::/shop.slice/liberty.service\n"), Some(500));
        assert_eq!(quota_of(&root_2, "0::/\n"), None);
        let (_folder, root_1) = root(&[
            ("memory/memory.limit_in_bytes", "2097152\n"),
            ("cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
            ("cpu/cpu.cfs_quota_us", "150000\n"),
            ("cpu/cpu.cfs_period_us", "100000\n"),
            ("cpu,cpuacct/a/cpu.cfs_quota_us", "25000\n"),
            ("cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"),
        ]);
        assert_eq!((memory(&root_1), quota(&root_1)), (Some(2_097_152), Some(1500)));
        assert_eq!(quota_of(&root_1, "4:memory:/b\n1:cpu,cpuacct:/a/b\n0::/a/b\n"), Some(250));
        assert_eq!(quota_of(&root_1, "broken\n1:cpu\n"), None);
        let (_folder, none) = root(&[]);
        assert_eq!((memory(&none), quota(&none)), (None, None));
    }
}
