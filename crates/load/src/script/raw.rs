//! What the compiler cannot check of the script engine: the only place with `unsafe`.
//!
//! A few things need it. A lifetime that the engine's values carry and ours do not ([`Held`]); the way out of a
//! coroutine, which is known only while the coroutine runs ([`Hatch`]); bytecode, which is trusted ([`load`]).
#![allow(unsafe_code, reason = "each use says why it holds")]

use std::cell::Cell;
use std::ffi::CString;
use std::ptr::NonNull;

use corosensei::Yielder;
use rquickjs::class::{Trace, Tracer};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Exception, JsLifetime, Module, Result, Value, qjs};

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

/// Compiles a script, which is no module, but as strict as one: its value is that of its last statement.
pub(super) fn compile_script(ctx: &Ctx<'_>, name: &str, source: String) -> Result<Bytecode> {
    let (name, source) = (CString::new(name)?, CString::new(source)?);
    let flags = (qjs::JS_EVAL_TYPE_GLOBAL | qjs::JS_EVAL_FLAG_STRICT | qjs::JS_EVAL_FLAG_COMPILE_ONLY) as i32;
    let length = source.as_bytes().len() as qjs::size_t;
    let raw = ctx.as_raw().as_ptr();
    // SAFETY: both texts end in a zero that `length` does not count, and outlive the call; the value that it returns
    // is this function's to free.
    unsafe {
        let compiled = Value::from_raw(ctx.clone(), qjs::JS_Eval(raw, source.as_ptr(), length, name.as_ptr(), flags));
        if qjs::JS_IsException(compiled.as_raw()) {
            return Err(Error::Exception);
        }
        let mut size: qjs::size_t = 0;
        let bytes = qjs::JS_WriteObject(raw, &mut size, compiled.as_raw(), qjs::JS_WRITE_OBJ_BYTECODE as i32);
        let Some(bytes) = NonNull::new(bytes) else { return Err(Error::Exception) };
        let copy = std::slice::from_raw_parts(bytes.as_ptr(), size as usize).to_vec();
        qjs::js_free(raw, bytes.as_ptr().cast());
        Ok(Bytecode(copy))
    }
}

/// Runs a script that was compiled so.
pub(super) fn run<'js>(ctx: &Ctx<'js>, bytecode: &Bytecode) -> Result<Value<'js>> {
    let raw = ctx.as_raw().as_ptr();
    let (bytes, length) = (bytecode.0.as_ptr(), bytecode.0.len() as qjs::size_t);
    // SAFETY: `Bytecode` is made by this engine, as above; `JS_EvalFunction` frees what it is given, and its value is
    // this function's.
    unsafe {
        let script = qjs::JS_ReadObject(raw, bytes, length, qjs::JS_READ_OBJ_BYTECODE as i32);
        if qjs::JS_IsException(script) {
            return Err(Error::Exception);
        }
        let value = qjs::JS_EvalFunction(raw, script);
        if qjs::JS_IsException(value) { Err(Error::Exception) } else { Ok(Value::from_raw(ctx.clone(), value)) }
    }
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
