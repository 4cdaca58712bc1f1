//! What GitHub Actions shows of a rollout: annotations, groups, and the step's summary. From values
//! to text; what is foreign can neither become a workflow command nor markup.

use std::fmt::Write;

use super::report::{Alias, Page, Side, Tone};
use super::sanitize::sanitize;

/// A summary of a step has a megabyte for all its commands; the last events are what matters.
const MOST_EVENTS: usize = 100;

/// How loud an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Blue.
    Notice,
    /// Yellow.
    Warning,
    /// Red.
    Error,
}

/// A workflow command that shows `text` beside the run
/// (docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands).
pub fn annotation(level: Level, title: &str, text: &str) -> String {
    let command = match level {
        Level::Notice => "notice",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    format!("::{command} title={}::{}", property(title), data(text))
}

/// Opens a group of lines that can be folded.
pub fn group(title: &str) -> String {
    format!("::group::{}", data(title))
}

/// Closes it.
pub fn end_group() -> &'static str {
    "::endgroup::"
}

/// The text of a workflow command: a line feed would end it.
fn data(text: &str) -> String {
    sanitize(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The annotations at the end of a rollout: the verdict, and each alias that was left split.
pub fn annotations(page: &Page) -> Vec<String> {
    let level = match page.tone {
        Tone::Good | Tone::Plain => Level::Notice,
        Tone::Warn => Level::Warning,
        Tone::Bad => Level::Error,
    };
    let mut lines = vec![annotation(level, &format!("{}: {}", page.outcome, page.title), &page.verdict.join("\n"))];
    let alarms = page.aliases.iter().filter_map(Alias::alarm);
    lines.extend(alarms.map(|alarm| annotation(Level::Error, "An alias is left on two versions", &alarm)));
    lines
}

/// Text in Markdown that means nothing but itself.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in sanitize(text).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\n' | '\t' => safe.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '@' | '!' | '$' => safe.extend(['\\', character]),
            other => safe.push(other),
        }
    }
    safe
}

/// What nobody may overlook, in GitHub's Markdown.
pub fn caution(text: &str) -> String {
    format!("> [!CAUTION]\n> **{}**\n\n", plain(text))
}

/// The summary of the step, in GitHub's Markdown.
pub fn summary(page: &Page) -> String {
    let mut text = String::new();
    // Writing to a String does not fail, here and below.
    let _ = writeln!(text, "## {}: {}\n", plain(&page.outcome), plain(&page.title));
    for alarm in page.aliases.iter().filter_map(Alias::alarm) {
        text.push_str(&caution(&alarm));
    }
    for line in &page.verdict {
        let _ = writeln!(text, "{}\n", plain(line));
    }
    for note in &page.notes {
        let _ = writeln!(text, "_{}_\n", plain(note));
    }
    for alias in &page.aliases {
        numbers(&mut text, alias, page.aliases.len() > 1);
    }
    let skipped = page.events.len().saturating_sub(MOST_EVENTS);
    text.push_str("<details><summary>Events</summary>\n\n| Time (UTC) | What |\n| --- | --- |\n");
    for event in page.events.iter().skip(skipped) {
        let what = plain(&event.text);
        let what = if event.tone == Tone::Plain { what } else { format!("**{what}**") };
        let _ = writeln!(text, "| {} | {what} |", event.at.clock());
    }
    text.push_str("\n</details>\n\n");
    text
}

fn numbers(text: &mut String, alias: &Alias, named: bool) {
    if named {
        let _ = writeln!(text, "### {}\n", plain(&alias.name));
    }
    if let Some((old, new)) = &alias.judged {
        let _ = writeln!(
            text,
            "| | version {} | version {} |\n| --- | ---: | ---: |",
            plain(&alias.old),
            plain(&alias.new)
        );
        let _ = writeln!(text, "| judged requests | {} | {} |", old.requests, new.requests);
        let _ = writeln!(text, "| failed | {} | {} |\n", failed(old), failed(new));
    }
    let weights: Vec<String> = alias
        .weights
        .iter()
        .map(|(at, share)| format!("{} % at {}", super::report::short(share * 100.0), at.clock()))
        .collect();
    let _ = writeln!(text, "Weights of version {}: {}\n", plain(&alias.new), weights.join(", "));
    if let Some((_, evidence)) = alias.evidence.last() {
        let _ = writeln!(
            text,
            "Evidence against version {}: {} of the {} at which it goes back\n",
            plain(&alias.new),
            super::report::short(*evidence),
            super::report::short(alias.bound)
        );
    }
}

fn failed(side: &Side) -> String {
    if side.requests == 0 {
        return "–".to_owned();
    }
    format!("{} ({:.2} %)", side.errors, side.errors as f64 * 100.0 / side.requests as f64)
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::page;
    use super::*;

    #[test]
    fn a_command_holds_whatever_is_in_it() {
        assert_eq!(
            annotation(Level::Error, "a:b, c%", "one\n::set-env name=X::y\r\n\u{1b}[31m"),
            "::error title=a%3Ab%2C c%25::one%0A::set-env name=X::y\\u{d}%0A\\u{1b}[31m"
        );
    }

    #[test]
    fn the_summary_tells_verdict_weights_and_evidence() {
        insta::assert_snapshot!(summary(&page()), @r"
        ## Rolled back: hello:live, version 7 to 8

        hello:live is back on version 7: errors: new 4.1 % of 412, old 0.2 % of 3,710

        | | version 7 | version 8 |
        | --- | ---: | ---: |
        | judged requests | 3710 | 412 |
        | failed | 7 (0.19 %) | 17 (4.13 %) |

        Weights of version 8: 0 % at 10:00:00, 10 % at 10:00:12, 0 % at 10:06:00

        Evidence against version 8: 1340 of the 100 at which it goes back

        <details><summary>Events</summary>

        | Time (UTC) | What |
        | --- | --- |
        | 10:00:00 | version 7 to 8 begins |
        | 10:05:45 | **going back: errors** |

        </details>
        ");
    }

    #[test]
    fn an_alias_left_split_is_shouted() {
        let mut page = page();
        page.tone = Tone::Warn;
        page.aliases[0].left_split = Some("version 7 with 10% to version 8".to_owned());
        assert!(summary(&page).contains("> [!CAUTION]\n> **hello:live is LEFT ON TWO VERSIONS"), "{}", summary(&page));
        let annotations = annotations(&page);
        assert!(annotations[0].starts_with("::warning title="), "{annotations:?}");
        assert!(annotations[1].starts_with("::error title=An alias is left on two versions::"), "{annotations:?}");
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let mut page = page();
        page.verdict = vec!["a|b`c*d_e<img src=x>[l](http://x)\n# h\n@someone".to_owned()];
        let text = summary(&page);
        assert!(text.contains(r"a\|b\`c\*d\_e&lt;img src=x&gt;\[l\](http://x) \# h \@someone"), "{text}");
    }
}
