//! What charts show: axes in a table, what is drawn as markup, and that nothing that is given can break a page.

use super::scale::{Axis, times};
use super::{Bars, Chart, Form, Limit, Mark, Size, Unit, thin};

fn labels(unit: Unit, most: f64) -> String {
    let axis = Axis::new(unit, 0.0, most, 4);
    axis.ticks.iter().map(|tick| axis.label(*tick)).collect::<Vec<_>>().join(", ")
}

#[test]
fn ticks_are_round_in_their_unit() {
    let cases = [
        (Unit::Ms, 7.3, "0 ms, 2 ms, 4 ms, 6 ms, 8 ms"),
        (Unit::Ms, 0.31, "0 µs, 100 µs, 200 µs, 300 µs, 400 µs"),
        (Unit::Ms, 1.3, "0.0 ms, 0.5 ms, 1.0 ms, 1.5 ms"),
        (Unit::Ms, 1400.0, "0.0 s, 0.5 s, 1.0 s, 1.5 s"),
        (Unit::Percent, 100.0, "0%, 25%, 50%, 75%, 100%"),
        (Unit::Percent, 0.02, "0.000%, 0.005%, 0.010%, 0.015%, 0.020%"),
        (Unit::PerSecond, 8123.0, "0/s, 2500/s, 5000/s, 7500/s, 10000/s"),
        (Unit::PerSecond, 64_000.0, "0k/s, 20k/s, 40k/s, 60k/s, 80k/s"),
        (Unit::Bytes, 300_000_000.0, "0 MiB, 100 MiB, 200 MiB, 300 MiB"),
        (Unit::BytesPerSecond, 1500.0, "0.0 KiB/s, 0.5 KiB/s, 1.0 KiB/s, 1.5 KiB/s"),
        (Unit::Count, 2.0, "0, 1, 2"),
        (Unit::Count, 0.0, "0, 1"),
        (Unit::Number, 1.2, "0.0, 0.5, 1.0, 1.5"),
        (Unit::Number, f64::from_bits(1), "0.0, 0.5, 1.0"),
    ];
    for (unit, most, expected) in cases {
        assert_eq!(labels(unit, most), expected, "{unit:?} {most}");
    }
}

#[test]
fn values_are_written_to_three_digits() {
    let cases = [
        (Unit::Ms, 4.114, "4.11 ms"),
        (Unit::Ms, 0.4204, "420 µs"),
        (Unit::Ms, 12_340.0, "12.3 s"),
        (Unit::Percent, 0.0, "0%"),
        (Unit::Percent, 33.333, "33.3%"),
        (Unit::PerSecond, 7982.4, "7982/s"),
        (Unit::Bytes, 12_582_912.0, "12 MiB"),
        (Unit::Count, 23_948.0, "23.9k"),
    ];
    for (unit, value, expected) in cases {
        assert_eq!(unit.show(value), expected);
    }
}

#[test]
fn times_have_the_steps_of_a_clock() {
    let cases = [
        ((0.0, 60.0), "0 s, 10 s, 20 s, 30 s, 40 s, 50 s, 1 min"),
        ((0.0, 75.0), "0 s, 15 s, 30 s, 45 s, 1 min, 1:15 min"),
        ((-900.0, 0.0), "-15 min, -10 min, -5 min, now"),
        ((0.0, 300.0), "0 s, 1 min, 2 min, 3 min, 4 min, 5 min"),
        ((0.0, 7200.0), "0 s, 30 min, 1 h, 1:30 h, 2 h"),
        ((0.0, 3.0e6), "0 s, 144 h, 288 h, 432 h, 576 h, 720 h"),
    ];
    for (span, expected) in cases {
        let labels: Vec<String> = times(span, 6).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels.join(", "), expected);
    }
}

#[test]
fn a_gap_breaks_the_line_and_a_lone_value_is_a_dot() {
    let chart = Chart::new("rate", Unit::Count, &[0.0, 1.0, 2.0, 3.0, 4.0])
        .with("a", [Some(1.0), Some(2.0), None, Some(2.0), None])
        .with("b", [None, Some(f64::NAN), Some(1.0), Some(f64::INFINITY)]);
    let drawn = chart.draw().into_string();
    assert!(drawn.contains(r#"<path class="line s0" d="M16.4 94L128.3 24M352.1 24h1"></path>"#), "{drawn}");
    assert!(drawn.contains(r#"<path class="line s1" d="M240.2 94h1"></path>"#), "{drawn}");
    let heard = "<desc>a: last 2, least 1, most 2; b: last 1, least 1, most 1.</desc>";
    assert!(drawn.contains(heard), "{drawn}");
}

#[test]
fn areas_lie_on_top_of_each_other() {
    let chart = Chart::new("CPU", Unit::Percent, &[0.0, 1.0, 2.0])
        .with("user", [Some(20.0), Some(40.0), None])
        .with("system", [Some(30.0), Some(10.0), Some(1.0)]);
    let drawn = Chart { form: Form::Stacked, top: Some(100.0), ..chart }.draw().into_string();
    assert!(drawn.contains(r#"class="area a0" d="M35.6 136L249.8 108L249.8 164L35.6 164Z""#), "{drawn}");
    assert!(drawn.contains(r#"class="area a1" d="M35.6 94L249.8 94L249.8 108L35.6 136Z""#), "{drawn}");
}

#[test]
fn text_cannot_leave_its_place() {
    let evil = "</text><script>alert(1)</script>\"'&";
    let mut chart = Chart::new(evil, Unit::Count, &[0.0, 1.0]).with(evil, [Some(1.0), Some(1.0)]).with(evil, []);
    chart.marks.push(Mark { at_s: 0.5, until_s: Some(0.8), label: evil.to_owned() });
    chart.limit = Some(Limit { value: 1.0, label: evil.to_owned() });
    let bars = Bars { title: evil.to_owned(), unit: Unit::Count, rows: vec![(evil.into(), 1.0, evil.into())] };
    for drawn in [chart.draw().into_string(), bars.draw().into_string()] {
        assert!(!drawn.contains("<script") && drawn.contains("&lt;script&gt;"), "{drawn}");
        roxmltree::Document::parse(&drawn).unwrap();
    }
}

#[test]
fn however_many_points_there_are_the_drawing_is_bounded_and_keeps_the_extremes() {
    let mut values = vec![Some(5.0); 100_000];
    (values[77_777], values[12_345]) = (Some(900.0), Some(0.25));
    let kept = thin::points(values.len(), thin::OF_LINE, |at| values[at]);
    assert!(kept.len() <= 800 && kept.contains(&77_777) && kept.contains(&12_345));
    assert!(kept.is_sorted());
    let times: Vec<f64> = (0..100_000).map(f64::from).collect();
    let chart = Chart::new("much", Unit::Ms, &times).with("a", values.clone()).with("b", values);
    assert!(chart.draw().into_string().len() < 40_000);
    let areas = Chart { form: Form::Stacked, ..chart }.draw().into_string();
    assert!(areas.len() < 60_000 && areas.contains("L94.1 164L") && areas.contains("L370.2 38L"), "the dip, the peak");
}

#[test]
fn whatever_the_numbers_are_what_is_drawn_has_a_place() {
    let odd = [1e308, -1e308, 1e17, -1e17, f64::NAN, f64::INFINITY, 0.0];
    let values = odd.map(Some);
    for span_s in [None, Some((0.0, 1e308)), Some((-1e308, 1e308)), Some((f64::NAN, 5.0)), Some((9.0, 1.0))] {
        for (form, top) in [(Form::Lines, None), (Form::Stacked, Some(1e308)), (Form::Lines, Some(f64::NAN))] {
            let chart = Chart::new("odd", Unit::PerSecond, &odd).with("a", values).with("b", values);
            let drawn = Chart { form, top, span_s, ..chart }.draw().into_string();
            assert!(!drawn.contains("NaN") && !drawn.contains("inf") && drawn.len() < 9_000, "{drawn}");
        }
    }
}

#[test]
fn labels_of_marks_do_not_cover_each_other() {
    let mut chart = Chart::new("rate", Unit::Count, &[0.0, 60.0]).with("a", [Some(1.0), Some(2.0)]);
    let label = |at_s: f64| Mark { at_s, until_s: None, label: format!("liberty-2 killed at {at_s}") };
    chart.marks = [15.0, 15.1, 15.2, 15.3, 59.9].map(label).into();
    let frame = super::frame::Frame::of(&chart);
    let rows: Vec<(&str, f64)> = frame.marks.iter().map(|label| (&label.text[20..], label.y)).collect();
    assert_eq!(rows, [("15", 32.0), ("15.1", 46.0), ("15.2", 60.0), ("59.9", 32.0)]);
    assert!(chart.draw().into_string().contains("<title>liberty-2 killed at 15.3</title>"));
}

#[test]
fn a_chart_of_nothing_is_a_chart() {
    for size in [Size::Half, Size::Full] {
        let drawn = Chart { size, ..Chart::new("nothing", Unit::Ms, &[]) }.draw().into_string();
        assert!(drawn.contains("<desc>no values</desc>"), "{drawn}");
        roxmltree::Document::parse(&drawn).unwrap();
    }
    assert!(Bars::default().draw().into_string().contains("no values"));
}
