//! The module `k6/execution`: what is known of the test, the scenario and the user, as of now; and `test.abort`.

use net::clock::{now_ns, unix_ns};
use rquickjs::function::{IntoJsFunc, Opt};
use rquickjs::module::{Declarations, Exports, ModuleDef};
use rquickjs::object::{Accessor, Property};
use rquickjs::{Ctx, Error, Exception, Function, IntoJs, Object, Result, Value};

use super::super::host::{Host, Stage, host};
use super::super::raw;
use super::Exporter;
use super::values::{is_nothing, text};
use super::vu_tags::kept;

/// The module.
pub(super) struct Execution;

impl ModuleDef for Execution {
    fn declare<'js>(declarations: &Declarations<'js>) -> Result<()> {
        for name in ["default", "instance", "scenario", "test", "vu"] {
            declarations.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let exporter = Exporter::new(ctx, exports)?;
        exporter.value("instance", instance(ctx)?)?;
        exporter.value("scenario", scenario(ctx)?)?;
        exporter.value("test", test(ctx)?)?;
        exporter.value("vu", vu(ctx)?)?;
        exporter.done()
    }
}

fn put<'js, P>(object: &Object<'js>, name: &str, get: impl IntoJsFunc<'js, P> + 'js) -> Result<()> {
    object.prop(name, Accessor::from(get).enumerable())
}

/// Something of the test or the user, which init code does not know.
fn later<'js, T: IntoJs<'js>>(
    object: &Object<'js>,
    of: &'static str,
    name: &'static str,
    get: impl Fn(&Ctx<'js>, &Host) -> T + 'js,
) -> Result<()> {
    put(object, name, asked(of, name, get))
}

/// The same, as a function.
fn asked<'js, T: IntoJs<'js>>(
    of: &'static str,
    name: &'static str,
    get: impl Fn(&Ctx<'js>, &Host) -> T + 'js,
) -> impl Fn(Ctx<'js>) -> Result<Value<'js>> + 'js {
    move |ctx: Ctx<'js>| {
        let host = host(&ctx);
        let is_over = host.stage.get() == Stage::Teardown && of == "instance";
        if host.stage.get() == Stage::Init || is_over {
            let text = format!("exec.{of}.{name} is known while the test runs, not in the init code or after it");
            return Err(Exception::throw_message(&ctx, &text));
        }
        get(&ctx, &host).into_js(&ctx)
    }
}

/// Something that is known while iterations are done.
fn known<'js>(
    object: &Object<'js>,
    name: &'static str,
    get: impl Fn(&Ctx<'js>, &Host) -> Result<Value<'js>> + 'js,
) -> Result<()> {
    let get = move |ctx: Ctx<'js>| {
        let host = host(&ctx);
        if host.stage.get() != Stage::Iteration {
            let text = format!("exec.scenario.{name} is known while an iteration of a scenario is done");
            return Err(Exception::throw_message(&ctx, &text));
        }
        get(&ctx, &host)
    };
    put(object, name, get)
}

#[allow(clippy::cast_precision_loss, reason = "counts and times below 2^53")]
fn number(value: u64) -> f64 {
    value as f64
}

fn instance<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let (made, of) = (Object::new(ctx.clone())?, "instance");
    later(&made, of, "iterationsCompleted", |_, host| number(host.program.watch(|counts| counts.iterations)))?;
    later(&made, of, "iterationsInterrupted", |_, host| number(host.program.watch(|counts| counts.interrupted)))?;
    later(&made, of, "vusActive", |_, host| number(host.program.watch(|counts| counts.active)))?;
    later(&made, of, "vusInitialized", |_, host| number(host.program.watch(|counts| counts.users)))?;
    later(&made, of, "currentTestRunDuration", |_, host| number(host.program.elapsed_ns()) / 1e6)?;
    Ok(made)
}

fn scenario<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let made = Object::new(ctx.clone())?;
    known(&made, "name", |ctx, host| host.scene_name.borrow().to_string().into_js(ctx))?;
    known(&made, "executor", |ctx, host| host.executor.get().into_js(ctx))?;
    known(&made, "startTime", |ctx, host| {
        let since_ns = now_ns().saturating_sub(host.scene_start_ns.get());
        number(unix_ns().saturating_sub(since_ns) / 1_000_000).into_js(ctx)
    })?;
    known(&made, "progress", |ctx, host| {
        let since_ns = now_ns().saturating_sub(host.scene_start_ns.get());
        let of_ns = host.scene_ns.get().max(1);
        (number(since_ns) / number(of_ns)).min(1.0).into_js(ctx)
    })?;
    known(&made, "iterationInInstance", |ctx, host| number(host.number.get()).into_js(ctx))?;
    known(&made, "iterationInTest", |ctx, host| number(host.program.number_in_test(host.number.get())).into_js(ctx))?;
    Ok(made)
}

fn vu<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let (made, of) = (Object::new(ctx.clone())?, "vu");
    later(&made, of, "idInInstance", |_, host| number(host.who.get().vu))?;
    later(&made, of, "idInTest", |_, host| {
        number(host.who.get().vu.checked_sub(1).map_or(0, |before| host.program.number_in_test(before) + 1))
    })?;
    later(&made, of, "iterationInInstance", |_, host| number(host.who.get().iter))?;
    later(&made, of, "iterationInScenario", |_, host| number(host.iteration_in_scenario()))?;
    // Another object in its place changes nothing, as in k6.
    let tags = Accessor::new(asked(of, "tags", |ctx, _| kept(ctx, "tags")), |_other: Value<'js>| {});
    made.prop("tags", tags.enumerable())?;
    later(&made, of, "metrics", |ctx, _| {
        let made = Object::new(ctx.clone())?;
        for name in ["tags", "metadata"] {
            made.prop(name, Property::from(kept(ctx, name)?).enumerable())?;
        }
        Ok::<_, Error>(made)
    })?;
    Ok(made)
}

fn test<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let made = Object::new(ctx.clone())?;
    made.set("abort", Function::new(ctx.clone(), abort)?.with_name("abort")?)?;
    made.set("fail", Function::new(ctx.clone(), fail)?.with_name("fail")?)?;
    put(&made, "options", |ctx: Ctx<'js>| {
        let host = host(&ctx);
        if host.stage.get() == Stage::Init {
            return Err(Exception::throw_message(&ctx, "the options of a test are not known in the init code"));
        }
        ctx.json_parse(host.program.options())
    })?;
    Ok(made)
}

fn said<'js>(message: Opt<Value<'js>>) -> Result<String> {
    message.0.filter(|message| !is_nothing(message)).map_or(Ok(String::new()), |message| text(&message))
}

/// Ends the test: nobody catches this.
fn abort<'js>(ctx: Ctx<'js>, message: Opt<Value<'js>>) -> Result<()> {
    let message = said(message)?;
    let host = host(&ctx);
    host.program.abort(&message);
    host.abort();
    Err(raw::throw_uncatchable(&ctx, "test aborted"))
}

/// Marks the test as failed, and lets it go on.
fn fail<'js>(ctx: Ctx<'js>, message: Opt<Value<'js>>) -> Result<()> {
    let message = said(message)?;
    host(&ctx).program.fail(&message);
    Ok(())
}
