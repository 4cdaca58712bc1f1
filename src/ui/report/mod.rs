//! A rollout as one HTML page that needs nothing else: no network, no script; light and dark as the
//! reader's system is. From values to text; [`story`] makes the values from a rollout's state.

mod chart;
pub mod story;

use std::fmt::Write;

use crate::rollout::names::Time;

use super::sanitize::sanitize;
use chart::{Chart, Mark, Scale, Series, Shape};

pub(super) use chart::short;

/// Everything that the page shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// What it is about: `hello:live, version 7 to 8`.
    pub title: String,
    /// How it ended, or where it is: `Rolled back`.
    pub outcome: String,
    /// Whether that is good.
    pub tone: Tone,
    /// The verdict in plain words, with its numbers.
    pub verdict: Vec<String>,
    /// What was planned: names and values.
    pub facts: Vec<(String, String)>,
    /// The aliases that moved.
    pub aliases: Vec<Alias>,
    /// What happened, the oldest first.
    pub events: Vec<Event>,
    /// When it began.
    pub from: Time,
    /// When it ended, or was looked at.
    pub until: Time,
    /// What the reader has to know about the page itself: what is missing, and why.
    pub notes: Vec<String>,
}

/// Whether something is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Neither.
    Plain,
    /// Waits for somebody.
    Warn,
    /// Not as it should be.
    Bad,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Plain => "plain",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// One alias of the rollout.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alias {
    /// `hello:live`.
    pub name: String,
    /// The version that served before.
    pub old: String,
    /// The version that was to serve.
    pub new: String,
    /// The new version's share, 0 to 1, from when on.
    pub weights: Vec<(Time, f64)>,
    /// What both versions did, a minute each; a version without data is `None`, which is not zero.
    pub minutes: Vec<Minute>,
    /// The evidence against the new version as it grew.
    pub evidence: Vec<(Time, f64)>,
    /// What the evidence has to reach.
    pub bound: f64,
    /// What was judged of the old and of the new version.
    pub judged: Option<(Side, Side)>,
    /// What it says, where it was left on two versions with nobody to go on.
    pub left_split: Option<String>,
}

impl Alias {
    /// That it was left on two versions, as loud as words are.
    pub fn alarm(&self) -> Option<String> {
        let says = self.left_split.as_ref()?;
        Some(format!("{} is LEFT ON TWO VERSIONS and nobody goes on with it: it says {says}", self.name))
    }
}

/// What both versions did in one minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Minute {
    /// Counted from 1970.
    pub minute: i64,
    /// The old version.
    pub old: Option<Side>,
    /// The new version.
    pub new: Option<Side>,
}

/// One version in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Side {
    /// Requests.
    pub requests: u64,
    /// Of these, those that failed.
    pub errors: u64,
    /// The 99th percentile of the duration in milliseconds, where it could be read.
    pub p99_ms: Option<f64>,
}

impl Side {
    fn error_percent(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.errors as f64 * 100.0 / self.requests as f64)
    }
}

/// A line of the story.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub at: Time,
    /// What.
    pub text: String,
    /// Whether it is good.
    pub tone: Tone,
}

/// Everything that comes from outside, made safe between tags and in quoted attributes. Control
/// characters and bidirectional overrides are shown, not obeyed.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in sanitize(text).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// `2026-11-23 14:05:09 UTC`.
fn moment(at: Time) -> String {
    time::OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000))
        .map_or_else(|_| at.clock(), |when| format!("{} {} UTC", when.date(), at.clock()))
}

/// The page. Also well-formed XML behind its first line, so that it can be checked.
pub fn html(page: &Page) -> String {
    let mut html = String::with_capacity(64 * 1024);
    let title = escape(&page.title);
    html.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    html.push_str("<meta name=\"color-scheme\" content=\"light dark\"/>\n");
    // Nothing is loaded and nothing runs, whatever a name or a reason may hold.
    html.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n",
    );
    // Writing to a String does not fail, here and below.
    let _ = write!(
        html,
        "<title>{title}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n",
        include_str!("page.css")
    );
    head(&mut html, page);
    for alias in &page.aliases {
        section(&mut html, page, alias);
    }
    events(&mut html, &page.events);
    for alias in &page.aliases {
        minutes(&mut html, alias, page.aliases.len() > 1);
    }
    let _ = write!(
        html,
        "<footer>Written by samara {}. All times are UTC. A minute without requests has no point: missing is not \
         zero.</footer>\n</main>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    );
    html
}

fn head(html: &mut String, page: &Page) {
    let _ = write!(
        html,
        "<header>\n<p class=\"eyebrow\">Rollout report</p>\n<h1>{}</h1>\n<p><span class=\"badge {}\">{}</span> \
         <span class=\"when\">{} to {}</span></p>\n",
        escape(&page.title),
        page.tone.class(),
        escape(&page.outcome),
        moment(page.from),
        page.until.clock()
    );
    for alarm in page.aliases.iter().filter_map(Alias::alarm) {
        let _ = writeln!(html, "<p class=\"alarm\">{}</p>", escape(&alarm));
    }
    for line in &page.verdict {
        let _ = writeln!(html, "<p class=\"verdict\">{}</p>", escape(line));
    }
    for note in &page.notes {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escape(note));
    }
    html.push_str("</header>\n<dl class=\"facts\">\n");
    for (name, value) in &page.facts {
        let _ = writeln!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
    }
    html.push_str("</dl>\n");
}

/// The charts of one alias.
fn section(html: &mut String, page: &Page, alias: &Alias) {
    let _ = writeln!(html, "<section>\n<h2>{}</h2>", escape(&alias.name));
    let (old, new) = (format!("version {}", alias.old), format!("version {}", alias.new));
    let marks: Vec<Mark> = page
        .events
        .iter()
        .filter(|event| matches!(event.tone, Tone::Bad | Tone::Good))
        .map(|event| Mark { at: event.at, text: event.text.clone(), class: event.tone.class() })
        .collect();
    let span = (page.from, page.until);
    let mut weights = alias.weights.clone();
    weights.extend(alias.weights.last().map(|(_, share)| (page.until, *share)));
    let share = Series {
        class: "new",
        label: new.clone(),
        shape: Shape::Steps,
        points: weights.iter().map(|(at, share)| (*at, share * 100.0)).collect(),
    };
    let chart = |title: &str, note: String, scale, unit, series, bound| Chart {
        title: title.to_owned(),
        note,
        scale,
        unit,
        span,
        series,
        bound,
        marks: marks.clone(),
    };
    let note = format!("The share of requests that the alias gives to {new}.");
    chart("Traffic to the new version", note, Scale::Percent, " %", vec![share], None).draw(html);

    let by = |value: &dyn Fn(&Side) -> Option<f64>| -> Vec<Series> {
        let side = |class, label: &String, side: &dyn Fn(&Minute) -> Option<Side>| Series {
            class,
            label: label.clone(),
            shape: Shape::Minutes,
            points: alias
                .minutes
                .iter()
                .filter_map(|minute| Some((Time::of_minute(minute.minute), value(&side(minute)?)?)))
                .collect(),
        };
        vec![side("old", &old, &|minute| minute.old), side("new", &new, &|minute| minute.new)]
    };
    let errors = by(&Side::error_percent);
    let note = "Failed requests among all requests of the minute, by version.".to_owned();
    chart("Error rate", note, Scale::Linear, " %", errors, None).draw(html);
    let p99 = by(&|side| side.p99_ms);
    let note = "The slowest hundredth of the minute's requests took longer than this, by version.".to_owned();
    chart("Duration, 99th percentile", note, Scale::Linear, " ms", p99, None).draw(html);

    let evidence =
        Series { class: "new", label: format!("against {new}"), shape: Shape::Line, points: alias.evidence.clone() };
    let note = format!(
        "It starts at 1 and goes back at {:.0}: the chance that a version as good as the old one ever gets there is \
         at most 1 in {:.0}.",
        alias.bound, alias.bound
    );
    chart("Evidence", note, Scale::Decades, "", vec![evidence], Some(alias.bound)).draw(html);
    html.push_str("</section>\n");
}

fn events(html: &mut String, events: &[Event]) {
    html.push_str("<section>\n<h2>Events</h2>\n<table>\n<thead><tr><th>Time</th><th>What</th></tr></thead>\n<tbody>\n");
    for event in events {
        let _ = writeln!(
            html,
            "<tr class=\"{}\"><td class=\"time\">{}</td><td>{}</td></tr>",
            event.tone.class(),
            event.at.clock(),
            escape(&event.text)
        );
    }
    html.push_str("</tbody>\n</table>\n</section>\n");
}

/// What the charts show, as numbers.
fn minutes(html: &mut String, alias: &Alias, named: bool) {
    if alias.minutes.is_empty() {
        return;
    }
    let name = if named { format!(" of {}", escape(&alias.name)) } else { String::new() };
    let _ = write!(
        html,
        "<details>\n<summary>Every minute{name}</summary>\n<table class=\"numbers\">\n<thead><tr><th>Minute</th>\
         <th>requests {old}</th><th>failed {old}</th><th>p99 {old}</th><th>requests {new}</th><th>failed {new}</th>\
         <th>p99 {new}</th></tr></thead>\n<tbody>\n",
        old = escape(&alias.old),
        new = escape(&alias.new)
    );
    for minute in &alias.minutes {
        let clock = Time::of_minute(minute.minute).clock();
        let _ = write!(html, "<tr><td class=\"time\">{}</td>", clock.get(..5).unwrap_or_default());
        for side in [&minute.old, &minute.new] {
            let cell = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
            let _ = write!(
                html,
                "<td>{}</td><td>{}</td><td>{}</td>",
                cell(side.map(|side| side.requests.to_string())),
                cell(side.map(|side| side.errors.to_string())),
                cell(side.and_then(|side| side.p99_ms).map(|p99| format!("{p99:.0} ms")))
            );
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</details>\n");
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::ui) fn page() -> Page {
        let minute = |minute, old: (u64, u64, f64), new: (u64, u64, f64)| Minute {
            minute,
            old: Some(Side { requests: old.0, errors: old.1, p99_ms: Some(old.2) }),
            new: (new.0 > 0).then_some(Side { requests: new.0, errors: new.1, p99_ms: Some(new.2) }),
        };
        Page {
            title: "hello:live, version 7 to 8".to_owned(),
            outcome: "Rolled back".to_owned(),
            tone: Tone::Bad,
            verdict: vec!["hello:live is back on version 7: errors: new 4.1 % of 412, old 0.2 % of 3,710".to_owned()],
            facts: vec![("Strategy".to_owned(), "Canary10Percent5Minutes".to_owned())],
            aliases: vec![Alias {
                name: "hello:live".to_owned(),
                old: "7".to_owned(),
                new: "8".to_owned(),
                weights: vec![(Time::of_minute(600), 0.0), (Time(36_012_000), 0.1), (Time::of_minute(606), 0.0)],
                minutes: vec![
                    minute(600, (540, 1, 90.0), (0, 0, 0.0)),
                    minute(601, (541, 2, 95.0), (61, 3, 120.0)),
                    minute(602, (540, 0, 91.0), (58, 2, 130.0)),
                    minute(604, (500, 1, 99.0), (66, 4, 118.0)),
                ],
                evidence: vec![(Time::of_minute(602), 4.0), (Time::of_minute(604), 1340.0)],
                bound: 100.0,
                judged: Some((
                    Side { requests: 3710, errors: 7, p99_ms: None },
                    Side { requests: 412, errors: 17, p99_ms: None },
                )),
                left_split: None,
            }],
            events: vec![
                Event { at: Time::of_minute(600), text: "version 7 to 8 begins".to_owned(), tone: Tone::Plain },
                Event { at: Time(36_345_000), text: "going back: errors".to_owned(), tone: Tone::Bad },
            ],
            from: Time::of_minute(600),
            until: Time::of_minute(606),
            notes: Vec::new(),
        }
    }

    /// The names of all elements, in their order; panics where it is not well-formed.
    fn elements(html: &str) -> Vec<String> {
        let xml = html.strip_prefix("<!doctype html>\n").expect("the doctype comes first");
        let mut reader = quick_xml::Reader::from_str(xml);
        reader.config_mut().check_end_names = true;
        let (mut names, mut open) = (Vec::new(), 0);
        loop {
            use quick_xml::events::Event as Xml;
            match reader.read_event().unwrap_or_else(|error| panic!("{error} at {}", reader.error_position())) {
                Xml::Start(tag) => {
                    open += 1;
                    tag.attributes().for_each(|attribute| drop(attribute.expect("an attribute")));
                    names.push(tag.name().as_ref().to_owned());
                }
                Xml::Empty(tag) => {
                    tag.attributes().for_each(|attribute| drop(attribute.expect("an attribute")));
                    names.push(tag.name().as_ref().to_owned());
                }
                Xml::End(_) => open -= 1,
                Xml::Eof => break,
                _ => {}
            }
        }
        assert_eq!(open, 0, "everything is closed");
        names
    }

    #[test]
    fn a_page_is_well_formed_and_needs_nothing_else() {
        let html = html(&page());
        let names = elements(&html);
        assert_eq!(names.iter().filter(|name| *name == "svg").count(), 4);
        for foreign in ["script", "link", "img", "iframe", "object", "image", "use"] {
            assert!(!names.iter().any(|name| name == foreign), "{foreign}");
        }
        for network in ["http:", "https:", "url(", "@import", "src="] {
            assert!(!html.contains(network), "{network}");
        }
        assert!(html.contains("prefers-color-scheme: dark"));
    }

    #[test]
    fn what_a_page_says_without_its_pictures() {
        let html = html(&page());
        let body = html.split("<body>").nth(1).unwrap();
        let (head, rest) = body.split_once("<section>").unwrap();
        let rest = rest.split_once("<h2>Events").unwrap().1;
        insta::assert_snapshot!(format!("{head}…<h2>Events{rest}"), @r#"
        <main>
        <header>
        <p class="eyebrow">Rollout report</p>
        <h1>hello:live, version 7 to 8</h1>
        <p><span class="badge bad">Rolled back</span> <span class="when">1970-01-01 10:00:00 UTC to 10:06:00</span></p>
        <p class="verdict">hello:live is back on version 7: errors: new 4.1 % of 412, old 0.2 % of 3,710</p>
        </header>
        <dl class="facts">
        <div><dt>Strategy</dt><dd>Canary10Percent5Minutes</dd></div>
        </dl>
        …<h2>Events</h2>
        <table>
        <thead><tr><th>Time</th><th>What</th></tr></thead>
        <tbody>
        <tr class="plain"><td class="time">10:00:00</td><td>version 7 to 8 begins</td></tr>
        <tr class="bad"><td class="time">10:05:45</td><td>going back: errors</td></tr>
        </tbody>
        </table>
        </section>
        <details>
        <summary>Every minute</summary>
        <table class="numbers">
        <thead><tr><th>Minute</th><th>requests 7</th><th>failed 7</th><th>p99 7</th><th>requests 8</th><th>failed 8</th><th>p99 8</th></tr></thead>
        <tbody>
        <tr><td class="time">10:00</td><td>540</td><td>1</td><td>90 ms</td><td>–</td><td>–</td><td>–</td></tr>
        <tr><td class="time">10:01</td><td>541</td><td>2</td><td>95 ms</td><td>61</td><td>3</td><td>120 ms</td></tr>
        <tr><td class="time">10:02</td><td>540</td><td>0</td><td>91 ms</td><td>58</td><td>2</td><td>130 ms</td></tr>
        <tr><td class="time">10:04</td><td>500</td><td>1</td><td>99 ms</td><td>66</td><td>4</td><td>118 ms</td></tr>
        </tbody>
        </table>
        </details>
        <footer>Written by samara 0.1.0. All times are UTC. A minute without requests has no point: missing is not zero.</footer>
        </main>
        </body>
        </html>
        "#);
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let evil = "<script>alert(1)</script>\"'&\u{202e}\u{1b}[31m\u{0}</style></title>";
        let mut page = page();
        page.title = evil.to_owned();
        page.outcome = evil.to_owned();
        page.verdict = vec![evil.to_owned()];
        page.notes = vec![evil.to_owned()];
        page.facts = vec![(evil.to_owned(), evil.to_owned())];
        page.events.iter_mut().for_each(|event| event.text = evil.to_owned());
        let alias = &mut page.aliases[0];
        (alias.name, alias.old, alias.new) = (evil.to_owned(), evil.to_owned(), evil.to_owned());
        let html = html(&page);
        assert!(!elements(&html).iter().any(|name| name == "script"));
        assert!(!html.contains(['\u{202e}', '\u{1b}', '\u{0}']), "no control characters");
        assert!(!html.contains("<script"), "{html}");
    }

    #[test]
    fn a_rollout_that_saw_nothing_has_a_page_too() {
        let mut page = page();
        page.aliases[0] = Alias { name: "hello:live".to_owned(), bound: 100.0, ..Alias::default() };
        page.events.clear();
        assert!(html(&page).contains("Nothing was read."));
        elements(&html(&page));
    }
}
