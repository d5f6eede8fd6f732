//! What each exporter says: sampling rates and directions.

use std::collections::BTreeMap;

use crate::flow::{Direction, Flow};
use crate::net::Addr;

/// Exporters told apart. Those that come later are counted together with flows that name none.
const MOST: usize = 10_000;
/// Different rates of one exporter told apart.
const RATES: usize = 8;

/// One exporter.
#[derive(Clone, Debug, Default)]
pub(super) struct Exporter {
    pub(super) flows: u64,
    /// Flows by stated rate; 0 is none.
    pub(super) rates: BTreeMap<u64, u64>,
    pub(super) ingress: u64,
    pub(super) egress: u64,
}

impl Exporter {
    /// Flows that say no rate.
    pub(super) fn without_rate(&self) -> u64 {
        self.rates.get(&0).copied().unwrap_or(0)
    }

    /// The rates that it states, with their flows.
    pub(super) fn stated(&self) -> impl Iterator<Item = (u64, u64)> {
        let stated = self.rates.iter().filter(|(rate, _)| **rate > 0);
        stated.map(|(rate, flows)| (*rate, *flows))
    }

    /// The one rate that it states, if it is one.
    pub(super) fn only_rate(&self) -> Option<u64> {
        let mut stated = self.stated();
        let first = stated.next()?;
        stated.next().is_none().then_some(first.0)
    }
}

/// All of them; `None` is for flows that name none.
#[derive(Debug, Default)]
pub(super) struct Exporters(BTreeMap<Option<Addr>, Exporter>);

impl Exporters {
    pub(super) fn flow(&mut self, flow: &Flow<'_>) {
        let is_apart = self.0.len() < MOST || self.0.contains_key(&flow.exporter);
        let exporter = self
            .0
            .entry(flow.exporter.filter(|_| is_apart))
            .or_default();
        exporter.flows += 1;
        let rates = &mut exporter.rates;
        if rates.len() < RATES || rates.contains_key(&flow.sampling_rate) {
            *rates.entry(flow.sampling_rate).or_default() += 1;
        }
        exporter.ingress += u64::from(flow.direction == Direction::Ingress);
        exporter.egress += u64::from(flow.direction == Direction::Egress);
    }

    /// Those with most flows first.
    pub(super) fn busiest(&self) -> Vec<(Option<Addr>, &Exporter)> {
        let mut all: Vec<_> = self.0.iter().map(|(addr, e)| (*addr, e)).collect();
        all.sort_by_key(|(addr, e)| (std::cmp::Reverse(e.flows), *addr));
        all
    }

    /// Flows in and out.
    pub(super) fn directions(&self) -> (u64, u64) {
        let ingress = self.0.values().map(|e| e.ingress).sum();
        let egress = self.0.values().map(|e| e.egress).sum();
        (ingress, egress)
    }
}
