//! Promises, timers and requests that a script does not wait for where it stands: an iteration is over once all of them
//! are.

use rquickjs::{Ctx, Function, Object, Promise, Result, Value};

use super::fiber::{Answer, Ask, Begun, Event};
use super::host::{Host, host};
use super::log::Level;
use super::thrown::Thrown;
use super::{api, inspect};

/// Where callbacks are kept, by number.
const PENDING: &str = "@@pending";

/// Begins something, whose end `callback` is told.
pub(super) fn begin<'js>(ctx: &Ctx<'js>, begun: Begun, callback: Value<'js>) -> Result<u64> {
    let number = host(ctx).begin(begun);
    let pending = match ctx.globals().get::<_, Option<Object<'js>>>(PENDING)? {
        Some(pending) => pending,
        None => {
            let pending = Object::new(ctx.clone())?;
            ctx.globals().prop(PENDING, pending.clone())?;
            pending
        }
    };
    pending.set(number.to_string(), callback)?;
    Ok(number)
}

/// Begins a timer that begins again whenever it is over, under the same number.
pub(super) fn begin_again<'js>(ctx: &Ctx<'js>, ns: u64, callback: Function<'js>) -> Result<u64> {
    let again = Object::new(ctx.clone())?;
    again.set("callback", callback)?;
    again.set("ns", ns as f64)?;
    begin(ctx, Begun::Timer(ns), again.into_value())
}

/// Nobody waits for it any more.
pub(super) fn give_up(ctx: &Ctx<'_>, number: u64) -> Result<()> {
    host(ctx).open.borrow_mut().remove(&number);
    take(ctx, number).map(drop)
}

fn take<'js>(ctx: &Ctx<'js>, number: u64) -> Result<Option<Value<'js>>> {
    let Some(pending) = ctx.globals().get::<_, Option<Object<'js>>>(PENDING)? else { return Ok(None) };
    let key = number.to_string();
    let callback: Value<'js> = pending.get(key.as_str())?;
    pending.remove(key.as_str())?;
    Ok(Some(callback).filter(|callback| !callback.is_undefined()))
}

/// What a function returned, once all that it has begun is over.
pub(super) fn all<'js>(ctx: &Ctx<'js>, host: &Host, returned: Value<'js>) -> std::result::Result<Value<'js>, Thrown> {
    let promise = Promise::from_value(returned.clone()).ok();
    loop {
        while ctx.execute_pending_job() {}
        if let Some(promise) = &promise
            && let Some(Err(error)) = promise.result::<Value<'js>>()
        {
            return Err(Thrown::rejection(ctx, error));
        }
        // One that nobody looks at ends the iteration, which counts all the same: so it does in k6.
        if tell_unhandled(host) || host.open.borrow().is_empty() {
            break;
        }
        let Some(Answer::Happened(events)) = host.ask(Ask::Wait) else {
            return Err(Thrown::of(ctx, super::host::stop(ctx)));
        };
        for (number, event) in events {
            if host.open.borrow_mut().remove(&number) {
                happened(ctx, number, event).map_err(|error| Thrown::of(ctx, error))?;
            }
        }
    }
    match promise.map(|promise| promise.result::<Value<'js>>()) {
        Some(Some(Ok(value))) => Ok(value),
        Some(Some(Err(error))) => Err(Thrown::rejection(ctx, error)),
        // One that nothing will settle keeps nobody.
        Some(None) | None => Ok(returned),
    }
}

fn happened(ctx: &Ctx<'_>, number: u64, event: Event) -> Result<()> {
    let Some(callback) = take(ctx, number)? else { return Ok(()) };
    match event {
        Event::Time => match callback.as_function() {
            Some(callback) => callback.call::<_, Value<'_>>(()).map(drop),
            None => again(ctx, number, &callback),
        },
        Event::Fetched(reply) => {
            let resolve_reject = callback.as_object().cloned();
            let Some(promise) = resolve_reject else { return Ok(()) };
            let (name, value) = match api::answered(ctx, *reply) {
                Ok(value) => ("resolve", value),
                Err(_) => ("reject", ctx.catch()),
            };
            promise.get::<_, Function<'_>>(name)?.call::<_, Value<'_>>((value,)).map(drop)
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a whole number")]
fn again<'js>(ctx: &Ctx<'js>, number: u64, value: &Value<'js>) -> Result<()> {
    let Some(fields) = value.as_object() else { return Ok(()) };
    let (callback, ns): (Function<'js>, f64) = (fields.get("callback")?, fields.get("ns")?);
    let host = host(ctx);
    host.begun.borrow_mut().push((number, Begun::Timer(ns as u64)));
    host.open.borrow_mut().insert(number);
    if let Some(pending) = ctx.globals().get::<_, Option<Object<'js>>>(PENDING)? {
        pending.set(number.to_string(), value.clone())?;
    }
    callback.call::<_, Value<'js>>(()).map(drop)
}

/// The value of a promise, once the jobs that it waits for are done.
pub(super) fn settled<'js>(ctx: &Ctx<'js>, promise: &Promise<'js>) -> std::result::Result<Value<'js>, Thrown> {
    while ctx.execute_pending_job() {}
    match promise.result::<Value<'js>>() {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(Thrown::of(ctx, error)),
        None => Err(Thrown::new("a promise was left that nothing will settle")),
    }
}

/// The engine tells of promises that were rejected, and of those that were looked at after all.
#[allow(clippy::needless_pass_by_value, reason = "the engine hands them over by value")]
pub(super) fn track<'js>(ctx: Ctx<'js>, promise: Value<'js>, reason: Value<'js>, is_handled: bool) {
    let host = host(&ctx);
    let name = format!("{promise:?}");
    // A promise that is gone may have had the same name, which is its place in memory: the later one is meant.
    if is_handled {
        let mut unhandled = host.unhandled.borrow_mut();
        if let Some(at) = unhandled.iter().rposition(|(known, _)| *known == name) {
            unhandled.remove(at);
        }
    } else {
        let text = reason.as_object().cloned().and_then(rquickjs::Exception::from_object);
        // To show it may run code of the script's, which may reject another one.
        let text = text.map_or_else(|| inspect::shown(&reason), |_| Thrown::shown(&reason));
        host.unhandled.borrow_mut().push((name, text));
    }
}

/// Whether there were any.
fn tell_unhandled(host: &Host) -> bool {
    let all = std::mem::take(&mut *host.unhandled.borrow_mut());
    let is_any = !all.is_empty();
    for (_, text) in all {
        let scene = host.scene_name.borrow().to_string();
        let fields = vec![("executor", host.executor.get().to_owned()), ("scenario", scene)];
        host.log(Level::Error, format!("Uncaught (in promise) {text}"), fields);
    }
    is_any
}
