//! What is counted, for Prometheus. Labels are words of our own: a label that callers choose would let
//! them grow it.

use super::state::PARTS;
use oam_model::refusal::RefusalCode;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// One label with a word of ours.
type Words = Vec<(&'static str, &'static str)>;

/// Upper bounds, seconds: from a tenth of a millisecond to ten seconds.
const LATENCIES: [f64; 14] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 2.5, 10.0,
];

pub struct Metrics {
    registry: Registry,
    exchanges: Family<Words, Counter>,
    refusals: Family<Words, Counter>,
    signals: Family<Words, Counter>,
    alarms: Family<Words, Counter>,
    warnings: Family<Words, Gauge>,
    /// From the request to its answer, exchanges only.
    pub exchange_seconds: Histogram,
    /// From the hand-over of a batch to its commit.
    pub commit_seconds: Histogram,
    /// Streams that are open.
    pub feeds_open: Gauge,
    /// Connections that are open.
    pub connections_open: Gauge,
    shed: Family<Words, Counter>,
    /// Signals that matched nobody.
    pub signals_unmatched: Counter,
    /// Records of agents that were taken.
    pub agent_records: Counter,
    /// Introspections answered.
    pub introspections: Counter,
    /// Refusals that are on record as a sum only.
    pub unrecorded: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("oam_issuer");
        let r = &mut registry;
        Self {
            exchanges: added(r, "exchanges", "Exchanges by outcome", Family::default()),
            refusals: added(r, "refusals", "Refused requests by code", Family::default()),
            signals: added(r, "signals", "Signals by outcome", Family::default()),
            alarms: added(r, "alarms", "Alarms by kind", Family::default()),
            warnings: added(
                r,
                "wrong",
                "1 while this part is wrong: see /readyz",
                Family::default(),
            ),
            exchange_seconds: added(
                r,
                "exchange_seconds",
                "Time of an exchange",
                Histogram::new(LATENCIES),
            ),
            commit_seconds: added(
                r,
                "commit_seconds",
                "Time of a commit",
                Histogram::new(LATENCIES),
            ),
            feeds_open: added(r, "feeds_open", "Open feed streams", Gauge::default()),
            connections_open: added(r, "connections_open", "Open connections", Gauge::default()),
            shed: added(
                r,
                "connections_shed",
                "Connections turned away, by how",
                Family::default(),
            ),
            signals_unmatched: added(
                r,
                "signals_unmatched",
                "Signals that matched nobody",
                Counter::default(),
            ),
            agent_records: added(
                r,
                "agent_records",
                "Records of agents taken",
                Counter::default(),
            ),
            introspections: added(
                r,
                "introspections",
                "Introspections answered",
                Counter::default(),
            ),
            unrecorded: added(
                r,
                "unrecorded_refusals",
                "Refusals not put on record one by one",
                Counter::default(),
            ),
            registry,
        }
    }
}

/// A metric under its name.
fn added<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

impl Metrics {
    /// A token was issued.
    pub fn issued(&self) {
        self.exchanges
            .get_or_create(&vec![("outcome", "issued")])
            .inc();
    }

    /// An exchange was refused.
    pub fn refused_exchange(&self, code: RefusalCode) {
        self.exchanges
            .get_or_create(&vec![("outcome", "refused")])
            .inc();
        self.refused(code);
    }

    /// Any other request was refused.
    pub fn refused(&self, code: RefusalCode) {
        self.refusals
            .get_or_create(&vec![("code", code.word())])
            .inc();
    }

    /// A connection was turned away: `told` so, or `closed`.
    pub fn connection_shed(&self, how: &'static str) {
        self.shed.get_or_create(&vec![("how", how)]).inc();
    }

    /// A signal was taken, refused, or seen before; `outcome` is a word of ours.
    pub fn signal(&self, outcome: &'static str) {
        self.signals
            .get_or_create(&vec![("outcome", outcome)])
            .inc();
    }

    /// A person must look: `kind` is a word of ours.
    pub fn alarm(&self, kind: &'static str) {
        self.alarms.get_or_create(&vec![("kind", kind)]).inc();
    }

    /// What is wrong now, by part.
    pub fn warnings(&self, wrong: &[(&'static str, String)]) {
        for part in PARTS {
            let is_wrong = wrong.iter().any(|(name, _)| *name == part);
            let gauge = self.warnings.get_or_create(&vec![("part", part)]);
            gauge.set(i64::from(is_wrong));
        }
    }

    /// The text of `/metrics`; none when it can't be made.
    pub fn text(&self) -> Option<String> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)
            .ok()
            .map(|()| text)
    }
}

/// `Content-Type` of [`Metrics::text`].
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

#[cfg(test)]
mod tests {
    use super::Metrics;
    use oam_model::refusal::RefusalCode;

    #[test]
    fn what_was_counted_is_in_the_text() {
        let metrics = Metrics::default();
        metrics.issued();
        metrics.refused_exchange(RefusalCode::Denied);
        metrics.signals_unmatched.inc();
        metrics.exchange_seconds.observe(0.003);
        let text = metrics.text().unwrap();
        for line in [
            "oam_issuer_exchanges_total{outcome=\"issued\"} 1",
            "oam_issuer_exchanges_total{outcome=\"refused\"} 1",
            "oam_issuer_refusals_total{code=\"denied\"} 1",
            "oam_issuer_signals_unmatched_total 1",
            "oam_issuer_exchange_seconds_bucket{le=\"0.005\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
