//! The program's tests against the outside: one binary, one module a subject. Unit tests live beside the code.

mod nginx_paths;
mod nginx_picks;
mod support;
mod tidy;
