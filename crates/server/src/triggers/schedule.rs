//! When a timer is due. Pure arithmetic, but for the rules of time zones, which are compiled in.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};

/// Shortest and longest interval, in seconds.
const INTERVAL_S_MIN: i64 = 1;
const INTERVAL_S_MAX: i64 = 366 * 86_400;
/// Bytes of a cron expression.
const CRON_BYTES_MAX: usize = 200;
/// The zone of a cron expression that names none, and of intervals.
const UTC: &str = "UTC";

/// How a timer is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    Every {
        seconds: i64,
    },
    /// Five fields by the clocks of a time zone (IANA).
    Cron {
        text: String,
        timezone: String,
    },
}

impl Schedule {
    /// Reads what callers write: `{intervalSeconds}`, or `{cron, timezone}`, and never both. The
    /// error is a sentence about it.
    pub fn parse(value: &Value) -> Result<Self, String> {
        let set = |name: &str| value.get(name).filter(|it| !it.is_null());
        if let Some(text) = set("cron") {
            if set("intervalSeconds").is_some() {
                return Err("A timer has `intervalSeconds` or `cron`, and not both.".to_owned());
            }
            return Self::parse_cron(text, set("timezone"));
        }
        let seconds = &value["intervalSeconds"];
        let whole = seconds.as_i64().or_else(|| seconds.as_str().and_then(|it| it.parse().ok()));
        match whole {
            Some(seconds) if (INTERVAL_S_MIN..=INTERVAL_S_MAX).contains(&seconds) => {
                Ok(Self::Every { seconds })
            }
            Some(_) => Err(format!(
                "`intervalSeconds` is a whole number from {INTERVAL_S_MIN} to {INTERVAL_S_MAX}."
            )),
            None => Err("A timer is {\"intervalSeconds\": 900}, or {\"cron\": \"0 9 * * 1-5\", \
                         \"timezone\": \"Europe/Berlin\"}."
                .to_owned()),
        }
    }

    fn parse_cron(text: &Value, zone: Option<&Value>) -> Result<Self, String> {
        let wrong = "`cron` is an expression of five fields, such as `0 9 * * 1-5`.";
        let text = text.as_str().map(str::trim).filter(|it| it.len() <= CRON_BYTES_MAX);
        let text = text.ok_or(wrong)?;
        let zone = match zone {
            None => UTC,
            Some(zone) => zone.as_str().ok_or("`timezone` is the name of a time zone.")?,
        };
        let made = Self::Cron { text: text.to_owned(), timezone: zone.to_owned() };
        if time_zone(zone).is_none() {
            return Err("`timezone` is none of the IANA database, such as `Europe/Berlin`.".into());
        }
        if pattern(text).is_none() {
            return Err(wrong.to_owned());
        }
        match made.after(0) {
            Some(_) => Ok(made),
            None => Err("`cron` names a time that never comes.".to_owned()),
        }
    }

    /// From its columns.
    pub fn stored(interval_s: Option<i64>, cron: Option<String>, timezone: String) -> Option<Self> {
        match (interval_s, cron) {
            (Some(seconds), _) => Some(Self::Every { seconds }),
            (None, Some(text)) => Some(Self::Cron { text, timezone }),
            (None, None) => None,
        }
    }

    pub fn interval_s(&self) -> Option<i64> {
        match self {
            Self::Every { seconds } => Some(*seconds),
            Self::Cron { .. } => None,
        }
    }

    pub fn cron(&self) -> Option<&str> {
        match self {
            Self::Every { .. } => None,
            Self::Cron { text, .. } => Some(text),
        }
    }

    pub fn timezone(&self) -> &str {
        match self {
            Self::Every { .. } => UTC,
            Self::Cron { timezone, .. } => timezone,
        }
    }

    /// As callers write it.
    pub fn shown(&self) -> Value {
        match self {
            Self::Every { seconds } => json!({ "intervalSeconds": seconds }),
            Self::Cron { text, timezone } => json!({ "cron": text, "timezone": timezone }),
        }
    }

    /// The first time later than `at_ms`, if it was set then. `None`: never.
    pub fn after(&self, at_ms: i64) -> Option<i64> {
        match self {
            Self::Every { seconds } => at_ms.checked_add(seconds * 1_000),
            Self::Cron { text, timezone } => {
                let next = pattern(text)?.find_next_occurrence(&zoned(at_ms, timezone)?, false);
                Some(next.ok()?.timestamp().as_millisecond())
            }
        }
    }

    /// The next time, after one that was due at `due_ms` and is worked off at `now_ms`. However
    /// many were missed meanwhile, they were one.
    pub fn next(&self, due_ms: i64, now_ms: i64) -> Option<i64> {
        match self {
            Self::Every { seconds } => {
                let missed = (now_ms - due_ms).max(0) / (seconds * 1_000);
                due_ms.checked_add((missed + 1) * seconds * 1_000)
            }
            Self::Cron { .. } => self.after(now_ms.max(due_ms)),
        }
    }

    /// What a source is given when it is due.
    pub fn event(&self, at_ms: i64) -> Value {
        let timestamp = at_ms.div_euclid(1_000);
        match self {
            Self::Every { seconds } => {
                json!({ "timestamp": timestamp, "interval_seconds": seconds })
            }
            Self::Cron { text, timezone } => {
                json!({ "timestamp": timestamp, "cron": text, "timezone": timezone })
            }
        }
    }

    /// What a timer without code emits: the same, and what the clocks show.
    pub fn clock_event(&self, at_ms: i64) -> Value {
        let mut event = self.event(at_ms);
        event["timezone_configured"] = clocks(at_ms, self.timezone());
        event["timezone_utc"] = clocks(at_ms, UTC);
        event
    }
}

/// What the clocks of a zone show.
fn clocks(at_ms: i64, zone: &str) -> Value {
    let Some(at) = zoned(at_ms, zone) else { return Value::Null };
    json!({
        "timezone": zone,
        "iso8601": {
            "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            "date": at.strftime("%Y-%m-%d").to_string(),
            "time": at.strftime("%H:%M:%S%:z").to_string(),
        },
        "weekday": at.strftime("%A").to_string(),
    })
}

fn pattern(text: &str) -> Option<Cron> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(text).ok()
}

fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

fn zoned(at_ms: i64, zone: &str) -> Option<Zoned> {
    Some(Timestamp::from_millisecond(at_ms).ok()?.to_zoned(time_zone(zone)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    /// 2026-03-28T12:00:00Z, the day before clocks in Berlin go forward.
    const NOON: i64 = 1_774_699_200_000;

    #[test]
    fn missed_times_are_one() {
        let every = Schedule::Every { seconds: 60 };
        assert_eq!(every.next(60_000, 60_000), Some(120_000));
        assert_eq!(every.next(60_000, 119_999), Some(120_000));
        assert_eq!(every.next(60_000, 600_001), Some(660_000), "and on the same beat");
        let cron = Schedule::parse(&json!({ "cron": "0 * * * *" })).unwrap();
        assert_eq!(cron.next(NOON, NOON + 10 * HOUR_MS + 1), Some(NOON + 11 * HOUR_MS));
    }

    #[test]
    fn a_cron_expression_goes_by_the_clocks_of_its_zone() {
        let value = json!({ "cron": "0 9 * * *", "timezone": "Europe/Berlin" });
        let daily = Schedule::parse(&value).unwrap();
        assert_eq!(daily.shown(), value);
        let first = daily.after(NOON - 12 * HOUR_MS).unwrap();
        assert_eq!(first, NOON - 4 * HOUR_MS, "09:00 in winter is 08:00 UTC");
        let second = daily.after(first).unwrap();
        assert_eq!(second - first, 23 * HOUR_MS, "that night has an hour less");
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_a_sentence() {
        for value in [
            json!(null),
            json!({}),
            json!({ "intervalSeconds": 0 }),
            json!({ "intervalSeconds": 1e12 }),
            json!({ "cron": "* * * *" }),
            json!({ "cron": "61 * * * *" }),
            json!({ "cron": "0 0 30 2 *" }),
            json!({ "cron": "0 0 * * *", "timezone": "Mars/Olympus" }),
            json!({ "cron": "x".repeat(1_000) }),
            json!({ "cron": 7 }),
            json!({ "intervalSeconds": 900, "cron": "0 9 * * *" }),
        ] {
            assert!(Schedule::parse(&value).unwrap_err().ends_with('.'), "{value}");
        }
        let both = json!({ "intervalSeconds": 900, "cron": null });
        assert_eq!(Schedule::parse(&both).unwrap(), Schedule::Every { seconds: 900 });
        let text = json!({ "intervalSeconds": "900" });
        assert_eq!(Schedule::parse(&text).unwrap(), Schedule::Every { seconds: 900 });
    }
}
