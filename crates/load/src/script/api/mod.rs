//! k6's modules and globals, written here so that a user who has them takes little memory.
//!
//! Left out: what k6 has for browsers, sockets and services of its own; see [`UNSERVED`].
#![allow(clippy::needless_pass_by_value, reason = "the engine hands arguments over by value")]

mod console;
mod cookies;
mod core;
mod crypto;
mod data;
mod encoding;
mod execution;
mod files;
mod globals;
mod http;
mod metrics;
mod params;
mod response;
mod timers;
mod values;
mod vu_tags;
mod webcrypto;

use rquickjs::function::IntoJsFunc;
use rquickjs::module::{Declared, Exports};
use rquickjs::{Ctx, Function, IntoJs, Module, Object, Result, Value};

use super::host::host;
use crate::fetch::Reply;

/// Modules that are served.
const SERVED: [&str; 8] =
    ["k6", "k6/crypto", "k6/data", "k6/encoding", "k6/execution", "k6/http", "k6/metrics", "k6/timers"];
/// Modules that k6 has and that are left out, by how they begin, and why.
const UNSERVED: [(&str, &str); 7] = [
    ("k6/html", "there is no reader of HTML"),
    ("k6/ws", "WebSockets are not spoken"),
    ("k6/websockets", "WebSockets are not spoken"),
    ("k6/net/grpc", "gRPC is not spoken"),
    ("k6/browser", "there is no browser"),
    ("k6/x/", "it is an extension of k6's"),
    ("k6/experimental", "what is experimental in k6 is left out"),
];

pub(crate) use params::canonical;

/// Declares one of k6's modules; `None` where it is none of them.
pub(super) fn declare<'js>(ctx: &Ctx<'js>, name: &str) -> Option<Result<Module<'js, Declared>>> {
    let ctx = ctx.clone();
    Some(match name {
        "k6" => Module::declare_def::<core::K6, _>(ctx, name),
        "k6/http" => Module::declare_def::<http::Http, _>(ctx, name),
        "k6/crypto" => Module::declare_def::<crypto::Crypto, _>(ctx, name),
        "k6/data" => Module::declare_def::<data::Data, _>(ctx, name),
        "k6/encoding" => Module::declare_def::<encoding::Encoding, _>(ctx, name),
        "k6/execution" => Module::declare_def::<execution::Execution, _>(ctx, name),
        "k6/timers" => Module::declare_def::<timers::Timers, _>(ctx, name),
        "k6/metrics" => Module::declare_def::<metrics::Metrics, _>(ctx, name),
        _ => return None,
    })
}

pub(super) fn is_served(name: &str) -> bool {
    SERVED.contains(&name)
}

/// Why a module is not there.
pub(super) fn unserved(name: &str) -> String {
    match UNSERVED.iter().find(|(start, _)| name.starts_with(start)) {
        Some((_, why)) => format!("the module `{name}` is not served: {why}"),
        None => format!("there is no module `{name}`: want one of {}", SERVED.join(", ")),
    }
}

/// Puts the globals in place.
pub(super) fn install(ctx: &Ctx<'_>) -> Result<()> {
    console::install(ctx)?;
    timers::install(ctx)?;
    data::install(ctx)?;
    globals::install(ctx)?;
    webcrypto::install(ctx)?;
    super::commonjs::install(ctx)
}

/// The answer to a request that nobody waited for.
pub(super) fn answered<'js>(ctx: &Ctx<'js>, reply: Reply) -> Result<Value<'js>> {
    http::answered(ctx, &host(ctx), reply)
}

/// What a module exports, by name and as one object by default.
struct Exporter<'a, 'js> {
    ctx: &'a Ctx<'js>,
    exports: &'a Exports<'js>,
    all: Object<'js>,
}

impl<'a, 'js> Exporter<'a, 'js> {
    fn new(ctx: &'a Ctx<'js>, exports: &'a Exports<'js>) -> Result<Self> {
        Ok(Self { ctx, exports, all: Object::new(ctx.clone())? })
    }

    fn function<P>(&self, name: &str, function: impl IntoJsFunc<'js, P> + 'js) -> Result<()> {
        self.value(name, Function::new(self.ctx.clone(), function)?.with_name(name)?)
    }

    fn value(&self, name: &str, value: impl IntoJs<'js>) -> Result<()> {
        let value = value.into_js(self.ctx)?;
        self.all.set(name, value.clone())?;
        self.exports.export(name, value)?;
        Ok(())
    }

    fn done(self) -> Result<()> {
        self.exports.export("default", self.all)?;
        Ok(())
    }
}
