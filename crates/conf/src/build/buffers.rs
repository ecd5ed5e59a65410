//! The sizes of `proxy_buffer*` among each other: they have no effect, but nginx refuses a file in which they do not
//! fit.

use super::cx::Cx;
use crate::diagnostic::Diagnostic;
use crate::parser::Node;
use crate::value;

/// What holds where nothing is written: a page of memory.
const PAGE: u64 = 4096;
/// nginx's own default of `proxy_buffers`.
const BUFFERS: u64 = 8;

/// What is written at a level or above it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffers {
    buffer: Option<u64>,
    buffers: Option<(u64, u64)>,
    busy: Option<u64>,
    temp_write: Option<u64>,
    temp_max: Option<u64>,
}

impl Buffers {
    /// Reads what a block writes, and reports what does not fit; values that are wrong in themselves are told
    /// elsewhere.
    pub(super) fn read(&mut self, block: &[Node], cx: &mut Cx<'_>) {
        let mut last = None;
        for node in block {
            let word = |index: usize| node.args.get(index).map_or("", |word| word.text.as_str());
            let size = || value::size(word(0)).ok();
            match node.name.text.as_str() {
                "proxy_buffer_size" => self.buffer = size().or(self.buffer),
                "proxy_busy_buffers_size" => self.busy = size().or(self.busy),
                "proxy_temp_file_write_size" => self.temp_write = size().or(self.temp_write),
                "proxy_max_temp_file_size" => self.temp_max = size().or(self.temp_max),
                "proxy_buffers" => match (word(0).parse(), value::size(word(1))) {
                    (Ok(count), Ok(size)) => self.buffers = Some((count, size)),
                    _ => continue,
                },
                _ => continue,
            }
            last = Some(&node.name);
        }
        if let (Some(name), Some(what)) = (last, self.misfit()) {
            cx.report(Diagnostic::error("buffers-misfit", &name.place, what));
        }
    }

    /// What is wrong with the sizes, in nginx's order.
    fn misfit(&self) -> Option<String> {
        let (count, size) = self.buffers.unwrap_or((BUFFERS, PAGE));
        let least = self.buffer.unwrap_or(PAGE).max(size);
        let busy = self.busy.unwrap_or(2 * least);
        let too_small = |value: u64| value < least;
        let larger = "the larger of \"proxy_buffer_size\" and one of \"proxy_buffers\"";
        if count < 2 {
            return Some("there must be at least 2 \"proxy_buffers\"".to_owned());
        }
        if too_small(busy) {
            return Some(format!("\"proxy_busy_buffers_size\" must be at least {least}, {larger}"));
        }
        let all_but_one = (count - 1).saturating_mul(size);
        if busy > all_but_one {
            let all = "all \"proxy_buffers\" but one";
            return Some(format!("\"proxy_busy_buffers_size\", here {busy}, must be at most {all_but_one}, {all}"));
        }
        if self.temp_write.is_some_and(too_small) {
            return Some(format!("\"proxy_temp_file_write_size\" must be at least {least}, {larger}"));
        }
        if self.temp_max.is_some_and(|max| max > 0 && too_small(max)) {
            return Some(format!("\"proxy_max_temp_file_size\" must be 0 or at least {least}, {larger}"));
        }
        None
    }
}
