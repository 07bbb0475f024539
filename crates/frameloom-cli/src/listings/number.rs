//! Numbers as C prints them.

/// The least positive normal numbers and the greatest ones of C's types, with their names there.
const NAMED: [(f64, &str); 9] = [
    (i32::MAX as f64, "INT_MAX"),
    (i32::MIN as f64, "INT_MIN"),
    (u32::MAX as f64, "UINT32_MAX"),
    (i64::MAX as f64, "I64_MAX"),
    (i64::MIN as f64, "I64_MIN"),
    (f32::MAX as f64, "FLT_MAX"),
    (f32::MIN_POSITIVE as f64, "FLT_MIN"),
    (f64::MAX, "DBL_MAX"),
    (f64::MIN_POSITIVE, "DBL_MIN"),
];

/// A bound or a default of an option: by name where it is the end of a type.
pub(super) fn number(value: f64) -> String {
    let is = |known: f64| known == value;
    if let Some((_, name)) = NAMED.iter().find(|(known, _)| is(*known)) {
        return (*name).to_owned();
    }
    // Those of floating-point types have a counterpart below 0.
    match NAMED.iter().skip(5).find(|(known, _)| is(-known)) {
        Some((_, name)) => format!("-{name}"),
        None => general(value),
    }
}

/// As [`number`], of a whole number.
pub(super) fn integer(value: i64) -> String {
    match value {
        i64::MAX => "I64_MAX".to_owned(),
        i64::MIN => "I64_MIN".to_owned(),
        _ if value == i64::from(i32::MAX) => "INT_MAX".to_owned(),
        _ if value == i64::from(i32::MIN) => "INT_MIN".to_owned(),
        _ if value == i64::from(u32::MAX) => "UINT32_MAX".to_owned(),
        _ => value.to_string(),
    }
}

/// C's `%g`: six digits that count, without zeros behind them, with an exponent where that is shorter.
fn general(value: f64) -> String {
    if !value.is_finite() {
        let sign = if value.is_sign_negative() { "-" } else { "" };
        return format!("{sign}{}", if value.is_nan() { "nan" } else { "inf" });
    }
    let scientific = format!("{value:.5e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        return trimmed(&format!("{value:.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(digits), exponent.abs())
}

/// A span in microseconds, as libav writes it: `0.04`, `1:30`, `2:00:00`.
pub(super) fn duration(micros: i64) -> String {
    match micros {
        i64::MAX => return "INT64_MAX".to_owned(),
        i64::MIN => return "INT64_MIN".to_owned(),
        _ => {}
    }
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let (seconds, part) = (micros / 1_000_000, micros % 1_000_000);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let text = if micros > 3_600_000_000 {
        format!("{hours}:{:02}:{:02}.{part:06}", minutes % 60, seconds % 60)
    } else if micros > 60_000_000 {
        format!("{minutes}:{:02}.{part:06}", seconds % 60)
    } else {
        format!("{seconds}.{part:06}")
    };
    format!("{sign}{}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_c() {
        for (value, expected) in [
            (0.0, "0"),
            (-1.0, "-1"),
            (0.5, "0.5"),
            (100_000.0, "100000"),
            (999_999.5, "1e+06"),
            (1_000_000.0, "1e+06"),
            (4_294_487_295.0, "4.29449e+09"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.0 / 3.0, "0.333333"),
            (-3.4028234663852886e38, "-FLT_MAX"),
            (1.1754943508222875e-38, "FLT_MIN"),
            (2_147_483_647.0, "INT_MAX"),
            (-2_147_483_648.0, "INT_MIN"),
            (2_147_483_648.0, "2.14748e+09"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(number(value), expected, "{value}");
        }
        assert_eq!(integer(4_294_967_295), "UINT32_MAX");
        assert_eq!(integer(4_294_487_295), "4294487295");
    }

    #[test]
    fn durations_are_those_of_libav() {
        for (micros, expected) in [
            (0, "0"),
            (-1, "-0.000001"),
            (40_000, "0.04"),
            (5_000_000, "5"),
            (90_000_000, "1:30"),
            (7_200_000_000, "2:00:00"),
            (i64::MAX, "INT64_MAX"),
        ] {
            assert_eq!(duration(micros), expected, "{micros}");
        }
    }
}
