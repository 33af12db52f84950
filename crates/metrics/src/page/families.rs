//! Metrics that share a name: their description once, then a line for each set of labels.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// What a metric is about.
pub(super) type Labels = Vec<(&'static str, String)>;

/// What a family is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    /// Without the prefix and the unit.
    pub(super) name: &'static str,
    /// In a sentence, without its full stop: the form adds none either.
    pub(super) help: &'static str,
    pub(super) unit: Option<&'static Unit>,
}

/// Counts by size.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    /// All values together.
    pub(super) sum: f64,
    /// The classes' upper bounds and how many fell into each; the last bound is infinite.
    pub(super) buckets: Vec<(f64, u64)>,
}

/// Writes families.
pub(super) struct Families<'a>(DescriptorEncoder<'a>);

impl<'a> Families<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    /// Values that go up and down.
    pub(super) fn gauges(&mut self, family: Family, metrics: impl IntoIterator<Item = (Labels, f64)>) -> fmt::Result {
        self.family(family, MetricType::Gauge, metrics, |mut encoder, value| encoder.encode_gauge(&value))
    }

    /// Values that only grow.
    pub(super) fn counters(&mut self, family: Family, metrics: impl IntoIterator<Item = (Labels, f64)>) -> fmt::Result {
        self.family(family, MetricType::Counter, metrics, |mut encoder, value| {
            encoder.encode_counter::<NoLabelSet, _, f64>(&value, None)
        })
    }

    /// Values by their size.
    pub(super) fn histograms(
        &mut self,
        family: Family,
        metrics: impl IntoIterator<Item = (Labels, Histogram)>,
    ) -> fmt::Result {
        self.family(family, MetricType::Histogram, metrics, |mut encoder, Histogram { sum, buckets }| {
            let count = buckets.iter().map(|(_, count)| count).sum();
            encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        })
    }

    fn family<V>(
        &mut self,
        Family { name, help, unit }: Family,
        kind: MetricType,
        metrics: impl IntoIterator<Item = (Labels, V)>,
        write: impl Fn(MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, unit, kind)?;
        for (labels, value) in metrics {
            write(encoder.encode_family(&labels)?, value)?;
        }
        Ok(())
    }
}

/// A count or a size as a metric's value.
#[expect(clippy::cast_precision_loss, reason = "Prometheus' values are floats: above 2^53 they are rounded")]
pub(super) fn value(count: u64) -> f64 {
    count as f64
}
