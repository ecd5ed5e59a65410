//! A module's text as it becomes code: which kind of module it is, types of TypeScript taken out, and where a place in
//! the code was in the text.
//!
//! As in k6, TypeScript is what ends in `.ts`, its types are taken out and not checked, and a file without `import` and
//! `export` is CommonJS. Left out: JSX, and syntax newer than the engine's.

use std::path::{Path, PathBuf};
use std::thread;

use oxc_allocator::Allocator;
use oxc_codegen::{Codegen, CodegenOptions};
use oxc_diagnostics::OxcDiagnostic;
use oxc_parser::{ParseOptions, Parser};
use oxc_semantic::SemanticBuilder;
use oxc_span::SourceType;
use oxc_syntax::module_record::ModuleRecord;
use oxc_transformer::{TransformOptions, Transformer};

/// What a CommonJS file is put between, to be a function of these three.
const BEFORE: &str = "(function (module, exports, require) {";
const AFTER: &str = "\n})";

/// Which kind of module a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// With `import` or `export`.
    Module,
    /// Without.
    CommonJs,
}

/// Stack for each byte of a text: the parser calls itself for each level, and a level takes a byte at least. Without
/// optimization its frames are larger.
const STACK_PER_BYTE: usize = if cfg!(debug_assertions) { 8192 } else { 2048 };
/// The least and the most that is asked for; only what is used is ever real.
const STACK_BYTES: [usize; 2] = [4 << 20, 1 << 30];

/// A text, understood.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) form: Form,
    /// For the engine; `None` where it is the text itself.
    code: Option<String>,
    pub(super) places: Places,
    pub(super) imports: Imports,
    /// What seems to be wrong with it. The engine has the last word, which knows no columns.
    pub(super) suspect: Option<SyntaxError>,
}

/// What a module asks for by `import` and `export from`, with line and column, from 1.
pub(super) type Imports = Vec<(Box<str>, usize, usize)>;

/// Where places of the code are in the text.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Characters before the text in its first line.
    before: usize,
    /// Line and column in the code, line and column in the text, all from 0; sorted. Empty where both are the same.
    tokens: Vec<[u32; 4]>,
}

/// A text that is no code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) message: String,
    /// From 1.
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Code {
    /// Understands a text of this name. What is wrong with JavaScript is left to the engine to say.
    ///
    /// That is done by a thread of its own, whose stack is large enough for whatever is nested in the text: the stack
    /// of a script would be overrun, and the process with it.
    pub(super) fn of(name: &str, text: &str) -> Result<Self, SyntaxError> {
        let [least, most] = STACK_BYTES;
        let stack = text.len().saturating_mul(STACK_PER_BYTE).clamp(least, most);
        let builder = thread::Builder::new().name("parser".into()).stack_size(stack);
        let failed = |why: String| SyntaxError { message: format!("no parser: {why}"), line: 1, column: 1 };
        thread::scope(|scope| {
            let parser = builder.spawn_scoped(scope, || Self::understood(name, text));
            let parser = parser.map_err(|error| failed(error.to_string()))?;
            parser.join().unwrap_or_else(|_| Err(failed("it has ended".to_owned())))
        })
    }

    fn understood(name: &str, text: &str) -> Result<Self, SyntaxError> {
        let path = name.split(['?', '#']).next().unwrap_or(name);
        let is_typescript = Path::new(path).extension().is_some_and(|end| end.eq_ignore_ascii_case("ts"));
        let mut made = if is_typescript { without_types(path, text)? } else { as_it_is(text) };
        if made.form == Form::CommonJs {
            made.code = Some(format!("{BEFORE}{}{AFTER}", made.code.as_deref().unwrap_or(text)));
            made.places.before = BEFORE.len();
        }
        Ok(made)
    }

    /// What the engine is given; afterwards only its places are needed.
    pub(super) fn take(&mut self, text: &str) -> String {
        self.code.take().unwrap_or_else(|| text.to_owned())
    }
}

impl Places {
    /// Line and column in the text, from 1, of those that the engine tells. In a first line it counts from 0, but
    /// where it knows no place it says 1.
    pub(super) fn in_text(&self, line: usize, column: usize) -> (usize, usize) {
        let is_odd = line == 1 && column > 1;
        let column = if is_odd { (column + 1).saturating_sub(self.before).max(1) } else { column };
        let number = |place: usize| u32::try_from(place.saturating_sub(1)).unwrap_or(u32::MAX);
        let wanted = [number(line), number(column)];
        let after = self.tokens.partition_point(|[line, column, ..]| [*line, *column] <= wanted);
        match after.checked_sub(1).map(|at| self.tokens[at]) {
            Some([at_line, _, line, column]) if at_line == wanted[0] => (line as usize + 1, column as usize + 1),
            _ => (line, column),
        }
    }
}

/// JavaScript.
fn as_it_is(text: &str) -> Code {
    let allocator = Allocator::default();
    let options = ParseOptions { allow_return_outside_function: true, ..ParseOptions::default() };
    let parsed = Parser::new(&allocator, text, SourceType::unambiguous()).with_options(options).parse();
    let is_module = parsed.module_record.has_module_syntax || !parsed.errors.is_empty();
    let form = if is_module { Form::Module } else { Form::CommonJs };
    let suspect = parsed.errors.first().map(|error| SyntaxError::of(error, text));
    Code { form, code: None, places: Places::default(), imports: imports(&parsed.module_record, text), suspect }
}

/// TypeScript.
fn without_types(path: &str, text: &str) -> Result<Code, SyntaxError> {
    let allocator = Allocator::default();
    let wrong = |errors: &[OxcDiagnostic]| errors.first().map_or(Ok(()), |error| Err(SyntaxError::of(error, text)));
    let parsed = Parser::new(&allocator, text, SourceType::ts()).parse();
    wrong(&parsed.errors)?;
    let form = if parsed.module_record.has_module_syntax { Form::Module } else { Form::CommonJs };
    let imports = imports(&parsed.module_record, text);
    let mut program = parsed.program;
    let scoping = SemanticBuilder::new().with_excess_capacity(2.0).build(&program).semantic.into_scoping();
    let options = TransformOptions::default();
    let made = Transformer::new(&allocator, Path::new(path), &options).build_with_scoping(scoping, &mut program);
    wrong(&made.errors)?;
    let options = CodegenOptions { source_map_path: Some(PathBuf::from(path)), ..CodegenOptions::default() };
    let written = Codegen::new().with_options(options).with_scoping(Some(made.scoping)).build(&program);
    let tokens = written.map.iter().flat_map(|map| map.get_tokens());
    let mut tokens: Vec<[u32; 4]> = tokens
        .map(|token| [token.get_dst_line(), token.get_dst_col(), token.get_src_line(), token.get_src_col()])
        .collect();
    tokens.sort_unstable();
    Ok(Code { form, code: Some(written.code), places: Places { before: 0, tokens }, imports, suspect: None })
}

fn imports(record: &ModuleRecord<'_>, text: &str) -> Imports {
    let mut all = Imports::new();
    for (name, requests) in &record.requested_modules {
        if let Some(request) = requests.iter().find(|request| !request.is_type) {
            let (line, column) = place(text, request.statement_span.start as usize);
            all.push((name.as_str().into(), line, column));
        }
    }
    all
}

/// Line and column of an offset, from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or_default();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

impl SyntaxError {
    fn of(error: &OxcDiagnostic, text: &str) -> Self {
        let offset = error.labels.as_ref().and_then(|labels| labels.first()).map_or(0, |label| label.offset());
        let (line, column) = place(text, offset);
        Self { message: error.message.to_string(), line, column }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn code(name: &str, text: &str) -> (Form, String, Places) {
        let mut code = Code::of(name, text).unwrap();
        let made = code.take(text);
        (code.form, made, code.places)
    }

    #[test]
    fn javascript_stays_as_it_is() {
        let text = "import http from 'k6/http';\nexport default () => http;\n";
        let (form, made, places) = code("file:///a.js", text);
        assert_eq!((form, made.as_str()), (Form::Module, text));
        assert_eq!((places.in_text(1, 1), places.in_text(2, 3)), ((1, 1), (2, 3)));
        // What is no code is the engine's to say.
        assert_eq!(code("file:///a.js", "export let = ;").0, Form::Module);
        assert_eq!(code("file:///a.js", "let let = ;").0, Form::Module);
    }

    #[test]
    fn files_without_imports_and_exports_are_commonjs() {
        let (form, made, places) = code("file:///a.js", "module.exports = 1;");
        assert_eq!(form, Form::CommonJs);
        assert_eq!(made, "(function (module, exports, require) {module.exports = 1;\n})");
        assert_eq!((places.in_text(1, 38), places.in_text(2, 5)), ((1, 1), (2, 5)));
    }

    #[test]
    fn types_are_taken_out_and_places_kept() {
        let text = "interface A { a: number }\n\nenum K { X = 3 }\nexport const f = (a: A): number => {\n  throw new \
                    Error(`${K.X}`);\n};\n";
        let (form, made, places) = code("file:///a.ts", text);
        assert_eq!(form, Form::Module);
        assert!(!made.contains("interface") && !made.contains(": number"), "{made}");
        let (line, found) = made.lines().enumerate().find(|(_, line)| line.contains("throw")).unwrap();
        let column = found.find("new Error").unwrap();
        assert!(line > 0);
        assert_eq!(places.in_text(line + 1, column + 1), (5, 9));
    }

    #[test]
    fn nothing_is_nested_too_deeply() {
        let many = 20_000;
        for (name, begin, end) in [("a.js", "(", ")"), ("a.js", "!", ""), ("a.ts", "[", "]"), ("a.ts", "1+", "")] {
            let text = format!("export default {}1{};", begin.repeat(many), end.repeat(many));
            assert_eq!(Code::of(name, &text).unwrap().form, Form::Module, "{name} {begin}");
        }
    }

    #[test]
    fn imports_have_places() {
        let text = "import a from 'k6';\n  import type { B } from './b.ts';\n  export * from './c.ts';\n";
        let mut imports = Code::of("file:///a.ts", text).unwrap().imports;
        imports.sort();
        assert_eq!(imports, [("./c.ts".into(), 3, 3), ("k6".into(), 1, 1)]);
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        let error = Code::of("https://a/b.ts?x", "let a: number = 1;\nlet ä = 'ä' +;").unwrap_err();
        assert_eq!((error.line, error.column), (2, 14), "{}", error.message);
    }
}
