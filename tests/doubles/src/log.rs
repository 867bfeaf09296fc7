//! What is logged, kept for whoever wants to read it.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// Keeps what is logged at every level, a line for each event and for each span with its fields. Copies keep the same.
#[derive(Debug, Clone, Default)]
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    /// What the target of what is kept begins with.
    target: &'static str,
}

/// For as long as this lives, what this thread logs is kept.
#[derive(Debug)]
pub struct Listening {
    _guard: DefaultGuard,
    _beside: Dispatch,
}

impl Log {
    /// Of everybody.
    #[must_use]
    pub fn of_all() -> Self {
        Self::default()
    }

    /// Of the product alone, and not of the libraries that it uses.
    #[must_use]
    pub fn of_the_product() -> Self {
        Self {
            target: "portolan",
            ..Self::default()
        }
    }

    /// Keeps what this thread logs from now on.
    #[must_use]
    pub fn listen(&self) -> Listening {
        // With one subscriber alone, whether an event is of interest is decided by the thread that meets it first, which may be another test's.
        let beside = Dispatch::new(Self::default());
        Listening {
            _guard: tracing::subscriber::set_default(self.clone()),
            _beside: beside,
        }
    }

    /// Adds a line of the test's own.
    pub fn add(&self, line: &str) {
        self.lines().push(line.to_owned());
    }

    /// What was kept, as one text.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// Takes away what was kept.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines())
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with(self.target)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(span.metadata().name().to_owned());
        span.record(&mut line);
        self.add(&line.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line::default();
        values.record(&mut line);
        self.add(&line.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.add(&line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What stands at the head of a line, then ` name=value` for each field.
#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_while_it_listens_is_kept_a_line_each() {
        let (all, product) = (Log::of_all(), Log::of_the_product());
        tracing::info!("before");
        for log in [&all, &product] {
            let listening = log.listen();
            tracing::warn!(registry = "gl", "run closed");
            tracing::trace!(target: "elsewhere", "of a library");
            let _span = tracing::debug_span!("task", name = "well");
            drop(listening);
        }
        tracing::info!("after");
        let closed = "WARN message=run closed registry=\"gl\"";
        let task = "task name=\"well\"";
        assert_eq!(all.take(), [closed, "TRACE message=of a library", task]);
        assert_eq!(product.text(), [closed, task].join("\n"));
        assert!(all.text().is_empty(), "it was taken away");
    }
}
