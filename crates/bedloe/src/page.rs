//! The shell of a page: one document that asks nobody for anything, in light and dark, on a phone and on paper. What
//! stands in it is its owner's.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::charts;

/// What a page may do that has no script and is read from a file. `data:` is the icon, which is none.
pub(crate) const STATIC_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// How all pages look; each has [`charts::STYLE`] behind it.
const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1f2328;--faint:#57606a;--ground:#fff;--raised:#f6f8fa;--edge:#d8dee4;
--ok:#116329;--bad:#a0111f;--warn:#7d4e00;--link:#0550ae}
@media (prefers-color-scheme:dark){:root{--text:#e6edf3;--faint:#9da7b1;--ground:#0d1117;--raised:#161b22;
--edge:#30363d;--ok:#56d364;--bad:#ff8d85;--warn:#e3b341;--link:#79c0ff}}
*{box-sizing:border-box}
body{margin:0;color:var(--text);background:var(--ground);font:15px/1.5 system-ui,sans-serif}
header,main,footer{max-width:1080px;margin:0 auto;padding:0 16px}
header{padding-top:20px}footer{padding-bottom:32px;color:var(--faint);font-size:13px}
h1{font-size:24px;line-height:1.25;margin:0 0 4px}h2{font-size:19px;margin:36px 0 8px;line-height:1.3}
h3{font-size:16px;margin:24px 0 6px}p{margin:6px 0}a{color:var(--link)}
code,pre{font:13px/1.45 ui-monospace,monospace}
pre{white-space:pre-wrap;overflow-wrap:anywhere;
background:var(--raised);border:1px solid var(--edge);border-radius:6px;padding:10px;
overflow:auto;max-height:420px}
.faint{color:var(--faint)}.ok{color:var(--ok)}.bad{color:var(--bad)}.warn{color:var(--warn)}
.verdict{font-size:17px;padding:10px 14px;border-left:5px solid var(--edge);background:var(--raised);margin:14px 0}
.verdict.ok{border-color:var(--ok);color:inherit}.verdict.bad{border-color:var(--bad);color:inherit}
.wide{overflow-x:auto}
table{border-collapse:collapse;margin:10px 0;font-variant-numeric:tabular-nums;font-size:14px}
th,td{text-align:left;padding:4px 14px 4px 0;border-bottom:1px solid var(--edge);vertical-align:top}
th{font-weight:600;color:var(--faint)}
.lists td:nth-child(2),.lists td:nth-child(3){overflow-wrap:anywhere;min-width:8em}
td.number,th.number{text-align:right;white-space:nowrap}
td.name{white-space:nowrap}
caption{text-align:left;font-weight:600;padding:4px 0;overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:18px 28px;margin:12px 0}
.charts>.full{grid-column:1/-1;overflow-x:auto}
@media screen and (max-width:700px){.full>.chart{min-width:720px}}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
@media print{:root{color-scheme:light;--text:#000;--faint:#333;--ground:#fff;--raised:#fff;--edge:#bbb;
--ok:#116329;--bad:#a0111f;--warn:#7d4e00;--link:#000}
body{font-size:10pt}table{font-size:8.5pt}th,td{padding:3px 8px 3px 0}
header,main,footer{max-width:none;padding:0}h2,h3{break-after:avoid}
tr,.verdict{break-inside:avoid}pre{max-height:none;white-space:pre-wrap}.charts{grid-template-columns:1fr 1fr}
.wide{overflow:visible}@page{margin:14mm}}
";

/// A page.
pub(crate) struct Page<'a> {
    /// What its tab says.
    pub title: &'a str,
    /// What it may do, as a content security policy.
    pub policy: &'a str,
    /// Styles of its own, behind those of all pages.
    pub style: &'a str,
    /// What stands in it.
    pub body: Markup,
}

impl Page<'_> {
    /// The whole document.
    pub(crate) fn render(&self) -> String {
        let document = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(self.policy);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="referrer" content="no-referrer";
                    title { (self.title) }
                    link rel="icon" href="data:,";
                    style { (PreEscaped(STYLE)) (PreEscaped(charts::STYLE)) (PreEscaped(self.style)) }
                }
                body { (self.body) }
            }
        };
        document.into_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_asks_nobody_for_anything_and_escapes_its_title() {
        let page = Page { title: "<b>", policy: STATIC_POLICY, style: "", body: html! { p { "&" } } }.render();
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"));
        assert!(page.contains("<title>&lt;b&gt;</title>") && page.contains("<p>&amp;</p>"));
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("url("), "{page}");
    }
}
