//! What the gateway says about itself, on stderr: one line an event, as text or JSON.
//!
//! No line holds anything about a person: our own events name codes and counts only, and what the
//! libraries below us have to say is limited to warnings, because at finer levels they print
//! headers and frames. No setting changes that.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::edge::server::quiet_panics;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// How much of our own events is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

impl LogLevel {
    const fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
        }
    }
}

/// Starts telling, and makes panics say where and nothing else. Once a process.
pub fn start(format: LogFormat, level: LogLevel) -> Result<(), TryInitError> {
    subscriber(
        format,
        level,
        std::io::stderr,
        std::io::stderr().is_terminal(),
    )
    .try_init()?;
    quiet_panics();
    Ok(())
}

fn subscriber<W>(
    format: LogFormat,
    level: LogLevel,
    writer: W,
    colours: bool,
) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let ours = level.filter();
    let targets = Targets::new()
        .with_target("firedoor", ours)
        // It tells what a browser sent.
        .with_target("webauthn_rs", LevelFilter::OFF)
        .with_default(ours.min(LevelFilter::WARN));
    let registry = tracing_subscriber::registry().with(targets);
    match format {
        LogFormat::Text => {
            let layer = fmt::layer().with_writer(writer).with_ansi(colours);
            Box::new(registry.with(layer.with_target(false)))
        }
        LogFormat::Json => Box::new(registry.with(fmt::layer().json().with_writer(writer))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn told(format: LogFormat, level: LogLevel, what: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let subscriber = subscriber(format, level, move || writer.clone(), false);
        tracing::subscriber::with_default(subscriber, what);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_panic_tells_its_place_and_no_data() {
        let _ = std::panic::take_hook();
        quiet_panics();
        for format in [LogFormat::Text, LogFormat::Json] {
            let line = told(format, LogLevel::Error, || {
                let nhs_number = "9990000018".to_owned();
                let broken = std::panic::catch_unwind(|| panic!("cannot find {nhs_number}"));
                assert!(broken.is_err());
            });
            assert!(line.contains("telemetry.rs"), "{line}");
            assert!(!line.contains("9990000018"), "{line}");
        }
    }

    #[test]
    fn libraries_are_heard_only_when_something_is_wrong() {
        let line = told(LogFormat::Json, LogLevel::Debug, || {
            tracing::debug!(target: "h2::codec", "a frame with a name in it");
            tracing::info!(target: "hyper::proto", "a header");
            tracing::warn!(target: "rustls::conn", "an alert");
            tracing::debug!(target: "firedoor::edge", "ours");
        });
        assert!(!line.contains("a frame") && !line.contains("a header"));
        assert!(line.contains("an alert") && line.contains("ours"));
    }

    #[test]
    fn json_is_one_object_a_line() {
        let lines = told(LogFormat::Json, LogLevel::Info, || {
            tracing::info!(leaves = 7, "serving");
            tracing::info!("again");
        });
        let parsed: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(parsed.len(), 2);
        assert_eq!(parsed[0]["fields"]["leaves"], 7);
    }
}
