//! Network devices and disks. Parts of disks are left out, for their disk has the same bytes.

use super::Snapshot;
use super::files::Files;

/// Devices of a kind that are told: a host of containers has a pair of links each.
const DEVICES_MAX: usize = 512;

/// What a network device has carried since it is there, in the order of `/proc/net/dev`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Bytes, packets, errors, dropped, of the queue, of frames, compressed, multicast.
    pub received: [u64; 8],
    /// Bytes, packets, errors, dropped, of the queue, collisions, of the carrier, compressed.
    pub sent: [u64; 8],
}

/// What a disk has done since the start, in the order of `/proc/diskstats`: reads, reads merged, sectors read, time,
/// the same of writes, in flight now, time busy, time weighted, the same four of discards, flushes, time. Times are in
/// milliseconds, sectors of 512 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Its name.
    pub name: String,
    /// The counts, 11 of them on the oldest kernels, 15 since 4.18, 17 since 5.5.
    pub counts: Vec<u64>,
}

pub(super) fn read(files: &mut Files, seen: &mut Snapshot) {
    if let Some(text) = files.read_again("proc/net/dev") {
        seen.links.extend(text.lines().filter_map(link).take(DEVICES_MAX));
    }
    if let Some(text) = files.read_again("proc/diskstats") {
        seen.disks.extend(text.lines().filter_map(disk).take(DEVICES_MAX));
    }
}

/// The two lines above the devices have no colon.
fn link(line: &str) -> Option<Link> {
    let (name, counts) = line.rsplit_once(':')?;
    let mut counts = counts.split_ascii_whitespace().map(|word| word.parse().ok());
    let mut eight = || {
        let mut of = [0; 8];
        for count in &mut of {
            *count = counts.next()??;
        }
        Some(of)
    };
    Some(Link { name: name.trim().to_owned(), received: eight()?, sent: eight()? })
}

fn disk(line: &str) -> Option<Disk> {
    let mut words = line.split_ascii_whitespace().skip(2);
    let name = words.next().filter(|name| !is_left_out(name))?;
    let counts: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
    (counts.len() >= 11).then(|| Disk { name: name.to_owned(), counts })
}

/// Disks in memory, loops, floppies, and parts of disks, as node_exporter leaves them out by default:
/// `^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$`.
fn is_left_out(name: &str) -> bool {
    let whole = name.trim_end_matches(|last: char| last.is_ascii_digit());
    if whole.len() == name.len() {
        return false;
    }
    let is_part = ["hd", "sd", "vd", "xvd"]
        .iter()
        .any(|kind| whole.strip_prefix(kind).is_some_and(|letter| matches!(letter.as_bytes(), [b'a'..=b'z'])));
    matches!(whole, "ram" | "loop" | "fd") || is_part || is_part_of_nvme(whole)
}

fn is_part_of_nvme(whole: &str) -> bool {
    let numbers = whole.strip_prefix("nvme").and_then(|rest| rest.strip_suffix('p')?.split_once('n'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(device, space)| is_number(device) && is_number(space))
}

#[cfg(test)]
mod tests {
    #[test]
    fn parts_of_disks_are_left_out() {
        for name in ["ram0", "loop12", "fd0", "sda1", "vdb12", "xvda1", "hdc3", "nvme0n1p1"] {
            assert!(super::is_left_out(name), "{name}");
        }
        for name in ["sda", "vda", "nvme0n1", "md0", "dm-3", "sdaa", "sdaa1", "zram0", "sr0", "mmcblk0p1"] {
            assert!(!super::is_left_out(name), "{name}");
        }
    }
}
