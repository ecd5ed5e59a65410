//! What the compiler cannot check of the script engine: the only place with `unsafe`.
//!
//! A few things need it. A lifetime that the engine's values carry and ours do not ([`Held`]); the way out of a
//! coroutine, which is known only while the coroutine runs ([`Hatch`]); bytecode, which is trusted ([`load`]).
#![allow(unsafe_code, reason = "each use says why it holds")]

use std::cell::Cell;
use std::ptr::NonNull;

use corosensei::Yielder;
use rquickjs::class::{Trace, Tracer};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Exception, JsLifetime, Module, Result, qjs};

use super::fiber::{Answer, Ask};

/// Something of ours that the engine keeps: it holds none of the engine's values.
#[derive(Debug)]
pub(super) struct Held<T>(pub(super) T);

// SAFETY: `T` is 'static, so there is no lifetime of the engine's in it that could be confused with another.
unsafe impl<'js, T: 'static> JsLifetime<'js> for Held<T> {
    type Changed<'to> = Held<T>;
}

impl<'js, T> Trace<'js> for Held<T> {
    fn trace<'a>(&self, _tracer: Tracer<'a, 'js>) {}
}

/// The way out of a coroutine, for code that runs on it.
#[derive(Debug, Default)]
pub(super) struct Hatch(Cell<Option<NonNull<Yielder<Answer, Ask>>>>);

impl Hatch {
    /// Opens it while `inside` runs, which it does on the coroutine of `yielder`.
    pub(super) fn open(&self, yielder: &Yielder<Answer, Ask>, inside: impl FnOnce()) {
        self.0.set(Some(NonNull::from(yielder)));
        inside();
        self.0.set(None);
    }

    /// Suspends the coroutine until it is resumed. Only functions that scripts call do this, and a script runs on its
    /// own coroutine alone; where none runs, the answer is to stop.
    pub(super) fn suspend(&self, ask: Ask) -> Answer {
        match self.0.get() {
            // SAFETY: the pointer is there only while `open` runs, whose yielder outlives that.
            Some(yielder) => unsafe { yielder.as_ref() }.suspend(ask),
            None => Answer::Cut,
        }
    }
}

/// Loads a module from bytecode.
pub(super) fn load<'js>(ctx: Ctx<'js>, bytecode: &Bytecode) -> Result<Module<'js, Declared>> {
    // SAFETY: `Bytecode` is made by this engine, in this process, of the same version; see `compile`.
    unsafe { Module::load(ctx, &bytecode.0) }
}

/// A compiled module; made by [`compile`] alone.
#[derive(Debug)]
pub(super) struct Bytecode(Vec<u8>);

/// Compiles a module that was just declared.
pub(super) fn compile(module: &Module<'_, Declared>) -> Result<Bytecode> {
    module.write(rquickjs::module::WriteOptions::default()).map(Bytecode)
}

/// Throws what no script can catch.
pub(super) fn throw_uncatchable(ctx: &Ctx<'_>, text: &str) -> Error {
    match Exception::from_message(ctx.clone(), text) {
        Ok(exception) => {
            let value = exception.as_object().as_value().as_raw();
            // SAFETY: the value is an object of this context, which is alive.
            unsafe { qjs::JS_SetUncatchableError(ctx.as_raw().as_ptr(), value) };
            exception.throw()
        }
        Err(error) => error,
    }
}
