//! The rules of composite alarms: `ALARM("a") AND NOT (OK(b) OR INSUFFICIENT_DATA(c))`.

use super::alarm::State;

const MAX_DEPTH: usize = 64;

/// A rule that was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rule {
    Constant(bool),
    /// Whether an alarm, by name or ARN, is in a state.
    Is(State, String),
    Not(Box<Rule>),
    All(Vec<Rule>),
    Any(Vec<Rule>),
}

impl Rule {
    /// Reads a rule; the error is for the user.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text, depth: 0 };
        let rule = parser.any()?;
        parser.skip();
        match parser.rest {
            "" => Ok(rule),
            rest => Err(format!("unexpected {:?}", rest.chars().take(20).collect::<String>())),
        }
    }

    /// The names of the alarms in it, an ARN's last part for an ARN.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::Constant(_) => Vec::new(),
            Self::Is(_, name) => vec![name],
            Self::Not(inner) => inner.names(),
            Self::All(rules) | Self::Any(rules) => rules.iter().flat_map(Self::names).collect(),
        }
    }

    /// Whether it holds.
    pub(super) fn holds(&self, state_of: &dyn Fn(&str) -> Option<State>) -> bool {
        match self {
            Self::Constant(value) => *value,
            // An alarm that is gone is in no state.
            Self::Is(state, name) => state_of(name) == Some(*state),
            Self::Not(inner) => !inner.holds(state_of),
            Self::All(rules) => rules.iter().all(|rule| rule.holds(state_of)),
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(state_of)),
        }
    }
}

struct Parser<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn word(&mut self) -> &'t str {
        self.skip();
        let end = self.rest.find(|c: char| !c.is_ascii_alphabetic() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let before = self.rest;
        if self.word() == wanted {
            return true;
        }
        self.rest = before;
        false
    }

    fn take(&mut self, sign: char) -> bool {
        self.skip();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn any(&mut self) -> Result<Rule, String> {
        let mut rules = vec![self.all()?];
        while self.take_word("OR") {
            rules.push(self.all()?);
        }
        Ok(if rules.len() == 1 { rules.remove(0) } else { Rule::Any(rules) })
    }

    fn all(&mut self) -> Result<Rule, String> {
        let mut rules = vec![self.one()?];
        while self.take_word("AND") {
            rules.push(self.one()?);
        }
        Ok(if rules.len() == 1 { rules.remove(0) } else { Rule::All(rules) })
    }

    fn one(&mut self) -> Result<Rule, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("the rule is nested too deeply".to_owned());
        }
        let rule = if self.take('(') {
            let rule = self.any()?;
            if !self.take(')') {
                return Err("\")\" is missing".to_owned());
            }
            rule
        } else {
            match self.word() {
                "NOT" => Rule::Not(Box::new(self.one()?)),
                "TRUE" => Rule::Constant(true),
                "FALSE" => Rule::Constant(false),
                word => match State::parse(word) {
                    Some(state) => Rule::Is(state, self.name()?),
                    None => return Err(format!("unexpected {word:?}")),
                },
            }
        };
        self.depth -= 1;
        Ok(rule)
    }

    fn name(&mut self) -> Result<String, String> {
        if !self.take('(') {
            return Err("the alarm's name is missing".to_owned());
        }
        self.skip();
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let text = match quote {
            Some(quote) => {
                let (text, rest) = self.rest[1..].split_once(quote).ok_or("a quotation mark is not closed")?;
                self.rest = rest;
                text
            }
            None => {
                let end = self.rest.find(')').ok_or("\")\" is missing")?;
                let (text, rest) = self.rest.split_at(end);
                self.rest = rest;
                text.trim()
            }
        };
        if !self.take(')') {
            return Err("\")\" is missing".to_owned());
        }
        if text.is_empty() {
            return Err("the alarm's name is missing".to_owned());
        }
        Ok(text.split(":alarm:").last().unwrap_or(text).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_hold_or_not() {
        let state_of = |name: &str| match name {
            "a" => Some(State::Alarm),
            "ok alarm" => Some(State::Ok),
            _ => None,
        };
        for (text, expected) in [
            ("ALARM(a)", true),
            ("ALARM(\"a\") AND OK('ok alarm')", true),
            ("ALARM(a) AND NOT OK(\"ok alarm\")", false),
            ("FALSE OR (ALARM(x) OR ALARM(arn:aws:cloudwatch:eu-west-1:000000000000:alarm:a))", true),
            ("NOT ALARM(gone)", true),
            ("OK(gone)", false),
            ("TRUE", true),
            // AND binds more tightly.
            ("TRUE OR FALSE AND FALSE", true),
        ] {
            assert_eq!(Rule::parse(text).unwrap().holds(&state_of), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for bad in [
            "",
            "ALARM",
            "ALARM()",
            "ALARM(a",
            "ALARM(\"a)",
            "BAD(a)",
            "ALARM(a) ALARM(b)",
            "(TRUE",
            "TRUE AND",
            &"(".repeat(100_000),
        ] {
            assert!(Rule::parse(bad).is_err(), "{}", &bad[..bad.len().min(30)]);
        }
    }
}
