//! Whether this process may open the files, and has the ports and the mappings of memory, that the users need. A user
//! without them would count as a failure of the target, which it is not: so the numbers are compared before the test
//! begins.

use std::ops::RangeInclusive;

use load::{Executor, Plan, Scenario, Source, Users};

/// Files beside the users' connections: standard streams, the export, signals, and what the resolver opens.
const RESERVE: u64 = 32;
/// Files of a thread's event loop.
const PER_THREAD: u64 = 8;
/// Fewer users on demand than this would be used up by an ordinary test.
const FEWEST_ON_DEMAND: u64 = 256;

/// Mappings of memory that a user of a script needs: its stack, and the page that guards it.
const MAPS_PER_USER: u64 = 2;
/// Mappings that are made beside those of users while a test runs: the allocator's, threads'.
const MAPS_RESERVE: u64 = 512;

/// What the kernel allows.
#[derive(Debug, Clone)]
pub(super) struct Kernel {
    ports: Option<RangeInclusive<u16>>,
    max_maps: Option<u64>,
    maps: u64,
}

impl Kernel {
    /// Asks it.
    pub(super) fn ask() -> Self {
        use host::sysctl;
        Self { ports: sysctl::local_ports(), max_maps: sysctl::max_maps(), maps: sysctl::maps() }
    }
}

/// Compares the test's users with what the kernel allows. Fails where users who are there from the beginning have no
/// room, and warns where those who may be added have none.
pub(super) fn room(plan: &Plan, kernel: &Kernel) -> anyhow::Result<Vec<String>> {
    let mut warnings = Vec::new();
    let (first, all) = (u64::from(plan.initial_users()), u64::from(plan.max_users()));
    let mut judge = |needed: &dyn Fn(u64) -> u64, has: u64, text: &dyn Fn(u64) -> String| -> anyhow::Result<()> {
        anyhow::ensure!(needed(first) <= has, text(first));
        // Users on demand are as many as it takes, seldom all.
        if needed(all) > has && first > 0 {
            warnings.push(text(all));
        }
        Ok(())
    };
    if let Some(most) = kernel.max_maps.filter(|_| matches!(plan.source, Source::Script(_))) {
        let needed = |users: u64| kernel.maps + MAPS_RESERVE + MAPS_PER_USER * users;
        judge(&needed, most, &|users| {
            let needed = needed(users);
            format!(
                "{users} users of a script need {needed} mappings of memory, and the limit is {most}; \
                 `sysctl -w vm.max_map_count={needed}` (as root) mends that, and {} for good",
                tuned(users)
            )
        })?;
    }
    if let Some(ports) = &kernel.ports {
        let has = u64::from(*ports.end()).saturating_sub(u64::from(*ports.start())) + 1;
        judge(&|users| users, has, &|users| {
            format!(
                "{users} users need a local port each, and there are {has} ({} to {}); \
                 `sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"` (as root) makes it 64512, and {} for good",
                ports.start(),
                ports.end(),
                tuned(users)
            )
        })?;
    }
    Ok(warnings)
}

/// The command that sets what so many users need on this host, and keeps it set.
fn tuned(users: u64) -> String {
    format!("`bedloe tune apply --role injector --connections {users}`")
}

/// Makes room for the test's users, with a warning where these are fewer than asked for. Users who were promised are
/// never made fewer.
pub(super) fn fit(plan: &mut Plan, cores: usize, limit: Option<u64>) -> anyhow::Result<Option<String>> {
    let threads = plan.threads(cores);
    let all = plan.max_users();
    let Some(limit) = limit else { return Ok(None) };
    if let [Scenario { executor: Executor::Arrivals { users, .. }, .. }] = plan.scenarios.as_mut_slice() {
        let (fitting, warning) = fit_users(*users, threads, limit)?;
        *users = fitting;
        return Ok(warning);
    }
    let beside = RESERVE + PER_THREAD * threads as u64;
    let needed = u64::from(all) + beside;
    anyhow::ensure!(
        needed <= limit,
        "{all} users need {needed} open files, and the limit is {limit}; `ulimit -n {needed}` (as root) mends that, \
         and {} for good",
        tuned(u64::from(all))
    );
    Ok(None)
}

fn fit_users(users: Users, threads: usize, limit: u64) -> anyhow::Result<(Users, Option<String>)> {
    let beside = RESERVE + PER_THREAD * threads as u64;
    let room = limit.saturating_sub(beside);
    let max = u64::from(users.max());
    if max <= room {
        return Ok((users, None));
    }
    let (pre_allocated, fewest) = match users {
        Users::Promised { pre_allocated, .. } => (u64::from(pre_allocated), u64::from(pre_allocated).max(1)),
        Users::OnDemand => (room, FEWEST_ON_DEMAND),
    };
    let mends = format!("`ulimit -n {}` (as root) mends that, and {} for good", max + beside, tuned(max));
    anyhow::ensure!(
        room >= fewest,
        "{max} users need {} open files, and the limit is {limit}; {mends}, or fewer users{}",
        max + beside,
        if room > 0 { format!(": --max-vus {room}") } else { String::new() }
    );
    let warning = format!("the limit of {limit} open files has room for {room} users, not {max}; {mends}");
    // Less than `max`, which is of 32 bits.
    let max = u32::try_from(room).unwrap_or(u32::MAX);
    let pre_allocated = u32::try_from(pre_allocated).unwrap_or(max);
    Ok((Users::Promised { pre_allocated, max }, Some(warning)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use load::schedule::ConstantArrivalRate;
    use load::{Request, RequestOptions, Schedule};

    #[test]
    fn users_fit_the_limit_or_are_refused() {
        let promised = |pre_allocated, max| Users::Promised { pre_allocated, max };
        for (users, limit, fitting) in [
            (promised(100, 6000), 6040, Some(promised(100, 6000))),
            (promised(100, 6000), 1024, Some(promised(100, 984))),
            (promised(1000, 6000), 1024, None),
            (promised(0, 10), 40, None),
            (Users::OnDemand, 1_048_576, Some(Users::OnDemand)),
            (Users::OnDemand, 1024, Some(promised(984, 984))),
            (Users::OnDemand, 64, None),
        ] {
            let fit = fit_users(users, 1, limit);
            assert_eq!(fit.as_ref().ok().map(|(users, _)| *users), fitting, "{users:?} {limit:?}");
            if let Ok((fitting, warning)) = fit {
                assert_eq!(warning.is_some(), fitting != users, "{users:?} {limit:?}");
            }
        }
    }

    #[test]
    fn ports_and_mappings_are_compared_with_the_users() {
        let plan = |pre_allocated, max| {
            let schedule = ConstantArrivalRate::new(1, 1_000_000_000, 1_000_000_000).unwrap();
            let users = Users::Promised { pre_allocated, max };
            let executor = Executor::Arrivals { schedule: Schedule::Constant(schedule), users };
            Plan::plain(executor, Request::get("http://127.0.0.1/", &RequestOptions::default()).unwrap())
        };
        let kernel = |ports| Kernel { ports: Some(ports), max_maps: Some(65_530), maps: 100 };
        assert_eq!(room(&plan(1000, 6000), &kernel(32_768..=60_999)).unwrap(), Vec::<String>::new());
        let warned = room(&plan(1000, 30_000), &kernel(32_768..=60_999)).unwrap();
        assert!(warned[0].contains("30000 users need a local port each, and there are 28232 (32768 to 60999)"));
        let refused = room(&plan(1000, 30_000), &kernel(40_000..=40_009)).unwrap_err().to_string();
        assert!(refused.contains("`sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"`"), "{refused}");
    }

    #[test]
    fn the_way_out_is_named() {
        let error = fit_users(Users::OnDemand, 1, 64).unwrap_err().to_string();
        assert!(error.contains("`ulimit -n 10040`") && error.contains("--max-vus 24"), "{error}");
    }
}
