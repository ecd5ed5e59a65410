//! How a script's imports become modules: k6's own, written here, and files beside the script.

use std::path::Path;
use std::rc::Rc;

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Exception, Module, Result};

use super::host::Host;
use super::{api, program, raw};

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
        resolve(base, name).map_err(|why| Exception::throw_message(ctx, &why))
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
        let program = &self.0.program;
        if let Some(known) = program.module(name) {
            return raw::load(ctx.clone(), &known.bytecode);
        }
        let throw = |why: String| Exception::throw_message(ctx, &why);
        let path = program::path(name).ok_or_else(|| throw(format!("{name} is no file")))?;
        let source = program::read(&path).map_err(throw)?;
        let module = Module::declare(ctx.clone(), name, source.as_str())?;
        let bytecode = raw::compile(&module)?;
        program.keep(name, program::Module { source, bytecode });
        Ok(module)
    }
}

fn resolve(base: &str, name: &str) -> std::result::Result<String, String> {
    if name == "k6" || name.starts_with("k6/") {
        return if api::is_served(name) { Ok(name.to_owned()) } else { Err(api::unserved(name)) };
    }
    if name.starts_with("https://") || name.starts_with("http://") {
        return Err(format!("the import of `{name}` is not served: modules of other hosts are to be saved as files"));
    }
    let is_path = name.starts_with('/') || name.starts_with("./") || name.starts_with("../");
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
