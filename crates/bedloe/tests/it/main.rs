//! The program's tests against the outside: one binary, one module a subject. Unit tests live beside the code.

mod agent;
mod api;
mod balancer;
mod check;
mod drills;
mod faults;
mod fixtures;
mod ha;
mod import;
mod injector;
mod lab;
mod liberty;
mod load;
mod manual;
mod netns;
mod nginx_paths;
mod nginx_picks;
mod outputs;
mod processes;
mod roll;
mod scripts;
mod stand_in;
mod support;
mod tidy;
mod tune;
mod wire;
