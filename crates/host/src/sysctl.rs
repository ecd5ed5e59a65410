//! Settings of the kernel that limit what one process can do, and how much of them is used.

use std::fs;
use std::ops::RangeInclusive;

/// The ports that the kernel gives to connections that name none: `net.ipv4.ip_local_port_range`.
pub fn local_ports() -> Option<RangeInclusive<u16>> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    Some(numbers.next()?.ok()?..=numbers.next()?.ok()?)
}

/// Mappings of memory that a process may have: `vm.max_map_count`.
pub fn max_maps() -> Option<u64> {
    fs::read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok()
}

/// Mappings of memory that this process has now.
pub fn maps() -> u64 {
    fs::read_to_string("/proc/self/maps").map_or(0, |text| text.lines().count() as u64)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_says_what_it_allows() {
        assert!(super::local_ports().is_some_and(|ports| !ports.is_empty()));
        assert!(super::max_maps().is_some_and(|most| most > super::maps()) && super::maps() > 0);
    }
}
