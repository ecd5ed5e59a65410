//! What a test did second by second, for charts of it: bounded, however long it takes.
//!
//! Threads hand their seconds over one after the other; a second is whole when all of them have. What is left at the
//! end is a step of its own length, so that the steps add up to all that was measured while users were at work.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::metric::{Samples, Sink, id};
use crate::plan::{Executor, Plan};
use crate::progress::LastSecond;
use crate::worker::LAST;

/// Steps that are kept: a test of more seconds has steps of two, four and so on.
pub const MOST_STEPS: usize = 3_600;
/// A rest shorter than this says nothing about a rate: it counts with the step before.
const SHORTEST_REST_S: f64 = 0.5;
/// Places in a second at which a schedule is asked for its rate.
const RATES: u32 = 10;
const SECOND_NS: u64 = 1_000_000_000;

/// One step of a test: a second, unless the test was long, or it is the rest at the end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When it began, from the start of the users.
    pub at_s: f64,
    /// How long it was.
    pub for_s: f64,
    /// Iterations a second that schedules asked for; `None` where users go round.
    pub asked_per_s: Option<f64>,
    /// Iterations that ended.
    pub iterations: u64,
    /// Starts that found no user.
    pub dropped: u64,
    /// Requests that ended, failed ones included.
    pub requests: u64,
    /// Of these, the failed ones.
    pub failed: u64,
    /// Half of the requests took at most this long; of a step of several seconds the greatest of theirs.
    pub p50_ms: Option<f64>,
    /// The same of 95%.
    pub p95_ms: Option<f64>,
    /// The same of 99%.
    pub p99_ms: Option<f64>,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Users at work at its end.
    pub vus: u64,
    /// Users made until then, or promised beforehand.
    pub vus_max: u64,
}

impl Step {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are whole and below 2^53")]
    fn of(samples: &Samples) -> Self {
        let (requests, failed, _) = samples.requests();
        let count = |metric| match samples.metric(metric) {
            Some(Sink::Counter { sum, .. }) => *sum as u64,
            _ => 0,
        };
        let percentile = |percent| match samples.metric(id::HTTP_REQ_DURATION) {
            Some(Sink::Trend(times)) if times.count() > 0 => Some(times.percentile(percent)),
            _ => None,
        };
        Self {
            iterations: count(id::ITERATIONS),
            dropped: count(id::DROPPED_ITERATIONS),
            requests,
            failed,
            p50_ms: percentile(50.0),
            p95_ms: percentile(95.0),
            p99_ms: percentile(99.0),
            sent_bytes: count(id::DATA_SENT),
            received_bytes: count(id::DATA_RECEIVED),
            ..Self::default()
        }
    }

    /// Takes the step that follows in.
    fn extend(&mut self, next: &Self) {
        let for_s = self.for_s + next.for_s;
        let most = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
        self.asked_per_s = match (self.asked_per_s, next.asked_per_s) {
            (Some(a), Some(b)) => Some((a * self.for_s + b * next.for_s) / for_s),
            (a, b) => a.or(b),
        };
        self.p50_ms = most(self.p50_ms, next.p50_ms);
        self.p95_ms = most(self.p95_ms, next.p95_ms);
        self.p99_ms = most(self.p99_ms, next.p99_ms);
        self.iterations += next.iterations;
        self.dropped += next.dropped;
        self.requests += next.requests;
        self.failed += next.failed;
        self.sent_bytes += next.sent_bytes;
        self.received_bytes += next.received_bytes;
        (self.vus, self.vus_max) = (self.vus.max(next.vus), self.vus_max.max(next.vus_max));
        self.for_s = for_s;
    }
}

/// A second that not all threads have handed over yet.
#[derive(Debug)]
struct Second {
    index: u64,
    samples: Samples,
    threads: usize,
}

/// The course of a test that is under way.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// At most a few: threads are never many seconds apart.
    seconds: VecDeque<Second>,
    steps: Vec<Step>,
    /// Seconds of a whole step; 0 before the first.
    width_s: f64,
}

impl Course {
    /// Takes what one of so many threads measured in a second; what all of them did, once the last one has told.
    pub(crate) fn take(&mut self, index: u64, samples: &Samples, threads: usize) -> Option<(LastSecond, Step)> {
        if self.seconds.iter().all(|second| second.index != index) {
            self.seconds.push_back(Second { index, samples: Samples::default(), threads: 0 });
        }
        let second = self.seconds.iter_mut().find(|second| second.index == index)?;
        second.samples.merge(samples);
        second.threads += 1;
        if second.threads < threads || index == LAST {
            return None;
        }
        let (requests, failed, p95_ms) = second.samples.requests();
        #[allow(clippy::cast_precision_loss, reason = "seconds of a test")]
        let step = Step { at_s: index as f64, for_s: 1.0, ..Step::of(&second.samples) };
        // Seconds are whole in their order: a thread hands over one after the other.
        self.seconds.retain(|second| second.index > index);
        Some((LastSecond { requests, failed, p95_ms }, step))
    }

    /// Notes a step that is over.
    pub(crate) fn note(&mut self, step: Step) {
        self.width_s = self.width_s.max(1.0);
        self.add(step);
        while self.steps.len() > MOST_STEPS {
            self.width_s *= 2.0;
            std::mem::take(&mut self.steps).into_iter().for_each(|step| self.add(step));
        }
    }

    fn add(&mut self, step: Step) {
        match self.steps.last_mut() {
            Some(last) if last.for_s + step.for_s <= self.width_s => last.extend(&step),
            _ => self.steps.push(step),
        }
    }

    /// All steps, the rest until `end_s` included.
    pub(crate) fn finish(mut self, end_s: f64, asked: impl Fn(f64, f64) -> Option<f64>) -> Vec<Step> {
        let mut rest = Samples::default();
        self.seconds.iter().for_each(|second| rest.merge(&second.samples));
        let at_s = self.steps.last().map_or(0.0, |last| last.at_s + last.for_s);
        let for_s = (end_s - at_s).max(0.0);
        // At its end nobody is at work any more, but all that were made still count.
        let vus_max = self.steps.last().map_or(0, |last| last.vus_max);
        let step = Step { at_s, for_s, asked_per_s: asked(at_s, for_s), vus_max, ..Step::of(&rest) };
        match self.steps.last_mut() {
            Some(last) if for_s < SHORTEST_REST_S => last.extend(&Step { asked_per_s: None, ..step }),
            _ if for_s > 0.0 => self.note(step),
            _ => {}
        }
        self.steps
    }
}

/// Iterations a second that the schedules of a test ask for on average, in a time after its beginning.
pub(crate) fn asked_per_s(plan: &Plan, from_s: f64, for_s: f64) -> Option<f64> {
    let arrivals = || plan.scenarios.iter().filter(|each| matches!(each.executor, Executor::Arrivals { .. }));
    arrivals().next()?;
    let at = |place: u32| from_s + for_s * (f64::from(place) + 0.5) / f64::from(RATES);
    let rates = (0..RATES).map(|place| arrivals().map(|scenario| rate(scenario, at(place))).sum::<f64>());
    Some(rates.sum::<f64>() / f64::from(RATES))
}

/// The rate that one scenario asks for at a moment of the test.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "moments of a test")]
fn rate(scenario: &crate::Scenario, at_s: f64) -> f64 {
    let at_ns = (at_s * SECOND_NS as f64) as u64;
    let since_ns = at_ns.checked_sub(scenario.start_ns).filter(|since| *since < scenario.executor.duration_ns());
    match (&scenario.executor, since_ns) {
        (Executor::Arrivals { schedule, .. }, Some(since_ns)) => schedule.rate_per_s(since_ns),
        _ => 0.0,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::schedule::ConstantArrivalRate;
    use crate::{Request, RequestOptions, Schedule, Users};

    fn step(at_s: f64, requests: u64, p95_ms: f64) -> Step {
        let asked_per_s = Some(100.0);
        Step { at_s, for_s: 1.0, requests, p95_ms: Some(p95_ms), asked_per_s, ..Step::default() }
    }

    #[test]
    fn a_long_test_has_longer_steps_that_lose_no_request_and_no_peak() {
        let mut course = Course::default();
        for second in 0..10_000_u32 {
            let peak = if second == 7_777 { 900.0 } else { 2.0 };
            course.note(step(f64::from(second), 100, peak));
        }
        let steps = course.finish(10_000.7, |_, _| Some(0.0));
        assert!(steps.len() <= MOST_STEPS && steps.len() > MOST_STEPS / 2, "{}", steps.len());
        assert_eq!(steps.iter().map(|step| step.requests).sum::<u64>(), 1_000_000);
        let highest = steps.iter().find(|step| step.p95_ms == Some(900.0)).unwrap();
        assert_eq!((highest.at_s, highest.for_s, highest.requests), (7_776.0, 4.0, 400));
        assert!(steps.windows(2).all(|pair| pair[0].at_s + pair[0].for_s == pair[1].at_s));
        assert!((steps.last().unwrap().for_s - 0.7).abs() < 1e-6);
    }

    #[test]
    fn a_short_rest_counts_with_the_step_before() {
        for (end_s, steps) in [(2.0, 2), (2.2, 2), (2.6, 3)] {
            let mut course = Course::default();
            course.note(step(0.0, 100, 2.0));
            course.note(step(1.0, 100, 2.0));
            let all = course.finish(end_s, |_, _| Some(0.0));
            assert_eq!(all.len(), steps);
            assert_eq!(all.last().unwrap().at_s + all.last().unwrap().for_s, end_s);
            assert_eq!(all[1].asked_per_s, Some(100.0));
        }
    }

    #[test]
    fn a_second_is_whole_when_all_threads_have_told() {
        let (mut course, samples) = (Course::default(), Samples::default());
        assert!(course.take(0, &samples, 2).is_none());
        assert!(course.take(1, &samples, 2).is_none());
        let (_, whole) = course.take(0, &samples, 2).unwrap();
        assert_eq!((whole.at_s, whole.for_s, whole.p95_ms), (0.0, 1.0, None));
        course.note(whole);
        assert!(course.take(LAST, &samples, 2).is_none() && course.take(LAST, &samples, 2).is_none());
        assert_eq!(course.finish(1.9, |_, _| None).len(), 2);
    }

    #[test]
    fn what_a_schedule_asks_for_ends_with_it() {
        let schedule = Schedule::Constant(ConstantArrivalRate::new(50, SECOND_NS, 2 * SECOND_NS).unwrap());
        let executor = Executor::Arrivals { schedule, users: Users::OnDemand };
        let plan = Plan::plain(executor, Request::get("http://localhost/", &RequestOptions::default()).unwrap());
        let asked = [(0.0, 1.0), (1.5, 1.0), (2.0, 1.0)].map(|(from, long)| asked_per_s(&plan, from, long));
        assert_eq!(asked, [Some(50.0), Some(25.0), Some(0.0)]);
    }
}
