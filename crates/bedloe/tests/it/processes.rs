//! `bedloe run` as processes: reloads, a worker that dies, rights, logs, upgrades, nginx's own command line.

mod load;
mod logs;
mod nginx;
mod reload;
mod shown;
mod systemd;
mod upgrade;
mod worker;
