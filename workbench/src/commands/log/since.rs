//! A time as it is typed: a day, a day and a time, or a span before now.

use chrono::{Local, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use crate::owner::fault::Fault;

/// In milliseconds since 1970.
pub fn parse(text: &str) -> Result<i64, Fault> {
    let now = Local::now();
    let span = || Some((now - span(text)?).timestamp_millis());
    let day = || {
        let naive = moment(text)?;
        // An hour that a change of clocks leaves out begins with the next one.
        let hour_later = naive + TimeDelta::hours(1);
        let local = naive.and_local_timezone(Local).earliest();
        Some(local.or_else(|| hour_later.and_local_timezone(Local).earliest())?.timestamp_millis())
    };
    span().or_else(day).ok_or_else(|| {
        Fault(format!(
            "\"{text}\" is no time; write a day such as {}, a day with a time such as \"{}\", or a span such as 30m, 2h or 7d",
            now.format("%Y-%m-%d"),
            now.format("%Y-%m-%d %H:%M")
        ))
    })
}

fn span(text: &str) -> Option<TimeDelta> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    // A hundred years are enough.
    let number = number.parse::<u32>().ok().filter(|number| u64::from(*number) * seconds < 3_200_000_000)?;
    TimeDelta::try_seconds(i64::from(number) * seconds as i64)
}

fn moment(text: &str) -> Option<NaiveDateTime> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some(day.and_time(NaiveTime::MIN));
    }
    let forms = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    forms.into_iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_they_are_typed() {
        let now = Local::now().timestamp_millis();
        for (text, seconds) in [("45s", 45), ("30m", 1800), ("2h", 7200), ("7d", 604_800), ("1w", 604_800)] {
            let ago = (now - parse(text).expect(text)) / 1000;
            assert!((seconds - 5..=seconds).contains(&ago), "{text}: {ago}");
        }
        for (text, same) in [("2026-11-24", "2026-11-24 00:00"), ("2026-11-24T07:12", "2026-11-24 07:12:00")] {
            assert_eq!(parse(text), parse(same));
        }
        for text in ["", "x", "7", "d", "-1d", "7y", "99999999d", "2026-13-01", "2026-11-24 7", "7\u{e4}"] {
            let Err(Fault(why)) = parse(text) else { panic!("{text}") };
            assert!(why.starts_with(&format!("\"{text}\" is no time; write a day such as 20")), "{why}");
        }
    }
}
