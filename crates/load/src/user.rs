//! A virtual user: what an iteration is, and what it leaves behind for the next one.

use std::rc::Rc;
use std::sync::Arc;

use net::clock::now_ns;

use crate::desk::Desk;
use crate::exchange::Client;
use crate::metric::{IterationSample, TagsId, Who};
use crate::plan::Source;
use crate::record::{About, record};
use crate::request::Request;
use crate::script::{Level, Player, ScriptScene, Stage, Thrown, Why, Work};
use crate::seat::{Order, Seat};

/// One user; it belongs to a thread, and does iterations of any scenario.
#[derive(Debug)]
pub(crate) struct User {
    /// Its number in the test, from 1.
    number: u64,
    /// Iterations begun.
    iterations: u64,
    /// What became of the script's init code, where it ran ahead of the first iteration.
    init: Option<Result<(), Thrown>>,
    mind: Mind,
}

/// What a user works with.
#[derive(Debug)]
enum Mind {
    /// Connections.
    Plain(Client),
    /// A script with its connections.
    Script(Box<Player>),
    /// No memory was left for a script.
    Nothing,
}

/// What an iteration is done for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Duty<'a> {
    /// The scenario's place in the plan.
    pub(crate) scenario: usize,
    pub(crate) tags: TagsId,
    /// When the scenario began.
    pub(crate) start_ns: u64,
    pub(crate) order: Order,
    pub(crate) seat: &'a Seat,
}

/// The times of an iteration.
#[derive(Debug, Clone, Copy)]
struct Times {
    began_ns: u64,
    first_over_ns: Option<u64>,
    ended_ns: u64,
}

impl User {
    /// Makes a user.
    pub(crate) fn new(number: u64, desk: &Rc<Desk>) -> Self {
        let mind = match &desk.plan.source {
            Source::Plain(_) => Mind::Plain(Client::new(Rc::clone(&desk.recorder))),
            Source::Script(run) => match desk.host().map(Player::new) {
                Some(Ok(player)) => {
                    player.host().introduce(number);
                    Mind::Script(Box::new(player))
                }
                // A test with fewer users than it was asked for would be another test.
                Some(Err(error)) => {
                    let mends = "`sysctl vm.max_map_count` or fewer users";
                    run.script.program.abort(&format!("there is no room for user {number} ({error}): {mends}"));
                    Mind::Nothing
                }
                None => Mind::Nothing,
            },
        };
        Self { number, iterations: 0, init: None, mind }
    }

    /// Runs the script's init code, so that the first iteration need not; what it throws is told there.
    pub(crate) async fn prepare(&mut self, seat: &Seat) {
        if let Mind::Script(player) = &mut self.mind
            && !player.has_begun()
        {
            self.init = Some(player.begin(seat).await);
        }
    }

    /// Does one iteration and records it; `false` if it was cut off.
    pub(crate) async fn iterate(&mut self, desk: &Desk, duty: Duty<'_>) -> bool {
        let who = Who { vu: self.number, iter: self.iterations };
        let init = self.init.take();
        let times = match (&mut self.mind, &desk.plan.source) {
            (Mind::Plain(client), Source::Plain(request)) => ask(client, request, desk, duty, who).await,
            (Mind::Script(player), Source::Script(run)) => {
                let begun = match init {
                    Some(begun) => begun,
                    None => player.begin(duty.seat).await,
                };
                play(player, begun, run.data.as_ref(), desk, duty, who).await
            }
            _ => None,
        };
        self.iterations += 1;
        let Some(Times { began_ns, first_over_ns, ended_ns }) = times else { return false };
        let iteration = IterationSample { due_ns: duty.order.due_ns, began_ns, first_over_ns, ended_ns };
        let tags = match &self.mind {
            Mind::Script(player) => player.host().tags(),
            _ => duty.tags,
        };
        desk.recorder.iteration(&iteration, tags, who);
        true
    }
}

/// A plain iteration is its one request.
async fn ask(client: &Client, request: &Request, desk: &Desk, duty: Duty<'_>, who: Who) -> Option<Times> {
    let began_ns = now_ns();
    client.account(duty.tags, who);
    let message = request.message();
    let exchange = tokio::select! {
        biased;
        exchange = client.exchange(&message, began_ns) => exchange,
        () = duty.seat.until_cut_off() => return None,
    };
    let about = About {
        method: "GET",
        url: &request.url,
        name: &request.url,
        version: exchange.version,
        tls: "",
        remote: None,
        is_expected: Some(exchange.failure.is_none()),
        own: &[],
    };
    record(&exchange, &about, &desk.recorder, duty.tags, who);
    Some(Times { began_ns, first_over_ns: Some(exchange.ended_ns), ended_ns: exchange.ended_ns })
}

/// A script's iteration is its function, after the init code where that has not run.
async fn play(
    player: &mut Player,
    begun: Result<(), Thrown>,
    data: Option<&Arc<str>>,
    desk: &Desk,
    duty: Duty<'_>,
    who: Who,
) -> Option<Times> {
    let role = desk.role(duty.scenario);
    let began_ns = now_ns();
    player.enter(&ScriptScene {
        stage: Stage::Iteration,
        who,
        scenario: duty.scenario,
        env: Arc::clone(&role.env),
        tags: duty.tags,
        pairs: Arc::clone(&role.tags),
        group: "",
        name: Arc::clone(&role.name),
        executor: desk.plan.scenarios[duty.scenario].executor.name(),
        number: duty.order.number,
        start_ns: duty.start_ns,
        length_ns: desk.plan.scenarios[duty.scenario].executor.duration_ns(),
    });
    let done = match begun {
        Ok(()) => {
            let function = Arc::clone(&role.function);
            player.work(Work::Call { function, data: data.cloned(), wants_value: false }, duty.seat).await
        }
        Err(thrown) => Err(thrown),
    };
    match done {
        Ok(_) => {}
        // An iteration that ends the test is over, as in k6.
        Err(_) if player.host().has_aborted() => {}
        Err(thrown) if thrown.why == Why::Interrupted => return None,
        Err(thrown) => tell(player, desk, duty.scenario, &thrown),
    }
    Some(Times { began_ns, first_over_ns: player.first_over_ns(), ended_ns: now_ns() })
}

fn tell(player: &Player, desk: &Desk, scenario: usize, thrown: &Thrown) {
    let scenario = &desk.plan.scenarios[scenario];
    let mut fields = vec![("executor", scenario.executor.name().to_owned()), ("scenario", scenario.name.clone())];
    if thrown.why == Why::Exception {
        fields.push(("source", "stacktrace".to_owned()));
    }
    player.host().log(Level::Error, thrown.text.clone(), fields);
}
