//! How a script's imports become modules: k6's own, written here, files beside the script, and modules of other hosts.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use rquickjs::function::Constructor;
use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Exception, Module, Object, Result};

use super::host::{Host, host};
use super::source::{Code, Form, SyntaxError};
use super::{api, commonjs, program, raw, remote};
use crate::sites;

/// Finds out which module a name stands for.
#[derive(Debug)]
pub(super) struct Names;

/// Gives the engine the modules.
#[derive(Debug)]
pub(super) struct Modules(pub(super) Rc<Host>);

impl Resolver for Names {
    fn resolve<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        resolve(base, name).map_err(|why| match host(ctx).program.import(base, name) {
            Some((line, column)) => throw_at(ctx, "Error", &why, base, line, column),
            None => Exception::throw_message(ctx, &why),
        })
    }
}

impl Loader for Modules {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        if let Some(declared) = api::declare(ctx, name) {
            return declared;
        }
        match open(ctx, &self.0, name)? {
            (_, Some(declared)) => Ok(declared),
            (module, None) if module.form == Form::Module => raw::load(ctx.clone(), &module.bytecode),
            _ => Module::declare(ctx.clone(), name, commonjs::facade(ctx, &self.0, name)?),
        }
    }
}

/// Which kind of module a name stands for.
pub(super) fn form(ctx: &Ctx<'_>, host: &Host, name: &str) -> Result<Form> {
    if api::is_served(name) { Ok(Form::Module) } else { open(ctx, host, name).map(|(module, _)| module.form) }
}

/// A module, compiled by whoever asks for it first, whose engine then has it.
pub(super) fn open<'js>(
    ctx: &Ctx<'js>,
    host: &Host,
    name: &str,
) -> Result<(Arc<program::Module>, Option<Module<'js, Declared>>)> {
    let program = &host.program;
    if let Some(known) = program.module(name) {
        return Ok((known, None));
    }
    let throw = |why: String| Exception::throw_message(ctx, &why);
    let source = match program::path(name) {
        Some(path) => program::read(&path).map_err(throw)?,
        None if name.starts_with("https://") => {
            let leads_here = |base: &str, each: &str| resolve(base, each).is_ok_and(|full| full == name);
            remote::read(host, name).map_err(|why| match program.importer(leads_here) {
                Some((base, line, column)) => throw_at(ctx, "Error", &why, &base, line, column),
                None => throw(why),
            })?
        }
        None => return Err(throw(format!("{name} is no file"))),
    };
    let mut code = Code::of(name, &source).map_err(|error| {
        let SyntaxError { message, line, column } = error;
        throw_at(ctx, "SyntaxError", &message, name, line, column)
    })?;
    let text = code.take(&source);
    program.announce(name, std::mem::take(&mut code.imports));
    let (bytecode, declared) = match code.form {
        Form::Module => {
            let declared = Module::declare(ctx.clone(), name, text).map_err(|error| match &code.suspect {
                Some(SyntaxError { message, line, column }) => {
                    drop(ctx.catch());
                    throw_at(ctx, "SyntaxError", message, name, *line, *column)
                }
                None => error,
            })?;
            (raw::compile(&declared)?, Some(declared))
        }
        Form::CommonJs => (raw::compile_script(ctx, name, text)?, None),
    };
    let Code { form, places, .. } = code;
    Ok((program.keep(name, program::Module { source, bytecode, form, places }), declared))
}

/// Throws an error of a place where the engine has not been.
fn throw_at(ctx: &Ctx<'_>, kind: &str, message: &str, name: &str, line: usize, column: usize) -> Error {
    let throw = || -> Result<Error> {
        let make: Constructor<'_> = ctx.globals().get(kind)?;
        let error: Object<'_> = make.construct((message,))?;
        // A place in a module that the engine has would be taken for one of its code.
        let (before, after) = if kind == "SyntaxError" { ("", "") } else { (program::IN_TEXT, ")") };
        error.set("stack", format!("    at {before}{name}:{line}:{column}{after}\n"))?;
        Ok(ctx.throw(error.into_value()))
    };
    throw().unwrap_or_else(|error| error)
}

/// The name of the module that one in `base` means by `name`.
pub(super) fn resolve(base: &str, name: &str) -> std::result::Result<String, String> {
    if name == "k6" || name.starts_with("k6/") {
        return if api::is_served(name) { Ok(name.to_owned()) } else { Err(api::unserved(name)) };
    }
    let is_path = name.starts_with('/') || name.starts_with("./") || name.starts_with("../");
    if name.starts_with("https://") {
        return Ok(name.to_owned());
    }
    if name.contains("://") && !name.starts_with("file://") {
        return Err(format!("the import of `{name}` is not served: modules come from files, or over https"));
    }
    if base.starts_with("https://") && is_path {
        return Ok(sites::resolved(base, name));
    }
    if base.starts_with("https://") {
        return Err(format!("the module {base} must not import a file of this host: `{name}`"));
    }
    if let Some(path) = program::path(name) {
        return Ok(program::address(&program::joined(Path::new("/"), &path.to_string_lossy())));
    }
    let folder = program::path(base).and_then(|path| path.parent().map(Path::to_owned)).unwrap_or_default();
    let path = program::joined(&folder, name);
    if path.is_file() {
        return Ok(program::address(&path));
    }
    let hint = if is_path { "" } else { "; a file is imported by a path that begins with `./`" };
    Err(format!("the module `{name}` is not there: there is no file {}{hint}", path.display()))
}
