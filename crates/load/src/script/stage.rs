//! What is done once in a test, before and after all users: `setup`, `teardown`, `handleSummary`, each by a user of its
//! own.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use net::event_loop;
use tokio::sync::watch;

use super::ScriptRun;
use super::host::{Host, Scene, Stage};
use super::player::Player;
use super::thrown::{Thrown, Why};
use super::vm::Work;
use crate::drive::stopped;
use crate::metric::{Catalog, Pairs, Recorder, Samples, SystemTag, TagsId, Who};
use crate::seat::Seat;
use crate::sites::Sites;
use crate::worker::Phase;

/// How a stage ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With this value, as JSON where it was asked for.
    Done(Option<String>),
    /// By an exception.
    Thrown(Thrown),
    /// It took too long.
    TimedOut,
    /// The test was stopped.
    Stopped,
}

/// Runs one stage on this thread, and gives what it measured.
pub(crate) fn run_stage(
    run: &ScriptRun,
    catalog: &Arc<Catalog>,
    stage: Stage,
    work: Work,
    limit_ns: Option<u64>,
    phase: Option<watch::Receiver<Phase>>,
) -> io::Result<(Ended, Box<Samples>)> {
    let recorder = Rc::new(Recorder::new(Arc::clone(catalog), Arc::default()));
    let inside = Rc::clone(&recorder);
    let ended = event_loop::block_on(async move { play(run, inside, stage, work, limit_ns, phase).await })??;
    Ok((ended, recorder.finish(Box::default())))
}

async fn play(
    run: &ScriptRun,
    recorder: Rc<Recorder>,
    stage: Stage,
    work: Work,
    limit_ns: Option<u64>,
    phase: Option<watch::Receiver<Phase>>,
) -> io::Result<Ended> {
    let sites = Rc::new(Sites::new(Arc::clone(&run.http)));
    let group = match stage {
        Stage::Setup => "::setup",
        Stage::Teardown => "::teardown",
        _ => "",
    };
    let (tags, pairs) = own_tags(&recorder, group);
    let host = Rc::new(Host::new(Arc::clone(&run.script.program), sites, recorder));
    let mut player = Player::new(host)?;
    let seat = Seat::default();
    let done = async {
        player.begin(&seat).await?;
        let (env, name) = (Arc::from([]), Arc::from(""));
        let (who, executor) = (Who::default(), "");
        player.enter(&Scene {
            stage,
            who,
            scenario: 0,
            env,
            tags,
            pairs,
            group,
            name,
            executor,
            number: 0,
            start_ns: 0,
            length_ns: 0,
        });
        let done = player.work(work, &seat).await;
        if matches!(stage, Stage::Setup | Stage::Teardown) {
            // Also one without requests has its bytes.
            player.host().recorder.data(0, 0, player.host().tags(), who);
        }
        done
    };
    let mut done = std::pin::pin!(done);
    let limit = async {
        match limit_ns {
            Some(ns) => event_loop::sleep(Duration::from_nanos(ns)).await,
            None => std::future::pending().await,
        }
    };
    let stop = async {
        match phase {
            Some(mut phase) => stopped(&mut phase).await,
            None => std::future::pending().await,
        }
    };
    let early = tokio::select! {
        biased;
        done = &mut done => return Ok(ended(done)),
        () = limit => Ended::TimedOut,
        () = stop => Ended::Stopped,
    };
    // The script is told to stop, and does.
    seat.cut_off();
    let _ = done.await;
    Ok(early)
}

/// The tags of a stage's samples.
fn own_tags(recorder: &Recorder, group: &str) -> (TagsId, Pairs) {
    let has_group = recorder.system_tags().has(SystemTag::Group);
    let tags = &recorder.catalog().tags;
    let mut pairs: Vec<(&str, &str)> = tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    pairs.extend(has_group.then_some(("group", group)));
    pairs.sort_unstable();
    let id = recorder.tags(TagsId::NONE, &pairs);
    (id, pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
}

fn ended(done: Result<Option<String>, Thrown>) -> Ended {
    match done {
        Ok(value) => Ended::Done(value),
        Err(thrown) if thrown.why == Why::Interrupted => Ended::Stopped,
        Err(thrown) => Ended::Thrown(thrown),
    }
}
