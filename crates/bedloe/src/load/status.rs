//! What is known of a running test, in k6's words: `running (0m05.0s), 0012/0020 VUs, ...` and the scenario's line.

use load::{Plan, Progress, Schedule, Users};

const SECOND_NS: u64 = 1_000_000_000;

/// What of the plan is shown while it runs.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// As in `10.00 iterations/s for 3s (maxVUs: 2-12, gracefulStop: 1s)`.
    pub(crate) description: String,
    /// With the graceful stop.
    pub(crate) longest_ns: u64,
    /// Of the schedule.
    pub(crate) duration_ns: u64,
    /// The most users there can be.
    pub(crate) max_users: u32,
    /// The highest rate, for the width of rates.
    peak_per_s: f64,
}

/// How the scenario stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Iterations are started.
    Running,
    /// Iterations are only finished.
    Stopping,
    /// All done.
    Done,
    /// Cut off.
    CutOff,
}

impl Scenario {
    /// Takes from the plan what will be shown.
    pub(crate) fn of(plan: &Plan) -> Self {
        let graceful_ns = plan.graceful_stop_ms * 1_000_000;
        let duration_ns = plan.schedule.duration_ns();
        let max_users = plan.users.max();
        let users = match plan.users {
            Users::Promised { pre_allocated, max } if pre_allocated < max => format!("{pre_allocated}-{max}"),
            Users::Promised { max, .. } => max.to_string(),
            Users::OnDemand => format!("up to {max_users} on demand"),
        };
        let peak_per_s = plan.schedule.peak_per_s();
        let rate = match &plan.schedule {
            Schedule::Constant(_) => format!("{peak_per_s:.2} iterations/s for {}", whole(duration_ns)),
            Schedule::Ramping(ramp) => {
                let (time, stages) = (whole(duration_ns), ramp.stages());
                format!("Up to {peak_per_s:.2} iterations/s for {time} over {stages} stages")
            }
        };
        let graceful = if graceful_ns > 0 { format!(", gracefulStop: {}", whole(graceful_ns)) } else { String::new() };
        let description = format!("{rate} (maxVUs: {users}{graceful})");
        Self { description, longest_ns: duration_ns + graceful_ns, duration_ns, max_users, peak_per_s }
    }

    /// `running (0m05.0s), 0012/0020 VUs, 40000 complete and 0 interrupted iterations`.
    pub(crate) fn running(&self, progress: &Progress) -> String {
        let time = running_time(progress.elapsed_ns, self.longest_ns);
        let (iterations, interrupted) = (progress.iterations, progress.interrupted);
        let users = self.users(progress);
        format!("running ({time}), {users}, {iterations} complete and {interrupted} interrupted iterations")
    }

    /// `00/05 VUs  1.0s/5s  50.00 iters/s`, which stands behind the bar.
    pub(crate) fn details(&self, progress: &Progress, mark: Mark) -> String {
        let total = whole(self.duration_ns);
        let time = match mark {
            Mark::Running | Mark::CutOff => {
                format!("{}/{total}", running_time(progress.elapsed_ns.min(self.duration_ns), self.duration_ns))
            }
            Mark::Stopping | Mark::Done => total,
        };
        // A constant rate needs no padding: it is its own peak.
        let width = format!("{:.2}", self.peak_per_s).len();
        format!("{}  {time}  {:0width$.2} iters/s", self.users(progress), progress.target_per_s)
    }

    /// How much of the schedule is over, 0 to 100.
    pub(crate) fn percent(&self, progress: &Progress) -> u64 {
        (progress.elapsed_ns.min(self.duration_ns) * 100 + self.duration_ns / 2) / self.duration_ns.max(1)
    }

    fn users(&self, progress: &Progress) -> String {
        let width = self.max_users.to_string().len();
        format!("{:0width$}/{:0width$} VUs", progress.active, progress.users)
    }
}

impl Mark {
    /// The mark of a progress report.
    pub(crate) fn of(progress: &Progress) -> Self {
        if progress.elapsed_ns < progress.duration_ns { Self::Running } else { Self::Stopping }
    }

    /// As k6 shows it.
    pub(crate) fn sign(self) -> char {
        match self {
            Self::Running => ' ',
            Self::Stopping => '↓',
            Self::Done => '✓',
            Self::CutOff => '✗',
        }
    }
}

/// A duration in Go's manner: `30s`, `5m0s`, `1h0m0s`, `1.5s`, `250ms`.
pub(crate) fn whole(ns: u64) -> String {
    if ns > 0 && ns < SECOND_NS {
        return format!("{}ms", trimmed(ns, 1_000_000));
    }
    let (minutes, rest) = (ns / (60 * SECOND_NS), ns % (60 * SECOND_NS));
    let seconds = trimmed(rest, SECOND_NS);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// A time on its way to another, as wide as that one: `05.0s` of 30 s, `0m05.0s` of 5 minutes.
fn running_time(ns: u64, of_ns: u64) -> String {
    let tenths = ns / (SECOND_NS / 10);
    let (seconds, minutes, hours) = (tenths % 600, tenths / 600 % 60, tenths / 36_000);
    let seconds = |width: usize| format!("{:0width$}.{}s", seconds / 10, seconds % 10);
    let (of_minutes, of_seconds) = (of_ns / (60 * SECOND_NS), of_ns / SECOND_NS);
    match of_minutes {
        0 if of_seconds < 10 => seconds(1),
        0 => seconds(2),
        1..=9 => format!("{minutes}m{}", seconds(2)),
        10..=59 => format!("{minutes:02}m{}", seconds(2)),
        _ => {
            let width = (of_minutes / 60).to_string().len();
            format!("{hours:0width$}h{minutes:02}m{}", seconds(2))
        }
    }
}

fn trimmed(ns: u64, unit_ns: u64) -> String {
    let digits = unit_ns.ilog10() as usize;
    let text = format!("{}.{:0digits$}", ns / unit_ns, ns % unit_ns);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (ms, text) in [
            (0, "0s"),
            (250, "250ms"),
            (1000, "1s"),
            (1500, "1.5s"),
            (30_000, "30s"),
            (60_000, "1m0s"),
            (300_000, "5m0s"),
            (73_000, "1m13s"),
            (3_600_000, "1h0m0s"),
        ] {
            assert_eq!(whole(ms * 1_000_000), text);
        }
    }

    #[test]
    fn running_times_are_as_wide_as_the_longest() {
        for (ms, of_s, text) in [
            (1000, 4, "1.0s"),
            (1700, 4, "1.7s"),
            (1000, 35, "01.0s"),
            (1000, 73, "0m01.0s"),
            (500, 630, "00m00.5s"),
            (3_661_000, 7200, "1h01m01.0s"),
        ] {
            assert_eq!(running_time(ms * 1_000_000, of_s * SECOND_NS), text);
        }
    }
}
