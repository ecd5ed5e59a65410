//! What runs on a user's coroutine: the engine with the script's modules, and then one piece of work after the other.

use std::rc::Rc;
use std::sync::Arc;

use rquickjs::{Context, Ctx, Exception, Function, Module, Object, Promise, Runtime, Value};

use super::fiber::{Answer, Ask, SCRIPT_STACK_BYTES};
use super::host::Host;
use super::modules::{Modules, Names};
use super::raw::{Held, Memory};
use super::thrown::Thrown;
use super::{api, inspect, turns};

/// What one user's script may take: a runaway script ends long before the machine does.
const MOST_MEMORY: usize = 512 << 20;

/// Something to be done with a script.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// What it exports: its options, and the names of its functions.
    Describe,
    /// A function is called.
    Call {
        /// Its name; `default` is the default export.
        function: Arc<str>,
        /// What `setup` has returned, as JSON; the same text each time.
        data: Option<Arc<str>>,
        /// Whether what it returns is wanted, as JSON.
        wants_value: bool,
    },
    /// `handleSummary` is called with this JSON, and gives texts by where they go.
    Summarize(String),
}

/// Lives on the coroutine until nothing is left to be done.
pub(super) fn live(host: &Rc<Host>) {
    if let Err(error) = begin(host) {
        let _ = host.rest(Ask::Done(Err(Thrown::new(format!("the script engine cannot start: {error}")))));
    }
}

fn begin(host: &Rc<Host>) -> rquickjs::Result<()> {
    let runtime = Runtime::new_with_alloc(Memory(Rc::clone(host)))?;
    runtime.set_max_stack_size(SCRIPT_STACK_BYTES);
    runtime.set_memory_limit(MOST_MEMORY);
    runtime.set_loader(Names, Modules(Rc::clone(host)));
    let interrupted = Rc::clone(host);
    runtime.set_host_promise_rejection_tracker(Some(Box::new(turns::track)));
    runtime.set_interrupt_handler(Some(Box::new(move || interrupted.interrupts())));
    let context = Context::full(&runtime)?;
    context.with(|ctx| {
        let _ = ctx.store_userdata(Held(Rc::clone(host)));
        serve(&ctx, host);
    });
    Ok(())
}

fn serve(ctx: &Ctx<'_>, host: &Rc<Host>) {
    let (mut vm, mut done) = match import(ctx, host) {
        Ok(namespace) => (Some(Vm { ctx, host, namespace, function: None }), Ok(None)),
        Err(thrown) => (None, Err(thrown)),
    };
    loop {
        let Answer::Work(work) = host.rest(Ask::Done(done)) else { return };
        done = match &mut vm {
            Some(vm) => vm.work(&work),
            None => Err(Thrown::new("the script's init code has failed")),
        };
    }
}

/// Runs the script's init code.
fn import<'js>(ctx: &Ctx<'js>, host: &Host) -> Result<Object<'js>, Thrown> {
    let thrown = |error| Thrown::of(ctx, error);
    super::thrown::install(ctx).map_err(thrown)?;
    api::install(ctx).map_err(thrown)?;
    let promise = Module::import(ctx, host.program.entry.as_str()).map_err(thrown)?;
    turns::settled(ctx, &promise)?.into_object().ok_or_else(|| Thrown::new("the script is no module"))
}

struct Vm<'a, 'js> {
    ctx: &'a Ctx<'js>,
    host: &'a Host,
    namespace: Object<'js>,
    /// The function that was called last.
    function: Option<(Arc<str>, Function<'js>)>,
}

impl<'js> Vm<'_, 'js> {
    fn work(&mut self, work: &Work) -> Result<Option<String>, Thrown> {
        match work {
            Work::Describe => self.describe().map(Some),
            Work::Call { function, data, wants_value } => {
                let value = self.call(function, data.as_ref())?;
                if *wants_value { self.json(value).map(Some) } else { Ok(None) }
            }
            Work::Summarize(data) => self.summarize(data).map(Some),
        }
    }

    fn thrown(&self, error: rquickjs::Error) -> Thrown {
        Thrown::of(self.ctx, error)
    }

    fn call(&mut self, name: &Arc<str>, data: Option<&Arc<str>>) -> Result<Value<'js>, Thrown> {
        let function = self.function(name)?;
        let data = data.map(|json| self.ctx.json_parse(json.as_bytes())).transpose();
        let returned = match data.map_err(|error| self.thrown(error))? {
            Some(data) => function.call::<_, Value<'js>>((data,)),
            None => function.call::<_, Value<'js>>(()),
        };
        let returned = returned.map_err(|error| self.thrown(error));
        let returned = returned.and_then(|returned| turns::all(self.ctx, self.host, returned));
        self.host.forget();
        returned
    }

    fn function(&mut self, name: &Arc<str>) -> Result<Function<'js>, Thrown> {
        if let Some((known, function)) = &self.function
            && Arc::ptr_eq(known, name)
        {
            return Ok(function.clone());
        }
        let value: Value<'js> = self.namespace.get(&**name).map_err(|error| self.thrown(error))?;
        let function = value.into_function();
        let function = function.ok_or_else(|| Thrown::new(format!("the script exports no function `{name}`")))?;
        self.function = Some((Arc::clone(name), function.clone()));
        Ok(function)
    }

    fn json(&self, value: Value<'js>) -> Result<String, Thrown> {
        if value.is_undefined() {
            return Ok("null".to_owned());
        }
        let replacer = Function::new(self.ctx.clone(), plain).map_err(|error| self.thrown(error))?;
        let text = self.ctx.json_stringify_replacer(value, replacer).map_err(|error| self.thrown(error))?;
        text.map_or_else(|| Err(Thrown::new("the value is no JSON")), |text| Ok(inspect::text_of(&text)))
    }

    /// `{"options": ..., "functions": [...]}`.
    fn describe(&self) -> Result<String, Thrown> {
        let mut functions = Vec::new();
        for (name, value) in self.namespace.props::<String, Value<'js>>().flatten() {
            if value.is_function() {
                functions.push(serde_json::Value::from(name));
            }
        }
        let options: Value<'js> = self.namespace.get("options").map_err(|error| self.thrown(error))?;
        if options.is_function() {
            return Err(Thrown::new("`options` is a function: want an object"));
        }
        let options = if options.is_undefined() { "null".to_owned() } else { self.json(options)? };
        Ok(format!("{{\"options\":{options},\"functions\":{}}}", serde_json::Value::Array(functions)))
    }

    fn summarize(&self, data: &str) -> Result<String, Thrown> {
        let value: Value<'js> = self.namespace.get("handleSummary").map_err(|error| self.thrown(error))?;
        let function = value.into_function().ok_or_else(|| Thrown::new("`handleSummary` is no function"))?;
        let data = self.ctx.json_parse(data).map_err(|error| self.thrown(error))?;
        let mut returned: Value<'js> = function.call((data,)).map_err(|error| self.thrown(error))?;
        if let Ok(promise) = Promise::from_value(returned.clone()) {
            returned = turns::settled(self.ctx, &promise)?;
        }
        let is_nothing = returned.is_undefined() || returned.is_null();
        let Some(object) = returned.as_object() else {
            return Ok(if is_nothing {
                "{}"
            } else {
                "{\"wrong\":\"it returns no object of texts by where they go\"}"
            }
            .to_owned());
        };
        let mut texts = serde_json::Map::new();
        for (name, value) in object.props::<String, Value<'js>>().flatten() {
            let bytes = match value.as_string() {
                Some(text) => inspect::text_of(text).into_bytes(),
                None => match super::bytes::of(&value) {
                    Some(bytes) => bytes,
                    None => {
                        let wrong = format!("`{name}` is no text, nor bytes");
                        return Ok(serde_json::json!({ "wrong": wrong }).to_string());
                    }
                },
            };
            texts.insert(name, super::base64(&bytes).into());
        }
        Ok(serde_json::json!({ "texts": texts }).to_string())
    }
}

/// What JSON makes of a value that is handed from one user to others: nothing is null, and a function is refused.
fn plain<'js>(ctx: Ctx<'js>, _key: Value<'js>, value: Value<'js>) -> rquickjs::Result<Value<'js>> {
    if value.is_function() {
        return Err(Exception::throw_type(&ctx, "a function cannot be handed over as JSON"));
    }
    if value.is_undefined() { Ok(Value::new_null(ctx)) } else { Ok(value) }
}
