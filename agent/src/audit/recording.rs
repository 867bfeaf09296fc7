//! Recording what the control plane causes: as far as there is room, and in sums beyond.

use std::sync::{Arc, MutexGuard, PoisonError, Weak};

use portolan_shared::process::{Clock, Uptime};

use super::caused::{Caused, Moment};
use super::counts::{HostCount, SentCount};
use super::entry::Entry;
use super::log::AuditLog;
use super::tally::{Book, Tally};
use super::withheld::Rate;

impl AuditLog {
    /// Appends a record of something that the control plane can have happen at will, as far as there is room for such: at this rate for all
    /// records of its action and `kind`, and within the one budget of all. Beyond, it is counted, and told after a minute with how many there
    /// were; the first of a kind on a day is always recorded.
    pub fn append_paced(&self, rate: Rate, kind: &str, entry: Entry) {
        self.append_caused(rate, kind, entry, false);
    }

    /// The same of something whose object, a host, is to be found in the log on each day on which there was something of it, whatever else
    /// there was.
    pub fn append_of(&self, rate: Rate, kind: &str, entry: Entry) {
        self.append_caused(rate, kind, entry, true);
    }

    fn append_caused(&self, rate: Rate, kind: &str, entry: Entry, tells_object: bool) {
        let entry = entry.bounded();
        let admitted = {
            let mut caused = self.caused();
            // Read while nobody else is admitted: nobody is for an earlier moment than whoever came before.
            let moment = self.moment();
            caused.admit((rate, kind), entry, tells_object, moment)
        };
        admitted.into_iter().for_each(|entry| self.append(entry));
    }

    /// Counts that are recorded here, as being about `object`: by the keeper while they grow, and when the last holder is gone.
    pub(super) fn tally(self: &Arc<Self>, clock: Arc<dyn Clock>, object: String) -> Arc<Tally> {
        let tally = Tally::new(Arc::clone(self) as Arc<dyn Book>, clock, object);
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.retain(|known| known.strong_count() > 0);
        tallies.push(Arc::downgrade(&tally));
        tally
    }

    /// Records what was counted, where it is time.
    pub(super) fn record_due(&self, now: Uptime) {
        let due = self.caused().due(now);
        due.into_iter().for_each(|entry| self.append(entry));
        self.open_tallies().iter().for_each(|tally| tally.record_due(now));
    }

    /// Records everything that was counted, whether or not it is time.
    pub(super) fn drain(&self) {
        self.open_tallies().iter().for_each(|tally| tally.record_now());
        let rest = self.caused().drain();
        rest.into_iter().for_each(|entry| self.append(entry));
    }

    fn open_tallies(&self) -> Vec<Arc<Tally>> {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.iter().filter_map(Weak::upgrade).collect()
    }

    fn moment(&self) -> Moment {
        Moment::of(&*self.clock)
    }

    fn caused(&self) -> MutexGuard<'_, Caused> {
        self.caused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book for AuditLog {
    fn record_hosts(&self, object: &str, hosts: &[HostCount], refusals: u64) {
        let entries = self.caused().hosts(object, hosts, refusals, self.moment());
        entries.into_iter().for_each(|entry| self.append(entry));
    }

    fn name_host(&self, object: &str, host: &HostCount) {
        let entry = self.caused().name_host(object, host, self.moment());
        entry.into_iter().for_each(|entry| self.append(entry));
    }

    fn record_sent(&self, object: &str, sent: &[SentCount]) {
        let entries = self.caused().sent(object, sent, self.moment());
        entries.into_iter().for_each(|entry| self.append(entry));
    }
}
