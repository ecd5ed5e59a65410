//! Whether this process may open the files that the users need. A user without one would count as a failure of the
//! target, which it is not: so the numbers are compared before the test begins.

use load::{Executor, Plan, Scenario, Users};

/// Files beside the users' connections: standard streams, the export, signals, and what the resolver opens.
const RESERVE: u64 = 32;
/// Files of a thread's event loop.
const PER_THREAD: u64 = 8;
/// Fewer users on demand than this would be used up by an ordinary test.
const FEWEST_ON_DEMAND: u64 = 256;

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
        "{all} users need {needed} open files, and the limit is {limit}; `ulimit -n {needed}` (as root) mends that"
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
    let mends = format!("`ulimit -n {}` (as root) mends that", max + beside);
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
    fn the_way_out_is_named() {
        let error = fit_users(Users::OnDemand, 1, 64).unwrap_err().to_string();
        assert!(error.contains("`ulimit -n 10040`") && error.contains("--max-vus 24"), "{error}");
    }
}
