//! The standard environment variables of OpenTelemetry, so that esoz is configured like other services.
//!
//! Each sets a key of the section `tracing`, unless the file or a variable of our own sets it. The exporter itself reads
//! `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_TRACES_HEADERS` and `OTEL_RESOURCE_ATTRIBUTES`.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};

/// Where a collector takes spans, below the endpoint that is for all signals.
const TRACES_PATH: &str = "/v1/traces";

/// The protocol by which spans are sent.
const PROTOCOL: &str = "http/protobuf";

/// A key of the section `tracing`, the variable that sets it, and the text of the value.
pub(super) type Setting = (&'static str, &'static str, Result<String>);

/// The settings of these variables. Of two for one key the later holds.
pub(super) fn settings(variables: &BTreeMap<&str, &str>) -> Vec<Setting> {
    let value = |name: &str| variables.get(name).copied().filter(|value| !value.is_empty());
    let mut settings = Vec::new();
    let mut add = |key, name, text: fn(&str) -> Result<String>| {
        settings.extend(value(name).map(|value| (key, name, text(value))));
    };
    let as_it_is = |text: &str| Ok(text.to_owned());
    if value("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        || value("OTEL_TRACES_EXPORTER") == Some("none")
    {
        return Vec::new();
    }
    add("endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", |base| {
        Ok(format!("{}{TRACES_PATH}", base.trim_end_matches('/')))
    });
    add("endpoint", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", as_it_is);
    let endpoints = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
    for name in ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] {
        let is_other = value(name).is_some_and(|protocol| protocol != PROTOCOL);
        if is_other && endpoints.iter().any(|name| value(name).is_some()) {
            add("endpoint", name, |_| {
                Err(anyhow!("must be {PROTOCOL}: esoz sends spans by no other protocol"))
            });
        }
    }
    for (key, name) in [
        ("timeout_ms", "OTEL_EXPORTER_OTLP_TIMEOUT"),
        ("timeout_ms", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"),
        ("root_certificate_file", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
        ("root_certificate_file", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"),
        ("service_name", "OTEL_SERVICE_NAME"),
    ] {
        add(key, name, as_it_is);
    }
    // Whether a trace that its caller began is kept is always the caller's to say.
    match value("OTEL_TRACES_SAMPLER") {
        Some("traceidratio" | "parentbased_traceidratio") => {
            add("sample_permille", "OTEL_TRACES_SAMPLER_ARG", permille);
        }
        Some("always_off" | "parentbased_always_off") => {
            add("sample_permille", "OTEL_TRACES_SAMPLER", |_| Ok("0".to_owned()));
        }
        None | Some("always_on" | "parentbased_always_on") => {}
        Some(_) => add("sample_permille", "OTEL_TRACES_SAMPLER", |_| {
            Err(anyhow!("must be always_on, always_off, traceidratio, or one of these after parentbased_"))
        }),
    }
    settings
}

fn permille(ratio: &str) -> Result<String> {
    let ratio = ratio.trim().parse::<f64>().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    let ratio = ratio.ok_or_else(|| anyhow!("must be a ratio from 0 to 1"))?;
    let permille = (ratio * 1_000.0).round();
    if permille == 0.0 && ratio > 0.0 {
        return Err(anyhow!("must be 0, or at least 0.001"));
    }
    Ok(permille.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variable_sets_its_key_and_the_more_specific_one_holds() {
        let set = |variables: &[(&'static str, &'static str)]| {
            let settings = settings(&variables.iter().copied().collect());
            let shown = settings.into_iter().map(|(key, name, text)| match text {
                Ok(text) => format!("{key}={text}"),
                Err(_) => format!("{name} is refused"),
            });
            shown.collect::<Vec<_>>().join(" ")
        };
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        for (variables, expected) in [
            (&[base][..], "endpoint=http://collector:4318/v1/traces"),
            (&[base, ("OTEL_SDK_DISABLED", "True")], ""),
            (&[base, ("OTEL_TRACES_EXPORTER", "none")], ""),
            (
                &[base, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:1/x")],
                "endpoint=http://collector:4318/v1/traces endpoint=http://traces:1/x",
            ),
            (
                &[("OTEL_EXPORTER_OTLP_TIMEOUT", "5"), ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "7")],
                "timeout_ms=5 timeout_ms=7",
            ),
            (&[("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem")], "root_certificate_file=/ca.pem"),
            (
                &[("OTEL_SERVICE_NAME", "registry"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
                "service_name=registry",
            ),
            (
                &[("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.25")],
                "sample_permille=250",
            ),
            (
                &[("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")],
                "OTEL_TRACES_SAMPLER_ARG is refused",
            ),
            (
                &[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.0004")],
                "OTEL_TRACES_SAMPLER_ARG is refused",
            ),
            (&[("OTEL_TRACES_SAMPLER", "jaeger_remote")], "OTEL_TRACES_SAMPLER is refused"),
            (&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], ""),
            (
                &[base, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")],
                "endpoint=http://collector:4318/v1/traces",
            ),
            (
                &[base, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
                "endpoint=http://collector:4318/v1/traces OTEL_EXPORTER_OTLP_PROTOCOL is refused",
            ),
            (&[("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_SAMPLER", "jaeger_remote")], ""),
            (&[("OTEL_TRACES_SAMPLER", "always_off")], "sample_permille=0"),
            (&[("OTEL_TRACES_SAMPLER", "always_on"), ("OTEL_TRACES_SAMPLER_ARG", "0.25")], ""),
            (&[("OTEL_TRACES_SAMPLER_ARG", "0.25")], ""),
        ] {
            assert_eq!(set(variables), expected, "{variables:?}");
        }
    }
}
