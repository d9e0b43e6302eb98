use opentelemetry::trace::{Link, SpanKind, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

/// Samples this ratio of the traces that begin here; for a trace with a remote parent, the parent's decision counts.
pub(crate) fn sampler(ratio: f64) -> Sampler {
    Sampler::ParentBased(Box::new(RootSpans { kept: Sampler::TraceIdRatioBased(ratio) }))
}

/// Starts traces at incoming requests only, so that periodic jobs such as the relay create none.
#[derive(Debug, Clone)]
struct RootSpans {
    kept: Sampler,
}

impl ShouldSample for RootSpans {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let sampled = self.kept.should_sample(parent_context, trace_id, name, span_kind, attributes, links);
        match span_kind {
            SpanKind::Server => sampled,
            SpanKind::Client | SpanKind::Producer | SpanKind::Consumer | SpanKind::Internal => {
                SamplingResult { decision: SamplingDecision::Drop, ..sampled }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags, TraceState};

    use super::*;

    fn is_kept(ratio: f64, parent: Option<bool>, kind: &SpanKind) -> bool {
        let trace = TraceId::from(7);
        let parent = parent.map(|is_kept| {
            let flags = TraceFlags::default().with_sampled(is_kept);
            let span = SpanContext::new(trace, 7.into(), flags, true, TraceState::default());
            Context::new().with_remote_span_context(span)
        });
        let sampled = sampler(ratio).should_sample(parent.as_ref(), trace, "any", kind, &[], &[]);
        sampled.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn a_trace_begins_with_a_request_alone() {
        assert!(is_kept(1.0, None, &SpanKind::Server));
        assert!(!is_kept(1.0, None, &SpanKind::Internal));
        assert!(!is_kept(0.0, None, &SpanKind::Server));
    }

    #[test]
    fn whoever_began_a_trace_says_whether_it_is_kept() {
        for kind in [SpanKind::Server, SpanKind::Internal] {
            assert!(is_kept(0.0, Some(true), &kind));
            assert!(!is_kept(1.0, Some(false), &kind));
        }
    }
}
