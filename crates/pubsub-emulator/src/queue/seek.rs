//! What was acknowledged and is kept, and the way back to it.

use std::time::SystemTime;

use super::MessageQueue;

impl MessageQueue {
    /// Makes every message published at `to` or later one that is not acknowledged, as far as it
    /// is still kept, and every earlier one acknowledged. Leases end, and their tickets with them.
    pub(in super::super) fn seek(&mut self, to: SystemTime) {
        let mut ids: Vec<u64> = self.entries.keys().copied().collect();
        ids.extend(self.acked.keys());
        ids.sort_unstable();
        for id in ids {
            let kept = self.acked.get(&id).map(|(message, _)| message);
            let message = kept.or_else(|| self.entries.get(&id).map(|entry| &entry.message));
            match message {
                Some(message) if message.published < to => self.finish(id),
                Some(_) => self.restart(id),
                None => {}
            }
        }
    }

    /// Acknowledges a message that is not.
    pub(super) fn finish(&mut self, id: u64) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        self.give_back(&entry);
        self.counts.acked += 1;
        if let Some(retention) = self.policy.retain_acked {
            let now = entry.message.published;
            self.acked.insert(id, (entry.message, entry.generation));
            self.forget_acked_before(now.checked_sub(retention).unwrap_or(SystemTime::UNIX_EPOCH));
        }
    }

    /// Makes a message ready, wherever it stands.
    fn restart(&mut self, id: u64) {
        let (message, attempts, generation) = match self.entries.remove(&id) {
            Some(entry) => {
                self.give_back(&entry);
                (entry.message, entry.attempts, entry.generation)
            }
            None => match self.acked.remove(&id) {
                Some((message, generation)) => (message, 0, generation),
                None => return,
            },
        };
        self.put(message, attempts, generation + 1);
    }

    /// Ids rise with the time of publishing, so the oldest come first.
    fn forget_acked_before(&mut self, time: SystemTime) {
        while let Some(oldest) = self.acked.first_entry()
            && oldest.get().0.published < time
        {
            oldest.remove();
        }
    }
}
