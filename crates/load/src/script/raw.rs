//! What the compiler cannot check of the script engine: the only place with `unsafe`.
//!
//! A few things need it. A lifetime that the engine's values carry and ours do not ([`Held`]); the way out of a
//! coroutine, which is known only while the coroutine runs ([`Hatch`]); bytecode, which is trusted ([`load`]); the
//! engine's memory, so that who takes much of it lets others have their turn ([`Memory`]).
#![allow(unsafe_code, reason = "each use says why it holds")]

use std::cell::Cell;
use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use corosensei::Yielder;
use rquickjs::allocator::Allocator;
use rquickjs::class::{Trace, Tracer};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Exception, JsLifetime, Module, Result, Value, qjs};

use super::fiber::{Answer, Ask};
use super::host::Host;

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

/// The engine's memory: the C library's.
///
/// The engine asks whether to stop by the steps that it has done, and a step that fills a megabyte is one like any
/// other. So who asks for as much is asked as well.
#[derive(Debug)]
pub(super) struct Memory(pub(super) Rc<Host>);

/// Bytes from which on filling them takes as long as thousands of steps.
const LARGE: usize = 64 << 10;

impl Memory {
    /// Whether the script gets so much: not once it is to stop.
    fn gives(&self, size: usize) -> bool {
        size < LARGE || !self.0.takes_memory()
    }
}

// SAFETY: each function is the C library's of the same name, whose promises are those that are asked for; memory of one
// is given to the others only.
unsafe impl Allocator for Memory {
    fn alloc(&mut self, size: usize) -> *mut u8 {
        // SAFETY: any size is allowed.
        if self.gives(size) { unsafe { libc::malloc(size) }.cast() } else { ptr::null_mut() }
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        let gives = self.gives(count.saturating_mul(size));
        // SAFETY: any count and size are allowed; their product is looked at.
        if gives { unsafe { libc::calloc(count, size) }.cast() } else { ptr::null_mut() }
    }

    unsafe fn dealloc(&mut self, ptr: *mut u8) {
        // SAFETY: the caller promises that `ptr` is of these functions.
        let size = unsafe { libc::malloc_usable_size(ptr.cast()) };
        // A list of large things goes in one step, too.
        if size >= LARGE {
            self.0.takes_memory();
        }
        // SAFETY: as above.
        unsafe { libc::free(ptr.cast()) }
    }

    unsafe fn realloc(&mut self, ptr: *mut u8, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `ptr` is of these functions.
        if self.gives(new_size) { unsafe { libc::realloc(ptr.cast(), new_size) }.cast() } else { ptr::null_mut() }
    }

    unsafe fn usable_size(ptr: *mut u8) -> usize {
        // SAFETY: the caller promises that `ptr` is of these functions.
        unsafe { libc::malloc_usable_size(ptr.cast()) }
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
