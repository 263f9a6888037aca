//! What an option can be set to, and what it was found to be.

use std::fmt;
use std::time::Duration;

/// The value of a socket option. A text is read as whatever the option takes.
///
/// ```
/// use selkey::socket::options::Value;
/// use std::time::Duration;
///
/// assert_eq!(Value::from(true).to_string(), "on");
/// assert_eq!(Value::from(100_000).to_string(), "100000");
/// assert_eq!(Value::from(Duration::from_millis(1500)).to_string(), "1.5s");
/// assert_eq!(Value::from(None::<Duration>).to_string(), "off");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// On or off.
    Switch(bool),
    /// A number, or a size in bytes.
    Number(i64),
    /// A time. The system counts in a unit of the option's; what is between two units is rounded up.
    Duration(Duration),
    /// How long a close waits, or that it does not.
    Linger(Option<Duration>),
    /// A text.
    Text(String),
}

/// Texts that the options of the same kind read back as the same value.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Switch(true) => f.pad("on"),
            Value::Switch(false) | Value::Linger(None) => f.pad("off"),
            Value::Number(number) => f.pad(&number.to_string()),
            Value::Duration(time) | Value::Linger(Some(time)) => f.pad(&format!("{}s", seconds(*time))),
            Value::Text(text) => f.pad(text),
        }
    }
}

/// Seconds with as many digits of the fraction as there are.
fn seconds(time: Duration) -> String {
    let text = format!("{}.{:09}", time.as_secs(), time.subsec_nanos());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl From<bool> for Value {
    fn from(on: bool) -> Value {
        Value::Switch(on)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Value {
        Value::Number(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Number(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Number(number)
    }
}

/// What no option takes stays what no option takes: above `i64::MAX` it is that.
impl From<usize> for Value {
    fn from(number: usize) -> Value {
        Value::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<Duration> for Value {
    fn from(time: Duration) -> Value {
        Value::Duration(time)
    }
}

impl From<Option<Duration>> for Value {
    fn from(time: Option<Duration>) -> Value {
        Value::Linger(time)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}
