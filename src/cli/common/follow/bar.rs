//! The progress of a command that follows a run.

use super::RunWatch;
use crate::cli::common::{
    output::OutputFormat,
    progress::{WorkProgress, grouped},
};

/// Progress for a person who watches.
pub struct FollowBar(WorkProgress);

impl FollowBar {
    /// Of what `watch` waits for.
    pub fn new(output: OutputFormat, watch: &RunWatch) -> Self {
        let bar = Self(WorkProgress::told(output, "waiting for the run to begin"));
        bar.show(watch);
        bar
    }

    /// Whether anybody sees it.
    pub fn is_shown(&self) -> bool {
        self.0.is_shown()
    }

    /// How far it is: the changes of a run, with what it says of itself beside them.
    pub fn show(&self, watch: &RunWatch) {
        let Self(bar) = self;
        if let Some((done, of)) = watch.work()
            && of > 0
        {
            bar.becomes(watch.work_label(), "", of);
            bar.reach(done);
        }
        match (watch.progress(), watch.run_total()) {
            (Some(progress), _) => bar.tell(progress.label()),
            (None, Some(total)) => bar.tell(format!(
                "{} of {} looked at again",
                grouped(watch.seen()),
                grouped(total)
            )),
            (None, None) => {}
        }
    }
}
