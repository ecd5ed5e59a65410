//! The worker: a process that serves what its master hands it, and may do nothing else.
//!
//! It is this program once more, started by the master with a socket as its standard input. It reads no file, opens no
//! listener, and runs as the user that the configuration names. It ends with its master.

use std::os::fd::OwnedFd;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use rustix::process::getppid;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::channel::{receive_waiting, send_waiting};
use super::message::{Order, Report};
use super::service::Service;
use super::signals::{Asked, Signals};
use super::{plan, user};
use crate::hosts::AgentsArgs;

/// Orders that wait while one is carried out.
const ORDERS: usize = 16;

/// A worker of the balancer; only its master starts one.
#[derive(Debug, Clone, Args)]
pub(crate) struct WorkerArgs {
    /// The master, with which it ends
    #[arg(long)]
    master: u32,
    #[command(flatten)]
    hosts: AgentsArgs,
}

/// Serves until it is told not to, or its master is gone.
pub(crate) fn work(args: &WorkerArgs) -> anyhow::Result<ExitCode> {
    let master = getppid().context("a worker is started by its master, not by hand")?;
    anyhow::ensure!(master.as_raw_pid().cast_unsigned() == args.master, "the master {} is gone", args.master);
    let socket = take_socket()?;
    let Some(Order::Serve(assignment)) = next_order(&socket)? else { return Ok(ExitCode::SUCCESS) };
    let number = assignment.number;
    let served = serve(&socket, *assignment, args);
    if let Err(error) = served {
        report(&socket, &Report::Refused { number, why: format!("{error:#}") });
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(socket: &OwnedFd, assignment: super::message::Assignment, args: &WorkerArgs) -> anyhow::Result<()> {
    let config = assignment.understood.load().context("the configuration is not understood as it was by the master")?;
    if let Some(warning) = plan::set_file_limit(&config) {
        crate::say(format_args!("[warn] {warning}"));
    }
    // Their token and certificates may be readable for the user that the master is.
    let hosts = args.hosts.sources()?;
    user::drop_rights(user::Account::of_worker(&config.main)?.as_ref())?;
    drop(config);
    // A change of user makes the kernel forget it, so this comes behind.
    lab::orphan::die_with(args.master)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = runtime.block_on(async { Signals::take() })?;
    let orders = listen_to(socket.try_clone()?)?;
    let service = LocalSet::new().block_on(&runtime, async {
        let service = Service::start(assignment, hosts)?;
        Ok::<_, anyhow::Error>(carry_out(service, &mut signals, orders, socket).await)
    })?;
    service.join()
}

/// Does as it is told until the data plane has ended.
async fn carry_out(
    mut service: Service,
    signals: &mut Signals,
    mut orders: mpsc::Receiver<Order>,
    socket: &OwnedFd,
) -> Service {
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Serve(assignment)) => {
                    let number = assignment.number;
                    if let Err(error) = service.reload(*assignment) {
                        report(socket, &Report::Refused { number, why: format!("{error:#}") });
                    }
                }
                Some(Order::Reopen(files)) => service.reopen(files),
                Some(Order::Drain { keep_admin }) => service.drain(keep_admin),
                Some(Order::Note { refused }) => service.note_refused(&refused),
                // Without its master it has no business here.
                Some(Order::Stop) | None => service.stop(),
            },
            // The signals of nginx's workers; a terminal sends its own to all processes at once.
            asked = signals.next() => match asked {
                Asked::Quit => service.drain(true),
                Asked::Stop => service.stop(),
                Asked::Reload | Asked::Reopen | Asked::Upgrade | Asked::EndWorkers => {}
            },
            () = service.look() => {}
        }
        if let Some(number) = service.taken_up() {
            report(socket, &Report::Serving { number });
        }
        if service.has_ended() {
            return service;
        }
    }
}

/// The socket that came as the standard input, which is nothing from now on.
fn take_socket() -> anyhow::Result<OwnedFd> {
    let socket = rustix::io::fcntl_dupfd_cloexec(std::io::stdin(), 3).context("the master's socket is missing")?;
    let nothing = std::fs::File::open("/dev/null").context("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing).context("the standard input")?;
    Ok(socket)
}

/// Takes the master's orders on a thread of its own: the threads that serve wait for nobody.
fn listen_to(socket: OwnedFd) -> anyhow::Result<mpsc::Receiver<Order>> {
    let (sender, orders) = mpsc::channel(ORDERS);
    let listen = move || {
        while let Ok(Some(order)) = next_order(&socket) {
            if sender.blocking_send(order).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("orders".to_owned()).spawn(listen)?;
    Ok(orders)
}

fn next_order(socket: &OwnedFd) -> anyhow::Result<Option<Order>> {
    let Some(frame) = receive_waiting(socket)? else { return Ok(None) };
    let order = Order::from_frame(frame).map_err(|_| anyhow::anyhow!("an order of the master's is not understood"))?;
    Ok(Some(order))
}

/// A master that is gone needs no report.
fn report(socket: &OwnedFd, report: &Report) {
    let (kind, bytes) = report.write();
    let _ = send_waiting(socket, kind, &bytes);
}
