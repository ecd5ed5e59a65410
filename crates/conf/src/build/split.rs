//! `split_clients TEXT $NAME { ... }`.

use super::cx::Cx;
use super::map::variable_name;
use crate::diagnostic::Diagnostic;
use crate::lexer::Word;
use crate::parser::Node;
use crate::tree::{Lookup, Map, Share};

/// A whole, in hundredths of a percent.
const WHOLE: u64 = 10_000;

/// Builds it; none if its head is wrong.
pub(super) fn build(node: &Node, cx: &mut Cx<'_>) -> Option<Map> {
    let [source, name] = node.args.as_slice() else { return None };
    let source = cx.template(source).map_err(|wrong| cx.report(wrong)).ok();
    let name = variable_name(name, "split_clients").map_err(|wrong| cx.report(wrong)).ok();
    let mut shares = Shares::default();
    for entry in node.block.iter().flatten() {
        if let Err(wrong) = shares.add(entry) {
            cx.report(wrong);
        }
    }
    Some(Map { name: name?, source: source?, is_volatile: false, lookup: Lookup::Shares(shares.all) })
}

#[derive(Default)]
struct Shares {
    all: Vec<Share>,
    /// How much was given away, and where in the hashes that ends.
    sum: u64,
    end: u64,
}

impl Shares {
    fn add(&mut self, entry: &Node) -> Result<(), Diagnostic> {
        let key = &entry.name;
        if entry.block.is_some() {
            return Err(Diagnostic::error("block-unexpected", &key.place, "a share takes no block"));
        }
        let [value] = entry.args.as_slice() else {
            let message = format!("a share has a percentage and one value, not {}", entry.args.len());
            return Err(Diagnostic::error("wrong-arguments", &key.place, message));
        };
        let below = if key.text == "*" {
            self.sum = WHOLE;
            None
        } else {
            let share = hundredths(key)?;
            self.sum += share;
            // nginx's own arithmetic: the same clients get the same share.
            self.end += share * u64::from(u32::MAX) / WHOLE;
            Some(u32::try_from(self.end).unwrap_or(u32::MAX))
        };
        if self.sum > WHOLE {
            let message = "the shares are more than 100%";
            return Err(Diagnostic::error("invalid-value", &key.place, message).help("\"*\" is for all that is left"));
        }
        self.all.push(Share { below, value: value.text.clone() });
        Ok(())
    }
}

/// `0.5%`, `50%`: up to two digits behind the point.
fn hundredths(word: &Word) -> Result<u64, Diagnostic> {
    let parsed = word.text.strip_suffix('%').and_then(|number| {
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let are_digits = [whole, part].iter().all(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        if !are_digits || part.len() > 2 || whole.len() > 9 || number.is_empty() {
            return None;
        }
        let digits: u64 = format!("0{whole}{part:0<2}").parse().ok()?;
        (digits > 0).then_some(digits)
    });
    parsed.ok_or_else(|| {
        let message = format!("invalid percentage \"{}\"", word.shown());
        Diagnostic::error("invalid-value", &word.place, message).help("write it as 50% or 0.25%, or \"*\" for the rest")
    })
}
