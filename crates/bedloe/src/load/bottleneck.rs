//! Whether the injector itself was what held the test up: starts that were late, CPU time that was used up, requests
//! that failed on this side. Then the summary says so, for its times are the injector's as much as the server's.

use load::{Plan, Report, Value};

/// A shorter test is no ground to judge by: its beginning takes a part of it that counts.
const SHORTEST_MS: u64 = 5000;
/// One start in a hundred was later than this.
const LATE_MS: f64 = 10.0;
/// The part of its threads' time that the injector computed.
const BUSY: f64 = 0.85;

/// The injector's use of the machine, from the beginning of the test on.
#[derive(Debug)]
pub(super) struct Watch {
    cpu_ms: u64,
    threads: usize,
}

/// What is judged.
#[derive(Debug, Clone, Copy)]
struct Signs {
    elapsed_ms: u64,
    /// The 99th percentile of the start delay, where iterations arrive.
    late_ms: Option<f64>,
    /// CPU time of the injector, in parts of one core.
    cores: f64,
    threads: usize,
    /// Requests that failed on this side.
    own_failures: u64,
}

impl Watch {
    pub(super) fn begin(plan: &Plan) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cpu_ms: cpu_ms(), threads: plan.threads(cores).min(cores) }
    }

    /// What there is to say; mostly nothing.
    #[allow(clippy::cast_precision_loss, reason = "times in milliseconds are far below 2^53")]
    pub(super) fn end(&self, report: &Report) -> Vec<String> {
        let elapsed_ms = report.elapsed_ns / 1_000_000;
        let late = report.metrics.iter().find(|metric| metric.name == "start_delay");
        let late_ms = late.and_then(|metric| match &metric.value {
            Value::Trend(trend) => Some(trend.percentile(99.0)),
            _ => None,
        });
        let own = report.failures.iter().filter(|each| each.failure.is_ours());
        say(Signs {
            elapsed_ms,
            late_ms,
            cores: cpu_ms().saturating_sub(self.cpu_ms) as f64 / elapsed_ms.max(1) as f64,
            threads: self.threads,
            own_failures: own.map(|each| each.count).sum(),
        })
    }
}

fn cpu_ms() -> u64 {
    host::process(std::process::id()).map_or(0, |facts| facts.cpu_ms())
}

#[allow(clippy::cast_precision_loss, reason = "threads are few")]
fn say(signs: Signs) -> Vec<String> {
    let Signs { elapsed_ms, late_ms, cores, threads, own_failures } = signs;
    let mut words = Vec::new();
    if own_failures > 0 {
        words.push(format!("{own_failures} requests failed on this side, not at the server: see the log for why"));
    }
    if elapsed_ms < SHORTEST_MS {
        return words;
    }
    let is_busy = cores >= BUSY * threads as f64;
    let used = format!("{:.0}% of the CPU time of its {threads} {}", cores / threads as f64 * 100.0, plural(threads));
    match late_ms.filter(|late_ms| *late_ms > LATE_MS) {
        Some(late_ms) if is_busy => words.push(format!(
            "the injector was the bottleneck: 1% of the iterations started {late_ms:.0} ms late or later, and it used \
             {used}; give it cores (--threads), or lower the rate"
        )),
        Some(late_ms) => words.push(format!(
            "1% of the iterations started {late_ms:.0} ms late or later, though the injector used {used}: something \
             else held this machine up"
        )),
        None if is_busy => {
            words.push(format!("the injector used {used}: the times above are its own as much as the server's"));
        }
        None => {}
    }
    words
}

fn plural(threads: usize) -> &'static str {
    if threads == 1 { "thread" } else { "threads" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_injector_says_when_it_was_in_the_way() {
        let calm = Signs { elapsed_ms: 10_000, late_ms: Some(0.5), cores: 0.3, threads: 1, own_failures: 0 };
        for (signs, words) in [
            (calm, ""),
            (
                Signs { late_ms: Some(80.0), cores: 0.99, ..calm },
                "was the bottleneck: 1% of the iterations started 80 ms",
            ),
            (Signs { late_ms: Some(80.0), ..calm }, "something else held this machine up"),
            (Signs { late_ms: None, cores: 1.9, threads: 2, ..calm }, "used 95% of the CPU time of its 2 threads"),
            (Signs { elapsed_ms: 4000, late_ms: Some(80.0), cores: 0.99, ..calm }, ""),
            (Signs { elapsed_ms: 10, own_failures: 3, ..calm }, "3 requests failed on this side"),
        ] {
            let said = say(signs);
            assert!(if words.is_empty() { said.is_empty() } else { said[0].contains(words) }, "{signs:?}: {said:?}");
        }
    }
}
