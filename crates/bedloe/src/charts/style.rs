//! How charts look: one text for the head of a page that has some.

/// Colours are Okabe and Ito's, which people who see few colours can tell apart, made darker on white and lighter on
/// black where they would be faint; each series has a dash of its own as well. What is dark on a screen is light on
/// paper.
pub(crate) const STYLE: &str = "\
.chart{display:block;width:100%;height:auto;font:11px/1.2 system-ui,sans-serif;font-variant-numeric:tabular-nums;
--t:#24292f;--f:#57606a;--g:#d8dee4;--m:#a0111f;--p:#fff;
--s0:#0072b2;--s1:#c74b00;--s2:#00805c;--s3:#b0568c;--s4:#2f9bd6;--s5:#b57800;--s6:#5b4bb5;--s7:#444}
@media (prefers-color-scheme:dark){.chart{--t:#e6edf3;--f:#9da7b1;--g:#30363d;--m:#ff8d85;--p:#0d1117;
--s0:#4ea8e0;--s1:#ff8f4d;--s2:#2fc79a;--s3:#e69bc6;--s4:#8fd0f5;--s5:#f0b53c;--s6:#a99df2;--s7:#c9d1d9}}
@media print{.chart{--t:#000;--f:#333;--g:#ccc;--m:#a0111f;--p:#fff;
--s0:#0072b2;--s1:#c74b00;--s2:#00805c;--s3:#b0568c;--s4:#2f9bd6;--s5:#b57800;--s6:#5b4bb5;--s7:#444;
break-inside:avoid;print-color-adjust:exact;-webkit-print-color-adjust:exact}}
.chart text{fill:var(--f)}.chart .title{fill:var(--t);font-size:13px;font-weight:600}.chart .name{fill:var(--t)}
.chart .grid{stroke:var(--g);stroke-width:1;fill:none}.chart .base{stroke:var(--f);stroke-width:1}
.chart .line{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
.chart .area{fill-opacity:.55;stroke-width:1}.chart .bar{fill-opacity:.85}
.chart .mark{stroke:var(--m);stroke-width:1;stroke-dasharray:3 2}.chart .during{fill:var(--m);fill-opacity:.09}
.chart .marked{fill:var(--m);paint-order:stroke;stroke:var(--p);stroke-width:3px;stroke-linejoin:round}
.chart .limit{stroke:var(--m);stroke-width:1;stroke-dasharray:8 3 1 3}
.chart .s0{stroke:var(--s0)}.chart .s1{stroke:var(--s1);stroke-dasharray:7 2}
.chart .s2{stroke:var(--s2);stroke-dasharray:2 3}.chart .s3{stroke:var(--s3);stroke-dasharray:7 3 2 3}
.chart .s4{stroke:var(--s4);stroke-dasharray:12 3}.chart .s5{stroke:var(--s5);stroke-dasharray:4 2}
.chart .s6{stroke:var(--s6);stroke-dasharray:12 3 2 3 2 3}.chart .s7{stroke:var(--s7);stroke-dasharray:1 4}
.chart .a0{fill:var(--s0);stroke:var(--s0)}.chart .a1{fill:var(--s1);stroke:var(--s1)}
.chart .a2{fill:var(--s2);stroke:var(--s2)}.chart .a3{fill:var(--s3);stroke:var(--s3)}
.chart .a4{fill:var(--s4);stroke:var(--s4)}.chart .a5{fill:var(--s5);stroke:var(--s5)}
.chart .a6{fill:var(--s6);stroke:var(--s6)}.chart .a7{fill:var(--s7);stroke:var(--s7)}
";
