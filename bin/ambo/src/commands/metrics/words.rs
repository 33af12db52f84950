//! Measurements for people.

use super::rates::RequestRates;

/// Letters of 1024, 1024² … bytes, as `limits` has them.
const UNITS: [&str; 5] = ["", "K", "M", "G", "T"];

/// As in `64M`.
pub(super) fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 10.0);
    format!("{value:.digits$}{}", UNITS[unit])
}

/// As in `12K/s`.
pub(super) fn per_second(rate: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is never negative")]
    let rate = rate as u64;
    format!("{}/s", bytes(rate))
}

/// What became of the requests.
pub(super) fn requests_pairs(requests: &RequestRates) -> Vec<(&'static str, String)> {
    let mut pairs = vec![("Requests", format!("{:.1}/s", requests.rate))];
    if requests.count == 0 {
        return pairs;
    }
    let counted = |counts: &std::collections::BTreeMap<String, u64>| {
        counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    };
    pairs.push(("Statuses", counted(&requests.statuses)));
    if !requests.errors.is_empty() {
        pairs.push(("Errors", counted(&requests.errors)));
    }
    let of = |share: f64| requests.duration_of(share).map_or_else(|| "more than 30 s".to_owned(), within);
    pairs.push(("Durations", format!("half {}, 95 % {}, 99 % {}", of(0.5), of(0.95), of(0.99))));
    pairs
}

fn within(seconds: f64) -> String {
    if seconds < 1.0 { format!("within {:.0} ms", seconds * 1000.0) } else { format!("within {seconds} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_letters_of_limits() {
        assert_eq!([0, 1023, 1024, 65 << 20, 3 << 29].map(bytes), ["0", "1023", "1.0K", "65M", "1.5G"]);
        assert_eq!(per_second(2048.7), "2.0K/s");
    }

    #[test]
    fn requests_are_told_in_words() {
        let quiet = requests_pairs(&RequestRates::default());
        assert_eq!(quiet, [("Requests", "0.0/s".to_owned())]);
        let busy = RequestRates {
            count: 10,
            rate: 5.0,
            statuses: [("2xx".to_owned(), 9), ("5xx".to_owned(), 1)].into(),
            errors: [("H12".to_owned(), 1)].into(),
            durations: vec![(Some(0.005), 9), (Some(2.5), 0), (None, 1)],
        };
        let told: Vec<String> =
            requests_pairs(&busy).into_iter().map(|(name, text)| format!("{name}: {text}")).collect();
        assert_eq!(
            told,
            [
                "Requests: 5.0/s",
                "Statuses: 2xx 9, 5xx 1",
                "Errors: H12 1",
                "Durations: half within 5 ms, 95 % more than 30 s, 99 % more than 30 s",
            ]
        );
    }
}
