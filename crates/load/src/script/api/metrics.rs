//! The module `k6/metrics`: `Counter`, `Gauge`, `Rate`, `Trend`.

use rquickjs::class::{JsClass, Readable};
use rquickjs::function::{Constructor, Opt, This};
use rquickjs::module::{Declarations, Exports, ModuleDef};
use rquickjs::object::Property;
use rquickjs::{Class, Coerced, Ctx, Exception, Function, Object, Result, Value};

use super::super::host::{Stage, host};
use super::super::log::Level;
use super::super::raw::Held;
use super::Exporter;
use super::core::with_tags;
use super::values::{is_true, text};
use crate::metric::{Kind, MetricId};

/// The module.
pub(super) struct Metrics;

/// A metric of the script's; `KIND` is its place in [`KINDS`].
#[derive(Debug)]
pub(super) struct Metric<const KIND: usize> {
    id: MetricId,
    name: Box<str>,
}

const KINDS: [(&str, Kind); 4] =
    [("Counter", Kind::Counter), ("Gauge", Kind::Gauge), ("Rate", Kind::Rate), ("Trend", Kind::Trend)];

impl ModuleDef for Metrics {
    fn declare<'js>(declarations: &Declarations<'js>) -> Result<()> {
        for name in ["default", "Counter", "Gauge", "Rate", "Trend"] {
            declarations.declare(name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let exporter = Exporter::new(ctx, exports)?;
        export::<0>(&exporter)?;
        export::<1>(&exporter)?;
        export::<2>(&exporter)?;
        export::<3>(&exporter)?;
        exporter.done()
    }
}

fn export<const KIND: usize>(exporter: &Exporter<'_, '_>) -> Result<()> {
    let constructor = Class::<Held<Metric<KIND>>>::create_constructor(exporter.ctx)?;
    exporter.value(KINDS[KIND].0, constructor)
}

impl<'js, const KIND: usize> JsClass<'js> for Held<Metric<KIND>> {
    const NAME: &'static str = KINDS[KIND].0;

    type Mutable = Readable;

    fn prototype(ctx: &Ctx<'js>) -> Result<Option<Object<'js>>> {
        let prototype = Object::new(ctx.clone())?;
        prototype.set("add", Function::new(ctx.clone(), add::<KIND>)?.with_name("add")?)?;
        Ok(Some(prototype))
    }

    fn constructor(ctx: &Ctx<'js>) -> Result<Option<Constructor<'js>>> {
        Constructor::new_class::<Self, _, _>(ctx.clone(), make::<KIND>).map(Some)
    }
}

fn make<'js, const KIND: usize>(
    ctx: Ctx<'js>,
    name: Opt<Value<'js>>,
    is_time: Opt<Value<'js>>,
) -> Result<Class<'js, Held<Metric<KIND>>>> {
    let host = host(&ctx);
    if host.stage.get() != Stage::Init {
        return Err(Exception::throw_message(&ctx, "metrics must be declared in the init code"));
    }
    let name = name.0.filter(|name| !name.is_undefined());
    let name = name.map(|name| text(&name)).transpose()?.unwrap_or_default();
    let is_time = is_time.0.is_some_and(|value| is_true(&value));
    let id = host.recorder.metric(&name, KINDS[KIND].1, is_time);
    let id = id.map_err(|error| Exception::throw_message(&ctx, &error.to_string()))?;
    let made = Class::instance(ctx, Held(Metric { id, name: name.as_str().into() }))?;
    made.prop("name", Property::from(name).enumerable())?;
    Ok(made)
}

/// Adds a value; `false` where it is none, which is warned of.
fn add<'js, const KIND: usize>(
    ctx: Ctx<'js>,
    this: This<Class<'js, Held<Metric<KIND>>>>,
    value: Opt<Value<'js>>,
    own: Opt<Value<'js>>,
) -> Result<bool> {
    let host = host(&ctx);
    if host.stage.get() == Stage::Init {
        return Err(Exception::throw_message(&ctx, "values cannot be added to metrics in the init code"));
    }
    let metric = this.0.borrow();
    let number = value.0.as_ref().map_or(f64::NAN, |value| number(value));
    if !number.is_finite() {
        let shown = value.0.as_ref().map(|value| text(value).unwrap_or_default()).unwrap_or_default();
        let line = format!("'{shown}' is an invalid value for metric '{}', want a number", metric.0.name);
        host.log(Level::Warning, line, Vec::new());
        return Ok(false);
    }
    let tags = match &own.0 {
        Some(own) => with_tags(&ctx, &host, own)?,
        None => host.tags.get(),
    };
    host.recorder.add(metric.0.id, number, tags, host.who.get());
    Ok(true)
}

/// A value as a number; booleans are 1 and 0. Of what is added to a rate, all but 0 counts.
fn number(value: &Value<'_>) -> f64 {
    if let Some(value) = value.as_bool() {
        return f64::from(u8::from(value));
    }
    if value.is_null() || value.is_undefined() {
        return f64::NAN;
    }
    value.get::<Coerced<f64>>().map_or(f64::NAN, |number| number.0)
}
