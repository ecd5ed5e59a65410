//! Values as `console.log` shows them: objects as `{ a: 1, b: [ 1, 2 ], c: "x" }`, errors and functions by a word.

use rquickjs::atom::PredefinedAtom;
use rquickjs::function::This;
use rquickjs::{ArrayBuffer, Coerced, Exception, FromJs, Function, Object, Value};

use super::host::host;

/// The longest text that an object is shown as; the rest is cut off. A list of a billion holes takes no memory, and six
/// gigabytes to be shown.
const MOST_SHOWN: usize = 1 << 20;
/// Parts of objects that are shown before others may have their turn.
const PARTS_A_TURN: usize = 1024;

/// Objects within objects that are shown; what is deeper would take more of the stack than there is.
const DEEPEST: usize = 64;

/// A value as an argument of `console.log`: texts are shown as they are.
pub(super) fn shown(value: &Value<'_>) -> String {
    if let Some(text) = value.as_string() {
        return text_of(text);
    }
    if let Some(symbol) = value.as_symbol() {
        return described(symbol);
    }
    let mut shown = Shown { out: String::new(), around: Vec::new(), parts: 0, is_cut: false };
    shown.value(value);
    if shown.is_cut {
        shown.out.push_str(" ...");
    }
    shown.out
}

/// What is shown so far, and the objects that are being shown.
struct Shown<'js> {
    out: String,
    around: Vec<Object<'js>>,
    /// Parts of objects so far.
    parts: usize,
    /// Whether it is not all.
    is_cut: bool,
}

impl<'js> Shown<'js> {
    fn value(&mut self, value: &Value<'js>) {
        if let Some(text) = value.as_string() {
            self.out.push_str(&quoted(&text_of(text)));
        } else if value.is_function() {
            self.out.push_str("[object Function]");
        } else if let Some(symbol) = value.as_symbol() {
            self.out.push_str(&quoted(&described(symbol)));
        } else if let Some(object) = value.as_object() {
            if self.around.contains(object) {
                self.out.push_str("[Circular]");
            } else if self.around.len() > DEEPEST {
                self.out.push_str("[object Object]");
            } else {
                self.around.push(object.clone());
                self.object(object);
                self.around.pop();
            }
        } else {
            let text = Coerced::<String>::from_js(value.ctx(), value.clone());
            self.out.push_str(&text.map(|text| text.0).unwrap_or_default());
        }
    }

    fn object(&mut self, object: &Object<'js>) {
        if let Some(error) = Exception::from_object(object.clone()) {
            let name: String = error.get("name").unwrap_or_else(|_| "Error".to_owned());
            let message = error.message().unwrap_or_default();
            self.out.push_str(&if message.is_empty() { name } else { format!("{name}: {message}") });
        } else if let Some(array) = object.as_array() {
            self.list(object, array.iter::<Value<'js>>().flatten());
        } else if let Some(buffer) = ArrayBuffer::from_object(object.clone()) {
            let bytes = buffer.as_bytes().unwrap_or_default();
            let first: Vec<String> = bytes.iter().take(MOST_SHOWN / 3).map(|byte| format!("{byte:02x}")).collect();
            self.is_cut |= first.len() < bytes.len();
            let contents = first.join(" ");
            self.out += &format!("ArrayBuffer {{ [Uint8Contents]: <{contents}>, byteLength: {} }}", bytes.len());
        } else if let Some((name, length)) = view(object) {
            self.out += &format!("{name}({length}) ");
            self.list(object, (0..length).filter_map(|at| object.get::<_, Value<'js>>(at).ok()));
        } else if is_date(object) {
            let iso = object.get::<_, Function<'js>>("toISOString");
            match iso.and_then(|iso| iso.call::<_, String>((This(object.clone()),))) {
                Ok(text) => self.out.push_str(&quoted(&text)),
                Err(_) => {
                    object.ctx().catch();
                    self.out.push_str("null");
                }
            }
        } else {
            self.fields(object);
        }
    }

    fn fields(&mut self, object: &Object<'js>) {
        let mut first = true;
        for (key, value) in object.props::<String, Value<'js>>().flatten() {
            if self.is_enough(object) {
                break;
            }
            self.out.push_str(if first { "{ " } else { ", " });
            first = false;
            self.out.push_str(&key);
            self.out.push_str(": ");
            self.inner(&value);
        }
        self.out.push_str(if first { "{}" } else { " }" });
    }

    fn list(&mut self, object: &Object<'js>, values: impl Iterator<Item = Value<'js>>) {
        let mut first = true;
        for value in values {
            if self.is_enough(object) {
                break;
            }
            self.out.push_str(if first { "[ " } else { ", " });
            first = false;
            self.inner(&value);
        }
        self.out.push_str(if first { "[]" } else { " ]" });
    }

    /// Whether no more of an object is shown: there is enough, or the script is to stop. Others have their turn.
    fn is_enough(&mut self, object: &Object<'js>) -> bool {
        self.parts += 1;
        let is_stopped = self.parts.is_multiple_of(PARTS_A_TURN) && host(object.ctx()).interrupts();
        self.is_cut |= is_stopped || self.out.len() >= MOST_SHOWN;
        self.is_cut
    }

    /// A value within another, where nothing is null.
    fn inner(&mut self, value: &Value<'js>) {
        if value.is_undefined() {
            self.out.push_str("null");
        } else {
            self.value(value);
        }
    }
}

/// The kind of a view of a buffer, and how many numbers it has.
fn view(object: &Object<'_>) -> Option<(String, u32)> {
    let kind: String = object.get(PredefinedAtom::SymbolToStringTag).ok()?;
    let is_view = kind.ends_with("Array") && kind != "Array";
    let length = if is_view { object.get("length").ok()? } else { return None };
    Some((kind, length))
}

fn is_date(object: &Object<'_>) -> bool {
    let date: rquickjs::Result<Object<'_>> = object.ctx().globals().get("Date");
    date.is_ok_and(|date| object.is_instance_of(&date))
}

fn described(symbol: &rquickjs::Symbol<'_>) -> String {
    symbol.description().ok().map(|text| shown(&text)).unwrap_or_default()
}

/// As k6 quotes: quotation marks within a text stay as they are.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// A text of the engine's; halves of characters become the replacement character.
pub(super) fn text_of(text: &rquickjs::String<'_>) -> String {
    text.to_string().unwrap_or_else(|_| "\u{fffd}".to_owned())
}
