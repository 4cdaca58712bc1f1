//! A chart as inline SVG: lines over time with their axes, readable without colour and without a
//! script. Points carry their numbers as titles, which a pointer shows and a screen reader says.

use std::fmt::Write;

use crate::rollout::names::Time;

use super::escape;

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 220.0;
/// Room for the numbers at the left, and for the times below.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;
/// More times than this would run into each other.
const MOST_TIMES: i64 = 9;
/// Evidence beyond this says nothing more; its decades would hide the bound.
const MOST_DECADES: i32 = 12;

/// One chart.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    /// What is shown, in a sentence.
    pub(super) note: String,
    pub(super) scale: Scale,
    /// Behind every number: ` %`.
    pub(super) unit: &'static str,
    /// The time that is shown, the same for all charts of a page.
    pub(super) span: (Time, Time),
    pub(super) series: Vec<Series>,
    /// A line that a value has to stay below.
    pub(super) bound: Option<f64>,
    pub(super) marks: Vec<Mark>,
}

/// One line of a chart.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) class: &'static str,
    pub(super) label: String,
    pub(super) shape: Shape,
    pub(super) points: Vec<(Time, f64)>,
}

/// How points are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A value holds until the next.
    Steps,
    /// From point to point.
    Line,
    /// A point a minute; where a minute is missing the line is broken.
    Minutes,
}

/// How high a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// 0 to 100.
    Percent,
    /// From zero to the largest value.
    Linear,
    /// A step is ten times as much.
    Decades,
}

/// A moment that matters.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) at: Time,
    pub(super) text: String,
    pub(super) class: &'static str,
}

/// The numbers at the left: from where to where, and which are written.
struct Axis {
    low: f64,
    high: f64,
    ticks: Vec<f64>,
    decades: bool,
}

impl Axis {
    fn of(chart: &Chart) -> Self {
        let values = chart.series.iter().flat_map(|series| series.points.iter().map(|(_, value)| *value));
        let values = values.filter(|value| value.is_finite());
        match chart.scale {
            Scale::Percent => Self { low: 0.0, high: 100.0, ticks: vec![0.0, 25.0, 50.0, 75.0, 100.0], decades: false },
            Scale::Linear => {
                let high = values.fold(0.0, f64::max);
                let step = nice_step(if high > 0.0 { high } else { 1.0 });
                let steps = (high / step).ceil().max(1.0);
                let ticks = (0..=5).map(f64::from).take_while(|tick| *tick <= steps).map(|tick| tick * step).collect();
                Self { low: 0.0, high: step * steps, ticks, decades: false }
            }
            Scale::Decades => {
                let bound = chart.bound.unwrap_or(1.0).max(1.0);
                let (low, high) = values
                    .filter(|value| *value > 0.0)
                    .map(f64::log10)
                    .fold((-1.0, bound.log10() + 1.0), |(low, high): (f64, f64), value| {
                        (low.min(value.floor()), high.max(value.ceil()))
                    });
                let (low, high) = (low.max(-4.0), high.min(f64::from(MOST_DECADES)));
                let every = if high - low > 7.0 { 2.0 } else { 1.0 };
                let mut ticks = vec![0.0];
                let mut tick = every;
                while tick <= high {
                    ticks.push(tick);
                    tick += every;
                }
                let mut tick = -every;
                while tick >= low {
                    ticks.push(tick);
                    tick -= every;
                }
                Self { low, high, ticks, decades: true }
            }
        }
    }

    /// Where a value stands, from the top.
    fn y(&self, value: f64) -> f64 {
        let value = if self.decades { value.max(f64::MIN_POSITIVE).log10() } else { value };
        let share = ((value.clamp(self.low, self.high)) - self.low) / (self.high - self.low);
        TOP + (1.0 - share) * (HEIGHT - TOP - BOTTOM)
    }

    fn tick_y(&self, tick: f64) -> f64 {
        TOP + (1.0 - (tick - self.low) / (self.high - self.low)) * (HEIGHT - TOP - BOTTOM)
    }

    fn tick_text(&self, tick: f64, unit: &str) -> String {
        if self.decades { short(10f64.powf(tick)) } else { format!("{}{unit}", short(tick)) }
    }
}

/// 1, 2 or 5 times a power of ten, so that at most five of them make the whole.
fn nice_step(high: f64) -> f64 {
    let rough = high / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough * 0.999_999)
        .unwrap_or(power)
}

/// A number for an axis or a title: three digits that say something.
pub(in crate::ui) fn short(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{value:.0e}");
    }
    let digits = if size >= 100.0 {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 0.1 {
        2
    } else {
        4
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

impl Chart {
    /// Draws it, with its title, its legend and, where there is nothing to draw, the words for that.
    pub(super) fn draw(&self, html: &mut String) {
        let title = escape(&self.title);
        // Writing to a String does not fail, here and below.
        let _ = write!(html, "<figure>\n<figcaption><b>{title}</b><span>{}</span></figcaption>\n", escape(&self.note));
        if self.series.iter().all(|series| series.points.is_empty()) {
            html.push_str("<p class=\"when\">Nothing was read.</p>\n</figure>\n");
            return;
        }
        self.legend(html);
        let axis = Axis::of(self);
        let _ = writeln!(html, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">");
        self.grid(html, &axis);
        for mark in self.marks.iter().filter(|mark| mark.at >= self.span.0 && mark.at <= self.span.1) {
            let _ = writeln!(
                html,
                "<line class=\"mark {}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"><title>{} {}</title></line>",
                mark.class,
                HEIGHT - BOTTOM,
                mark.at.clock(),
                escape(&mark.text),
                x = self.x(mark.at)
            );
        }
        if let Some(bound) = self.bound {
            let _ = writeln!(
                html,
                "<line class=\"bound\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"><title>the bound, {}</title></line>",
                WIDTH - RIGHT,
                short(bound),
                y = axis.y(bound)
            );
        }
        for series in &self.series {
            self.line(html, &axis, series);
        }
        html.push_str("</svg>\n</figure>\n");
    }

    fn legend(&self, html: &mut String) {
        html.push_str("<p class=\"legend\">");
        for series in self.series.iter().filter(|series| !series.points.is_empty()) {
            let _ = write!(html, "<span><i class=\"{}\"></i>{}</span>", series.class, escape(&series.label));
        }
        if let Some(bound) = self.bound {
            let _ = write!(html, "<span><i class=\"bound\"></i>the bound, {}</span>", short(bound));
        }
        html.push_str("</p>\n");
    }

    fn x(&self, at: Time) -> f64 {
        let (from, until) = self.span;
        let whole = (until.0 - from.0).max(1) as f64;
        LEFT + ((at.0 - from.0) as f64 / whole).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn grid(&self, html: &mut String, axis: &Axis) {
        for tick in &axis.ticks {
            let y = axis.tick_y(*tick);
            let _ = writeln!(
                html,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{:.1}\" \
                 y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                y + 4.0,
                escape(&axis.tick_text(*tick, self.unit))
            );
        }
        for minute in times(self.span) {
            let at = Time::of_minute(minute);
            let clock = at.clock();
            let _ = writeln!(
                html,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                self.x(at),
                HEIGHT - 8.0,
                clock.get(..5).unwrap_or_default()
            );
        }
    }

    fn line(&self, html: &mut String, axis: &Axis, series: &Series) {
        let mut path = String::new();
        let mut last: Option<(Time, f64)> = None;
        // Dots that touch each other hide the line.
        let radius = if series.points.len() > 120 { 2 } else { 3 };
        for (at, value) in series.points.iter().filter(|(_, value)| value.is_finite()) {
            let (x, y) = (self.x(*at), axis.y(*value));
            let _ = match (last, series.shape) {
                (None, _) => write!(path, "M{x:.1} {y:.1}"),
                (Some((before, _)), Shape::Minutes) if at.minute() - before.minute() > 1 => {
                    write!(path, "M{x:.1} {y:.1}")
                }
                (Some((_, before)), Shape::Steps) => {
                    write!(path, "H{x:.1}{}", if before == y { String::new() } else { format!("V{y:.1}") })
                }
                (Some(_), _) => write!(path, "L{x:.1} {y:.1}"),
            };
            last = Some((*at, y));
        }
        let floor = HEIGHT - BOTTOM;
        if let (Shape::Steps, Some((first, _)), Some((end, _))) = (series.shape, series.points.first(), last) {
            let _ = writeln!(
                html,
                "<path class=\"area\" d=\"{path}V{floor:.1}H{:.1}Z\"><title>to {}</title></path>",
                self.x(*first),
                end.clock()
            );
        }
        let _ = writeln!(html, "<path class=\"{}\" d=\"{path}\"/>", series.class);
        for (at, value) in series.points.iter().filter(|(_, value)| value.is_finite()) {
            let _ = writeln!(
                html,
                "<circle class=\"{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\"><title>{} {}: {}{}</title></circle>",
                series.class,
                self.x(*at),
                axis.y(*value),
                at.clock(),
                escape(&series.label),
                short(*value),
                self.unit
            );
        }
    }
}

/// Full minutes to write below, evenly apart.
fn times((from, until): (Time, Time)) -> Vec<i64> {
    const APART: [i64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440];
    let (first, last) = (Time(from.0.saturating_add(59_999)).minute(), until.minute());
    let minutes = (last - first).max(0);
    let apart = APART.into_iter().find(|apart| minutes / apart < MOST_TIMES).unwrap_or(minutes / MOST_TIMES + 1);
    let start = first.div_euclid(apart) * apart;
    (0..=MOST_TIMES + 1).map(|index| start + index * apart).filter(|minute| (first..=last).contains(minute)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(scale: Scale, points: &[(i64, f64)], shape: Shape) -> Chart {
        let points = points.iter().map(|(minute, value)| (Time::of_minute(*minute), *value)).collect();
        Chart {
            title: "A <title>".to_owned(),
            note: "What it says.".to_owned(),
            scale,
            unit: " %",
            span: (Time::of_minute(600), Time::of_minute(604)),
            series: vec![Series { class: "new", label: "version \"8\"".to_owned(), shape, points }],
            bound: None,
            marks: Vec::new(),
        }
    }

    fn drawn(chart: &Chart) -> String {
        let mut html = String::new();
        chart.draw(&mut html);
        html
    }

    #[test]
    fn a_missing_minute_breaks_the_line_and_is_not_zero() {
        let html = drawn(&chart(Scale::Linear, &[(600, 1.0), (601, 4.0), (603, 2.0)], Shape::Minutes));
        insta::assert_snapshot!(html, @r#"
        <figure>
        <figcaption><b>A &lt;title&gt;</b><span>What it says.</span></figcaption>
        <p class="legend"><span><i class="new"></i>version &quot;8&quot;</span></p>
        <svg viewBox="0 0 880 220" role="img" aria-label="A &lt;title&gt;">
        <line class="grid" x1="58" x2="868.0" y1="194.0" y2="194.0"/><text x="50.0" y="198.0" text-anchor="end">0 %</text>
        <line class="grid" x1="58" x2="868.0" y1="148.0" y2="148.0"/><text x="50.0" y="152.0" text-anchor="end">1 %</text>
        <line class="grid" x1="58" x2="868.0" y1="102.0" y2="102.0"/><text x="50.0" y="106.0" text-anchor="end">2 %</text>
        <line class="grid" x1="58" x2="868.0" y1="56.0" y2="56.0"/><text x="50.0" y="60.0" text-anchor="end">3 %</text>
        <line class="grid" x1="58" x2="868.0" y1="10.0" y2="10.0"/><text x="50.0" y="14.0" text-anchor="end">4 %</text>
        <text x="58.0" y="212.0" text-anchor="middle">10:00</text>
        <text x="260.5" y="212.0" text-anchor="middle">10:01</text>
        <text x="463.0" y="212.0" text-anchor="middle">10:02</text>
        <text x="665.5" y="212.0" text-anchor="middle">10:03</text>
        <text x="868.0" y="212.0" text-anchor="middle">10:04</text>
        <path class="new" d="M58.0 148.0L260.5 10.0M665.5 102.0"/>
        <circle class="new" cx="58.0" cy="148.0" r="3"><title>10:00:00 version &quot;8&quot;: 1 %</title></circle>
        <circle class="new" cx="260.5" cy="10.0" r="3"><title>10:01:00 version &quot;8&quot;: 4 %</title></circle>
        <circle class="new" cx="665.5" cy="102.0" r="3"><title>10:03:00 version &quot;8&quot;: 2 %</title></circle>
        </svg>
        </figure>
        "#);
    }

    #[test]
    fn nothing_read_is_said() {
        let html = drawn(&chart(Scale::Linear, &[], Shape::Minutes));
        assert!(html.contains("Nothing was read."), "{html}");
        assert!(!html.contains("<svg"), "{html}");
    }

    #[test]
    fn axes_hold_whatever_comes() {
        for scale in [Scale::Percent, Scale::Linear, Scale::Decades] {
            for value in [0.0, 1e-300, 0.3, 1.0, 99.0, 1e9, 1e300, f64::NAN, f64::INFINITY, -5.0] {
                let mut chart = chart(scale, &[(600, value), (602, 1.0)], Shape::Line);
                chart.bound = Some(100.0);
                let html = drawn(&chart);
                assert!(!html.contains("NaN") && !html.contains("inf"), "{scale:?} {value}: {html}");
                assert!(html.len() < 6000, "{scale:?} {value}");
            }
        }
    }

    #[test]
    fn times_are_even_and_few() {
        assert_eq!(times((Time::of_minute(600), Time::of_minute(604))), [600, 601, 602, 603, 604]);
        assert_eq!(times((Time::of_minute(601), Time::of_minute(640))), [605, 610, 615, 620, 625, 630, 635, 640]);
        assert!(times((Time::of_minute(0), Time::of_minute(100_000))).len() < 12);
        assert!(times((Time(5), Time(6))).is_empty());
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.0, 0.05, 0.123, 4.0, 12.5, 412.3, 1e6, 1e-5, 100.0].map(short),
            ["0", "0.05", "0.12", "4", "12.5", "412", "1e6", "1e-5", "100"]
        );
    }
}
