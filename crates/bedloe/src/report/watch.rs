//! The hosts of a run: this machine and those of `--agent`, looked at once a second while it lasts, as lists over its
//! time line.

use super::run::{Curve, Host, Watched};
use crate::hosts::{AgentsArgs, CpuShares, Figures, History, Point, Sampler, Source};

/// Points that are kept of a host: of a run of more than two hours the last two.
const POINTS_MAX: usize = 7_200;
/// The mode that takes no CPU time: it waits.
pub(super) const WAITING: &str = "iowait";

/// Looks at hosts until the run is over.
pub(crate) struct Watch(Sampler);

impl Watch {
    /// Begins to look, at this machine and at all agents.
    pub(crate) fn start(agents: &AgentsArgs) -> anyhow::Result<Self> {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let mut sources = vec![Source::here(name, &[])?];
        sources.extend(agents.sources()?);
        agents.warn();
        Ok(Self(Sampler::start(sources, POINTS_MAX)?))
    }

    /// What was seen of the last `elapsed_ms`, which are over now.
    pub(crate) fn finish(self, elapsed_ms: u64) -> Vec<Host> {
        let end_ms = net::clock::now_ms();
        let start_ms = end_ms.saturating_sub(elapsed_ms);
        self.0.hosts().with(|all| all.iter().map(|history| host(history, start_ms, end_ms)).collect())
    }
}

fn host(history: &History, start_ms: u64, end_ms: u64) -> Host {
    let points: Vec<&Point> =
        history.points.iter().filter(|point| (start_ms..=end_ms).contains(&point.at_ms)).collect();
    let last = history.points.iter().rev().find_map(|point| point.figures.as_ref());
    let values = |of: &dyn Fn(&Figures) -> Option<f64>| -> Vec<Option<f64>> {
        let all: Vec<_> = points.iter().map(|point| of(point.figures.as_ref()?)).collect();
        if all.iter().any(Option::is_some) { all } else { Vec::new() }
    };
    let curve = |name: &str, of: &dyn Fn(&Figures) -> Option<f64>| Curve { name: name.to_owned(), values: values(of) };
    let curves = |all: Vec<Curve>| -> Vec<Curve> { all.into_iter().filter(|curve| !curve.values.is_empty()).collect() };
    let mode = |name: &str, of: fn(&CpuShares) -> f64| {
        curve(name, &move |figures: &Figures| Some(of(figures.cpu.as_ref()?) * 100.0))
    };
    let cpu = vec![
        mode("user", |cpu| cpu.user + cpu.nice),
        mode("system", |cpu| cpu.system),
        mode("interrupts", |cpu| cpu.irq + cpu.softirq),
        mode("steal", |cpu| cpu.steal),
        mode(WAITING, |cpu| cpu.iowait),
    ];
    Host {
        name: history.name.clone(),
        source: history.source.clone(),
        cores: last.map_or(0, |figures| u64::from(figures.cores)),
        memory_bytes: last.and_then(|figures| figures.memory_bytes).unwrap_or(0.0),
        at_s: points.iter().map(|point| (point.at_ms - start_ms) as f64 / 1000.0).collect(),
        cpu_percent: curves(cpu),
        load: values(&|figures| figures.load1),
        switches_per_s: values(&|figures| figures.context_switches_per_s),
        memory_used_bytes: values(&|figures| Some(figures.memory_used_share? * figures.memory_bytes?)),
        established: values(&|figures| figures.tcp_established),
        tcp_per_s: curves(vec![
            curve("segments received", &|figures| figures.tcp_in_segments_per_s),
            curve("segments sent", &|figures| figures.tcp_out_segments_per_s),
            curve("connections opened", &|figures| figures.tcp_opens_per_s),
        ]),
        tcp_errors_per_s: curves(vec![
            curve("retransmissions", &|figures| figures.tcp_retransmissions_per_s),
            curve("resets", &|figures| figures.tcp_resets_per_s),
        ]),
        network_bytes_per_s: curves(vec![
            curve("received", &|figures| figures.received_bytes_per_s),
            curve("sent", &|figures| figures.sent_bytes_per_s),
            curve("loopback", &|figures| figures.loopback_bytes_per_s),
        ]),
        watched: last.map(|last| watched(last, &points)).unwrap_or_default(),
        trouble: trouble(&points),
    }
}

/// The processes that an agent watches.
fn watched(last: &Figures, points: &[&Point]) -> Vec<Watched> {
    let of = |name: &str, value: fn(&crate::hosts::ProcessFigures) -> Option<f64>| -> Vec<Option<f64>> {
        let find =
            |point: &&Point| value(point.figures.as_ref()?.processes.iter().find(|process| process.name == name)?);
        points.iter().map(find).collect()
    };
    let one = |process: &crate::hosts::ProcessFigures| Watched {
        name: process.name.clone(),
        cpu_percent: of(&process.name, |process| Some(process.cpu_cores? * 100.0)),
        resident_bytes: of(&process.name, |process| Some(process.resident_bytes)),
    };
    last.processes.iter().map(one).collect()
}

/// What kept a host from being seen, where something did.
fn trouble(points: &[&Point]) -> Option<String> {
    let failed: Vec<&String> = points.iter().filter_map(|point| point.unreachable.as_ref()).collect();
    match (failed.last(), points) {
        (_, []) => Some("it was not looked at in that time".to_owned()),
        (Some(why), _) => Some(format!("it could not be asked {} of {} times: {why}", failed.len(), points.len())),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_becomes_lists_over_the_time_of_the_run() {
        let point = |at_ms: u64, user: Option<f64>| Point {
            at_ms,
            figures: user.map(|user| Figures {
                cores: 4,
                cpu: Some(CpuShares { user, idle: 1.0 - user, ..CpuShares::default() }),
                load1: Some(1.5),
                ..Figures::default()
            }),
            unreachable: user.is_none().then(|| "nobody listens".to_owned()),
        };
        let points =
            [point(9_000, Some(0.9)), point(10_500, Some(0.25)), point(11_500, None), point(99_000, Some(0.9))];
        let history = History { name: "a".into(), source: "this machine".into(), points: points.into() };
        let seen = host(&history, 10_000, 12_000);
        assert_eq!((seen.cores, seen.at_s.as_slice()), (4, &[0.5, 1.5][..]));
        assert_eq!(seen.cpu_percent[0].values, [Some(25.0), None]);
        assert_eq!((seen.load.len(), seen.switches_per_s.len(), seen.tcp_per_s.len()), (2, 0, 0));
        assert_eq!(seen.trouble.as_deref(), Some("it could not be asked 1 of 2 times: nobody listens"));
    }
}
