//! What is known of a running test, in k6's words: `running (0m05.0s), 0012/0020 VUs, ...` and a line a scenario.

use load::schedule::Looping;
use load::{Executor, Plan, Progress, Scenario, ScenarioProgress, Schedule, Users};

const SECOND_NS: u64 = 1_000_000_000;

/// What of the plan is shown while it runs.
#[derive(Debug)]
pub(crate) struct Status {
    /// The scenarios of the plan, in its order.
    scenarios: Vec<Scenario>,
    /// With the graceful stop.
    pub(crate) longest_ns: u64,
    /// The most users there can be.
    pub(crate) max_users: u32,
}

/// How a scenario stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It has not begun.
    Waiting,
    /// Iterations are started.
    Running,
    /// Iterations are only finished.
    Stopping,
    /// All done.
    Done,
    /// Cut off.
    CutOff,
}

/// The line of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its name, as wide as the longest.
    pub(crate) name: String,
    /// How it stands.
    pub(crate) mark: Mark,
    /// How much of it is over, 0 to 100.
    pub(crate) percent: u64,
    /// `2 VUs  00m00.1s/10m0s  6/6 shared iters`.
    pub(crate) details: String,
}

/// What each scenario of a plan does, by its name.
pub(crate) fn scenarios(plan: &Plan) -> Vec<(String, String)> {
    plan.scenarios.iter().map(|scenario| (scenario.name.clone(), description(scenario))).collect()
}

impl Status {
    /// Takes from the plan what will be shown.
    pub(crate) fn of(plan: &Plan) -> Self {
        let (longest_ns, max_users) = (plan.longest_ns(), plan.max_users());
        Self { scenarios: plan.scenarios.clone(), longest_ns, max_users }
    }

    /// `2 scenarios, 12 max VUs, 35s max duration (incl. graceful stop):`, and a line a scenario.
    pub(crate) fn describe(&self) -> String {
        let (count, max, longest) = (self.scenarios.len(), self.max_users, whole(self.longest_ns));
        let noun = if count == 1 { "scenario" } else { "scenarios" };
        let mut text = format!("{count} {noun}, {max} max VUs, {longest} max duration (incl. graceful stop):\n");
        for scenario in &self.scenarios {
            text += &format!("              * {}: {}\n", scenario.name, description(scenario));
        }
        text
    }

    /// `running (0m05.0s), 0012/0020 VUs, 40000 complete and 0 interrupted iterations`.
    pub(crate) fn running(&self, progress: &Progress) -> String {
        let time = running_time(progress.elapsed_ns, self.longest_ns);
        let (iterations, interrupted) = (progress.iterations, progress.interrupted);
        let users = users(progress.active, progress.users, self.max_users);
        format!("running ({time}), {users}, {iterations} complete and {interrupted} interrupted iterations")
    }

    /// A line a scenario, their columns below each other.
    pub(crate) fn lines(&self, progress: &Progress) -> Vec<Line> {
        let width = self.scenarios.iter().map(|scenario| scenario.name.chars().count()).max().unwrap_or(0);
        let pairs: Vec<_> = self.scenarios.iter().zip(&progress.scenarios).collect();
        let columns: Vec<[String; 3]> = pairs.iter().map(|(scenario, progress)| columns(scenario, progress)).collect();
        let wide = |at: usize| columns.iter().map(|columns| columns[at].chars().count()).max().unwrap_or(0);
        let widths = [wide(0), wide(1)];
        let line = |((scenario, progress), columns): (&(&Scenario, &ScenarioProgress), &[String; 3])| Line {
            name: format!("{:width$}", scenario.name),
            mark: Mark::of(scenario, progress),
            percent: percent(scenario, progress),
            details: joined(columns, widths),
        };
        pairs.iter().zip(&columns).map(line).collect()
    }
}

impl Mark {
    fn of(scenario: &Scenario, progress: &ScenarioProgress) -> Self {
        match (progress.elapsed_ns, progress.ended_ns) {
            (_, Some(_)) if progress.cut_off => Self::CutOff,
            (_, Some(_)) => Self::Done,
            (None, _) => Self::Waiting,
            (Some(elapsed_ns), _) if elapsed_ns < scenario.executor.duration_ns() => Self::Running,
            _ => Self::Stopping,
        }
    }

    /// As k6 shows it.
    pub(crate) fn sign(self) -> char {
        match self {
            Self::Waiting => '•',
            Self::Running => ' ',
            Self::Stopping => '↓',
            Self::Done => '✓',
            Self::CutOff => '✗',
        }
    }
}

/// As in `10.00 iterations/s for 3s (maxVUs: 2-12, gracefulStop: 1s)`.
fn description(scenario: &Scenario) -> String {
    let time = whole(scenario.executor.duration_ns());
    let (what, own) = match &scenario.executor {
        Executor::Arrivals { schedule, users } => {
            let peak_per_s = schedule.peak_per_s();
            let rate = match schedule {
                Schedule::Constant(_) => format!("{peak_per_s:.2} iterations/s for {time}"),
                Schedule::Ramping(ramp) => {
                    format!("Up to {peak_per_s:.2} iterations/s for {time} over {} stages", ramp.stages())
                }
            };
            let users = match *users {
                Users::Promised { pre_allocated, max } if pre_allocated < max => format!("{pre_allocated}-{max}"),
                Users::Promised { max, .. } => max.to_string(),
                Users::OnDemand => format!("up to {} on demand", users.max()),
            };
            (rate, Some(format!("maxVUs: {users}")))
        }
        Executor::Looping(Looping::ConstantVus(constant)) => {
            (format!("{} looping VUs for {time}", constant.users), None)
        }
        Executor::Looping(Looping::RampingVus(ramp)) => {
            let what = format!("Up to {} looping VUs for {time} over {} stages", ramp.peak(), ramp.stages());
            (what, Some(format!("gracefulRampDown: {}", whole(ramp.graceful_ramp_down_ns()))))
        }
        Executor::Looping(Looping::SharedIterations(shared)) => {
            let what = format!("{} iterations shared among {} VUs", shared.iterations, shared.users);
            (what, Some(format!("maxDuration: {time}")))
        }
        Executor::Looping(Looping::PerVuIterations(each)) => {
            let what = format!("{} iterations for each of {} VUs", each.iterations, each.users);
            (what, Some(format!("maxDuration: {time}")))
        }
    };
    let is_default = scenario.exec == "default";
    let span = |name: &str, ns| (ns > 0).then(|| format!("{name}: {}", whole(ns)));
    let notes = [
        own,
        (!is_default).then(|| format!("exec: {}", scenario.exec)),
        span("startTime", scenario.start_ns),
        span("gracefulStop", scenario.graceful_stop_ns),
    ];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    if notes.is_empty() { what } else { format!("{what} ({})", notes.join(", ")) }
}

/// Users, time, and what else the executor has to say.
fn columns(scenario: &Scenario, progress: &ScenarioProgress) -> [String; 3] {
    let Some(elapsed_ns) = progress.elapsed_ns else {
        return ["waiting".to_owned(), "0.0s".to_owned(), String::new()];
    };
    let duration_ns = scenario.executor.duration_ns();
    let total = whole(duration_ns);
    let so_far = |ns: u64| format!("{}/{total}", running_time(ns.min(duration_ns), duration_ns));
    let is_over = progress.ended_ns.is_some() && !progress.cut_off || elapsed_ns >= duration_ns;
    let by_time = if is_over { total.clone() } else { so_far(elapsed_ns) };
    // Where iterations are counted, the time they took is told to the end.
    let by_count = so_far(progress.ended_ns.unwrap_or(elapsed_ns));
    let all = scenario.executor.max_users();
    match &scenario.executor {
        Executor::Arrivals { schedule, .. } => {
            // A constant rate needs no padding: it is its own peak.
            let width = format!("{:.2}", schedule.peak_per_s()).len();
            let rate = format!("{:0width$.2} iters/s", progress.target_per_s);
            [users(progress.active, progress.users, all), by_time, rate]
        }
        Executor::Looping(Looping::ConstantVus(_)) => [format!("{all} VUs"), by_time, String::new()],
        Executor::Looping(Looping::RampingVus(_)) => {
            [users(progress.active, u64::from(all), all), by_time, String::new()]
        }
        Executor::Looping(Looping::SharedIterations(shared)) => {
            let (done, of) = (progress.iterations, shared.iterations);
            [format!("{all} VUs"), by_count, format!("{done:0width$}/{of} shared iters", width = digits(of))]
        }
        Executor::Looping(Looping::PerVuIterations(each)) => {
            let (done, of) = (progress.iterations, each.iterations.saturating_mul(u64::from(all)));
            let counts = format!("{done:0width$}/{of} iters, {} per VU", each.iterations, width = digits(of));
            [format!("{all} VUs"), by_count, counts]
        }
    }
}

fn joined(columns: &[String; 3], widths: [usize; 2]) -> String {
    let [first, second, third] = columns;
    let text = format!("{first:w0$}  {second:w1$}  {third}", w0 = widths[0], w1 = widths[1]);
    text.trim_end().to_owned()
}

fn percent(scenario: &Scenario, progress: &ScenarioProgress) -> u64 {
    let (done, of) = match &scenario.executor {
        Executor::Looping(looping) if looping.iterations().is_some() => {
            (progress.iterations, looping.iterations().unwrap_or(1))
        }
        executor => (progress.elapsed_ns.unwrap_or(0), executor.duration_ns()),
    };
    if progress.ended_ns.is_some() && !progress.cut_off {
        return 100;
    }
    let (done, of) = (u128::from(done.min(of)), u128::from(of.max(1)));
    u64::try_from((done * 100 + of / 2) / of).unwrap_or(100)
}

fn users(active: u64, users: u64, max: u32) -> String {
    let width = digits(u64::from(max));
    format!("{active:0width$}/{users:0width$} VUs")
}

fn digits(number: u64) -> usize {
    number.to_string().len()
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
