//! A custom metric of CloudWatch that counts something of one version: `Errors` does not see a handler
//! that answers with status 500, so an HTTP function counts its failures itself (embedded metric
//! format), with a dimension that names the version.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::rollout::names::{NotA, Version};

/// What stands for the version's number.
const PLACEHOLDER: &str = "{version}";
const EXAMPLE: &str = "Shop/Failures?service=checkout&version={version}";
/// A metric has at most 30 dimensions, and its names at most 255 characters
/// (docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Metric.html).
const MOST_DIMENSIONS: usize = 30;
const LONGEST_NAME: usize = 255;
/// What has a meaning of its own in the text, and has to be written as `%XX` in a name.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'&').add(b'=');

/// A custom metric, written `NAMESPACE/NAME?DIMENSION=VALUE&DIMENSION=VALUE`; `{version}` in a value
/// stands for the version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Metric {
    /// Such as `Shop`.
    pub namespace: String,
    /// Such as `Failures`.
    pub name: String,
    dimensions: Vec<(String, String)>,
}

impl Metric {
    /// Reads one that the two versions can be compared by: it names the version.
    ///
    /// # Errors
    /// It is none, or does not name the version.
    pub fn to_compare(text: &str) -> Result<Self, NotA> {
        let metric: Self = text.parse()?;
        if metric.is_by_version() {
            return Ok(metric);
        }
        Err(NotA::new(text, "a metric of one version: {version} has to stand in a dimension's value", EXAMPLE))
    }

    /// Whether each version has a series of its own.
    pub fn is_by_version(&self) -> bool {
        self.dimensions.iter().any(|(_, value)| value.contains(PLACEHOLDER))
    }

    /// The dimensions of a version's series.
    pub fn dimensions(&self, version: Version) -> Vec<(String, String)> {
        let number = version.to_string();
        self.dimensions.iter().map(|(name, value)| (name.clone(), value.replace(PLACEHOLDER, &number))).collect()
    }
}

impl FromStr for Metric {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        let wrong = || NotA::new(text, "a CloudWatch metric (NAMESPACE/NAME?DIMENSION=VALUE&…)", EXAMPLE);
        let name = |text: &str| {
            let name = percent_decode_str(text).decode_utf8().map_err(|_| wrong())?;
            let fits = (1..=LONGEST_NAME).contains(&name.len()) && !name.contains(char::is_control);
            if fits { Ok(name.into_owned()) } else { Err(wrong()) }
        };
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let (namespace, metric) = path.rsplit_once('/').ok_or_else(wrong)?;
        let mut dimensions = Vec::new();
        for pair in query.split('&').filter(|_| !query.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(wrong)?;
            dimensions.push((name(key)?, name(value)?));
        }
        if dimensions.len() > MOST_DIMENSIONS {
            return Err(wrong());
        }
        Ok(Self { namespace: name(namespace)?, name: name(metric)?, dimensions })
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |text| utf8_percent_encode(text, ESCAPED);
        write!(f, "{}/{}", escaped(&self.namespace), escaped(&self.name))?;
        for (index, (name, value)) in self.dimensions.iter().enumerate() {
            write!(f, "{}{}={}", if index == 0 { '?' } else { '&' }, escaped(name), escaped(value))?;
        }
        Ok(())
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.to_string()
    }
}

impl TryFrom<String> for Metric {
    type Error = NotA;

    fn try_from(text: String) -> Result<Self, NotA> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_read_back_as_written() {
        for text in [
            "Shop/Failures?version={version}",
            "AWS/ApiGateway/5XXError?ApiName=shop&Stage=prod",
            "Shop/Failures",
            "My%20Shop/Failed%3F?a%3Db=c%26d&v=v-{version}",
        ] {
            assert_eq!(text.parse::<Metric>().unwrap().to_string(), text);
        }
        let metric: Metric = "AWS/Api/5XX?f=shop:{version}&s=1".parse().unwrap();
        assert_eq!((metric.namespace.as_str(), metric.name.as_str()), ("AWS/Api", "5XX"));
        let dimensions = metric.dimensions("12".parse().unwrap());
        assert_eq!(dimensions, [("f", "shop:12"), ("s", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn what_is_none_is_refused_with_an_example() {
        for wrong in ["", "Failures", "/Failures", "Shop/", "Shop/Failures?", "Shop/Failures?v", "Shop/F?=1", "a/%ff"] {
            let error = wrong.parse::<Metric>();
            if wrong == "Shop/Failures?" {
                assert!(error.is_ok(), "no dimensions at all");
            } else {
                assert!(error.unwrap_err().to_string().contains(EXAMPLE), "{wrong}");
            }
        }
        let error = Metric::to_compare("Shop/Failures?service=checkout").unwrap_err().to_string();
        assert!(error.contains("{version} has to stand in a dimension's value"), "{error}");
    }
}
