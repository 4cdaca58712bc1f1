//! What a plain scalar means: YAML 1.1's types as PyYAML and CloudFormation read them, and JSON's.
//!
//! YAML 1.1 is not 1.2: `on` and `yes` are booleans, `010` is 8, `12:30:45` is a number of seconds
//! (base 60), and `1e3` is text because an exponent needs a point and a sign. Dates are kept as text,
//! as SAM does, so that `2012-10-17` stays a policy version.

use serde_json::Number;

use crate::template::Value;

/// A number that is one in YAML or JSON and none in a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// An integer that needs more than 64 bits, or a float beyond the range of a double.
    TooLarge,
    /// `.nan` or `.inf`: JSON has no such number.
    NotFinite,
}

/// The value of a plain scalar by YAML 1.1.
///
/// # Errors
/// A number that JSON's data model cannot hold.
pub fn yaml(text: &str) -> Result<Value, Problem> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Ok(Value::Bool(false)),
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return Ok(text.into());
    }
    if let Some(number) = yaml_integer(text) {
        return number.map(Value::Number);
    }
    if let Some(number) = yaml_float(text) {
        return number.map(Value::Number);
    }
    Ok(text.into())
}

/// Whether some reader of YAML 1.1 or 1.2 would read this plain scalar as anything but this text:
/// a boolean, a number, a date, nothing, a merge key. The writer quotes it then.
pub fn is_ambiguous(text: &str) -> bool {
    if matches!(text, "y" | "Y" | "n" | "N" | "=" | "<<") || !matches!(yaml(text), Ok(Value::String(_))) {
        return true;
    }
    // Dates, octal as in YAML 1.2, exponents: whatever looks like a number is quoted.
    text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.'))
        && text.chars().all(|character| {
            character.is_ascii_hexdigit()
                || matches!(
                    character,
                    '+' | '-' | '.' | ':' | '_' | 'x' | 'X' | 'o' | 'O' | 'T' | 't' | 'Z' | 'z' | ' '
                )
        })
}

/// The value of a scalar that stands without quotes in JSON.
///
/// # Errors
/// A number beyond 64 bits.
pub fn json(text: &str) -> Result<Value, Problem> {
    match text {
        "null" => return Ok(Value::Null),
        "true" => return Ok(Value::Bool(true)),
        "false" => return Ok(Value::Bool(false)),
        _ => {}
    }
    if text.contains(['.', 'e', 'E']) {
        return text.parse().ok().and_then(Number::from_f64).map(Value::Number).ok_or(Problem::TooLarge);
    }
    integer(text.starts_with('-'), text.trim_start_matches('-'), 10).map(Value::Number)
}

/// `None` when the text is no integer of YAML 1.1.
fn yaml_integer(text: &str) -> Option<Result<Number, Problem>> {
    let (negative, digits) = sign(text);
    let only = |digits: &str, allowed: fn(&u8) -> bool| {
        !digits.is_empty() && digits.bytes().all(|byte| byte == b'_' || allowed(&byte))
    };
    let (digits, radix) = if let Some(binary) = digits.strip_prefix("0b") {
        (only(binary, |byte| matches!(byte, b'0' | b'1')).then_some(binary)?, 2)
    } else if let Some(hexadecimal) = digits.strip_prefix("0x") {
        (only(hexadecimal, u8::is_ascii_hexdigit).then_some(hexadecimal)?, 16)
    } else if digits == "0" {
        (digits, 10)
    } else if let Some(octal) = digits.strip_prefix('0') {
        (only(octal, |byte| matches!(byte, b'0'..=b'7')).then_some(octal)?, 8)
    } else if digits.starts_with(|first: char| matches!(first, '1'..='9')) {
        if let Some((first, rest)) = digits.split_once(':') {
            return sexagesimal(negative, only(first, u8::is_ascii_digit).then_some(first)?, rest);
        }
        (only(digits, u8::is_ascii_digit).then_some(digits)?, 10)
    } else {
        return None;
    };
    let digits = digits.replace('_', "");
    // `0x_` and `0_` have no digit left; PyYAML fails on the first and reads the second as 0.
    if digits.is_empty() {
        return (radix == 8).then(|| Ok(0.into()));
    }
    Some(integer(negative, &digits, radix))
}

fn sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn integer(negative: bool, digits: &str, radix: u32) -> Result<Number, Problem> {
    let magnitude = u64::from_str_radix(digits, radix).map_err(|_| Problem::TooLarge)?;
    if negative {
        0i64.checked_sub_unsigned(magnitude).map(Number::from).ok_or(Problem::TooLarge)
    } else {
        Ok(magnitude.into())
    }
}

/// `12:30:45`: each part after the first counts sixtieths of the one before it.
fn sexagesimal(negative: bool, first: &str, rest: &str) -> Option<Result<Number, Problem>> {
    let mut total = first.replace('_', "").parse::<u64>().ok();
    for part in rest.split(':') {
        let value = sixtieth(part)?;
        total = total.and_then(|total| total.checked_mul(60)?.checked_add(value));
    }
    Some(match total {
        Some(total) => integer(negative, &total.to_string(), 10),
        None => Err(Problem::TooLarge),
    })
}

/// One or two digits up to 59.
fn sixtieth(part: &str) -> Option<u64> {
    match part.as_bytes() {
        [digit] | [b'0'..=b'5', digit] if digit.is_ascii_digit() => part.parse().ok().filter(|value| *value < 60),
        _ => None,
    }
}

/// `None` when the text is no float of YAML 1.1.
fn yaml_float(text: &str) -> Option<Result<Number, Problem>> {
    let (negative, digits) = sign(text);
    if matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Err(Problem::NotFinite));
    }
    let (whole, fraction) = digits.split_once('.')?;
    let are_digits = |text: &str| text.bytes().all(|byte| byte == b'_' || byte.is_ascii_digit());
    let to_number = |value: f64| {
        let value = if negative { -value } else { value };
        Number::from_f64(value).ok_or(Problem::TooLarge)
    };
    if let Some((first, rest)) = whole.split_once(':') {
        if !first.starts_with(|c: char| c.is_ascii_digit()) || !are_digits(first) || !are_digits(fraction) {
            return None;
        }
        let mut total: f64 = first.replace('_', "").parse().ok()?;
        let parts: Vec<&str> = rest.split(':').collect();
        let (last, middle) = parts.split_last()?;
        for part in middle {
            #[expect(clippy::cast_precision_loss, reason = "below 60")]
            let value = sixtieth(part)? as f64;
            total = total * 60.0 + value;
        }
        sixtieth(last)?;
        let seconds: f64 = format!("{last}.{}", fraction.replace('_', "")).parse().ok()?;
        return Some(to_number(total * 60.0 + seconds));
    }
    let (fraction, exponent) = match fraction.split_once(['e', 'E']) {
        Some((fraction, exponent)) => {
            let unsigned = exponent.strip_prefix(['+', '-'])?;
            if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            (fraction, exponent)
        }
        None => (fraction, "+0"),
    };
    let has_whole = whole.starts_with(|first: char| first.is_ascii_digit());
    // `.5` takes no sign, and needs a digit right behind the point.
    let bare = whole.is_empty() && digits.len() == text.len() && fraction.starts_with(|c: char| c.is_ascii_digit());
    if !(has_whole || bare) || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let plain = format!("{whole}.{fraction}e{exponent}").replace('_', "");
    Some(plain.parse().map_err(|_| Problem::TooLarge).and_then(to_number))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::template::Node;

    fn read(text: &str) -> Json {
        Node::from(yaml(text).unwrap()).to_json()
    }

    #[test]
    fn plain_scalars_have_the_types_of_yaml_1_1() {
        for (text, expected) in [
            ("", Json::Null),
            ("~", Json::Null),
            ("NULL", Json::Null),
            ("nULL", json!("nULL")),
            ("on", json!(true)),
            ("Off", json!(false)),
            ("yes", json!(true)),
            ("NO", json!(false)),
            ("y", json!("y")),
            ("tRUE", json!("tRUE")),
            ("0", json!(0)),
            ("-0", json!(0)),
            ("010", json!(8)),
            ("-010", json!(-8)),
            ("018", json!("018")),
            ("0o10", json!("0o10")),
            ("0x1F", json!(31)),
            ("0b101", json!(5)),
            ("+12", json!(12)),
            ("1_000", json!(1000)),
            ("_1", json!("_1")),
            ("12:30:45", json!(45045)),
            ("12:60", json!("12:60")),
            ("02:30", json!("02:30")),
            ("1:5", json!(65)),
            ("190:20:30.15", json!(685_230.15)),
            ("1.5", json!(1.5)),
            ("1.", json!(1.0)),
            (".5", json!(0.5)),
            ("-.5", json!("-.5")),
            ("1e3", json!("1e3")),
            ("1.0e3", json!("1.0e3")),
            ("1.0e+3", json!(1000.0)),
            ("1.5E-1", json!(0.15)),
            ("1.2.3", json!("1.2.3")),
            ("2012-10-17", json!("2012-10-17")),
            ("123456789012", json!(123_456_789_012_u64)),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("-", json!("-")),
            (".", json!(".")),
            ("python3.12", json!("python3.12")),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_that_json_cannot_hold_are_problems() {
        for text in [
            "18446744073709551616",
            "-9223372036854775809",
            "0xfffffffffffffffff",
            "1.0e+999",
            "99999999999999999999:59",
        ] {
            assert_eq!(yaml(text), Err(Problem::TooLarge), "{text}");
        }
        for text in [".nan", ".NaN", ".inf", "-.INF", "+.Inf"] {
            assert_eq!(yaml(text), Err(Problem::NotFinite), "{text}");
        }
        assert_eq!(json("123456789012345678901234567890"), Err(Problem::TooLarge));
    }

    #[test]
    fn what_other_readers_take_for_something_else_is_ambiguous() {
        for text in [
            "on",
            "NO",
            "y",
            "12:30:45",
            "1_000",
            "2012-10-17",
            "0o17",
            "1e5",
            "",
            "~",
            "<<",
            "=",
            "2001-12-14T21:59:43.10-05:00",
        ] {
            assert!(is_ambiguous(text), "{text:?}");
        }
        for text in ["yesterday", "10.0.0.0/16", "python3.12", "arn:aws:s3:::b", "1st"] {
            assert!(!is_ambiguous(text), "{text:?}");
        }
    }
}
