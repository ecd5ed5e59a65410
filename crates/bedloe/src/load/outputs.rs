//! Where samples go while a test runs: `--out json=FILE`, `--out csv=FILE`, `--out prometheus=ADDRESS`, several of them
//! side by side, or those that `K6_OUT` names.
//!
//! Files are written by a thread of their own, which the injector never waits for. What that thread cannot keep up with
//! is left out, counted, and said at the end.

mod csv;
mod json;
mod number;
mod prometheus;
mod time;

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use load::Plan;
use load::metric::{Catalog, Definition, Definitions, METADATA, Point, PointSink, SystemTag, SystemTags, id};

use prometheus::Exporter;
use time::Clock;

/// Pieces of up to 4,096 samples that wait to be written: some 60 MB, which is more than a disk's hiccup needs.
const MOST_PIECES: usize = 256;
/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 1 << 18;

/// One output as the user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// JSON, an object a line; `None` is the standard output.
    Json(Option<String>),
    /// CSV; `None` is the standard output.
    Csv(Option<String>),
    /// An address that answers Prometheus.
    Prometheus(String),
}

/// An output that is none: the exit code is that of a bad flag.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct BadOutput(String);

impl Wanted {
    /// `json=FILE`, `csv=FILE`, `prometheus=ADDRESS`.
    pub(super) fn parse(text: &str) -> Result<Self, BadOutput> {
        let (kind, rest) = text.split_once('=').unwrap_or((text, ""));
        match kind {
            "json" => Ok(Self::Json(path(rest))),
            // k6 takes `csv` alone as `csv=file.csv`.
            "csv" if rest.is_empty() => Ok(Self::Csv(Some("file.csv".to_owned()))),
            "csv" => Ok(Self::Csv(path(rest))),
            "prometheus" if rest.is_empty() => {
                Err(BadOutput("--out prometheus wants an address: prometheus=127.0.0.1:9090".to_owned()))
            }
            "prometheus" => Ok(Self::Prometheus(rest.to_owned())),
            _ => Err(BadOutput(format!("invalid output type '{kind}', available types are: csv, json, prometheus"))),
        }
    }

    /// As the head of the test names it.
    pub(super) fn describe(&self) -> String {
        let file = |path: &Option<String>| path.clone().unwrap_or_else(|| "stdout".to_owned());
        match self {
            Self::Json(path) => format!("json ({})", file(path)),
            Self::Csv(path) => format!("csv ({})", file(path)),
            Self::Prometheus(address) => format!("prometheus ({address})"),
        }
    }
}

fn path(text: &str) -> Option<String> {
    (!text.is_empty() && text != "-").then(|| text.to_owned())
}

/// What writes samples of one kind of file.
trait Format: Send {
    /// What stands before all samples.
    fn begin(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// One sample.
    fn point(&mut self, out: &mut dyn Write, point: &Point, definition: &Definition) -> io::Result<()>;
}

/// The tags of a sample, by name.
fn tags(point: &Point) -> impl Iterator<Item = (&str, &str)> {
    let pairs = point.tags.iter().filter(|(name, _)| !name.starts_with(METADATA));
    pairs.map(|(name, value)| (&**name, &**value))
}

/// What outputs say of whose sample it is, where the system tags ask for it: setup and teardown have no user, and
/// samples of the test as a whole are nobody's. Then what the script has said itself.
fn metadata(point: &Point, tags: SystemTags) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let is_somebodys = ![id::VUS, id::VUS_MAX, id::DROPPED_ITERATIONS].contains(&point.metric);
    let iter = (is_somebodys && tags.has(SystemTag::Iter)).then_some(("iter", point.who.iter));
    let vu = (is_somebodys && point.who.vu > 0 && tags.has(SystemTag::Vu)).then_some(("vu", point.who.vu));
    let own = point.tags.iter().filter_map(|(name, value)| Some((name.strip_prefix(METADATA)?, Cow::from(&**value))));
    iter.into_iter().chain(vu).map(|(name, number)| (name, Cow::from(number.to_string()))).chain(own)
}

/// A file with its format.
struct Target {
    name: String,
    format: Box<dyn Format>,
    /// `None` once writing has failed.
    out: Option<Box<dyn Out>>,
    failure: Option<io::Error>,
}

/// Something that samples are written to, and that has an end.
trait Out: Write + Send {
    fn end(self: Box<Self>) -> io::Result<()>;
}

impl Out for BufWriter<File> {
    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.flush()
    }
}

impl Out for GzEncoder<BufWriter<File>> {
    fn end(self: Box<Self>) -> io::Result<()> {
        self.finish()?.flush()
    }
}

impl Out for BufWriter<io::Stdout> {
    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.flush()
    }
}

/// The outputs of a test while it runs.
#[derive(Default)]
pub(super) struct Outputs {
    writer: Option<Writer>,
}

struct Writer {
    sender: SyncSender<Option<Vec<Point>>>,
    lost: Arc<AtomicU64>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Outputs {
    /// Opens all outputs before the test begins, and has the plan feed them.
    pub(super) fn open(wanted: &[Wanted], plan: &mut Plan) -> anyhow::Result<Self> {
        let mut targets = Vec::new();
        let mut exporters = Vec::new();
        let clock = Clock::now();
        let catalog = plan.catalog()?;
        for output in wanted {
            match output {
                Wanted::Json(path) => {
                    let format = json::Json::new(clock, &catalog, &plan.thresholds);
                    targets.push(Target::open(path.as_deref(), Box::new(format))?);
                }
                Wanted::Csv(path) => {
                    let format = csv::Csv::new(clock, plan.system_tags, &time_format()?)?;
                    targets.push(Target::open(path.as_deref(), Box::new(format))?);
                }
                Wanted::Prometheus(address) => exporters.push(Exporter::start(address)?),
            }
        }
        if !exporters.is_empty() {
            plan.watch = Some(prometheus::sink(&exporters));
        }
        if targets.is_empty() {
            return Ok(Self::default());
        }
        let writer = Writer::start(targets, &catalog)?;
        plan.points = Some(writer.sink());
        Ok(Self { writer: Some(writer) })
    }

    /// Writes what is left, after the test.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let Some(Writer { sender, lost, thread }) = self.writer else { return Ok(()) };
        // The writer has room again soon: it does nothing but write.
        let _ = sender.send(None);
        let written = thread.join().unwrap_or_else(|_| bail!("the thread that writes outputs has ended"));
        let lost = lost.load(Ordering::Relaxed);
        written?;
        anyhow::ensure!(lost == 0, "outputs are slower than the test: {lost} samples were not written");
        Ok(())
    }
}

fn time_format() -> anyhow::Result<String> {
    match std::env::var("K6_CSV_TIME_FORMAT") {
        Ok(format) => Ok(format),
        Err(std::env::VarError::NotPresent) => Ok("unix".to_owned()),
        Err(error) => Err(error).context("K6_CSV_TIME_FORMAT"),
    }
}

impl Writer {
    fn start(targets: Vec<Target>, catalog: &Catalog) -> anyhow::Result<Self> {
        let (sender, pieces) = sync_channel(MOST_PIECES);
        let definitions = Arc::clone(&catalog.definitions);
        let write = move || write(targets, &pieces, &definitions);
        let thread = std::thread::Builder::new().name("outputs".into()).spawn(write)?;
        Ok(Self { sender, lost: Arc::default(), thread })
    }

    fn sink(&self) -> PointSink {
        let (sender, lost) = (self.sender.clone(), Arc::clone(&self.lost));
        PointSink(Arc::new(move |points| {
            if let Err(TrySendError::Full(Some(points)) | TrySendError::Disconnected(Some(points))) =
                sender.try_send(Some(points))
            {
                lost.fetch_add(points.len() as u64, Ordering::Relaxed);
            }
        }))
    }
}

fn write(
    mut targets: Vec<Target>,
    pieces: &Receiver<Option<Vec<Point>>>,
    definitions: &Definitions,
) -> anyhow::Result<()> {
    let all = definitions.all();
    targets.iter_mut().for_each(Target::begin);
    while let Ok(Some(points)) = pieces.recv() {
        for point in &points {
            let Some(definition) = all.get(point.metric.index()) else { continue };
            targets.iter_mut().for_each(|target| target.point(point, definition));
        }
    }
    let ends = targets.into_iter().map(Target::end);
    ends.fold(Ok(()), anyhow::Result::and)
}

impl Target {
    fn open(path: Option<&str>, format: Box<dyn Format>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            let out: Box<dyn Out> = Box::new(BufWriter::with_capacity(BUFFER_BYTES, io::stdout()));
            return Ok(Self { name: "the standard output".to_owned(), format, out: Some(out), failure: None });
        };
        let file = File::create(path).with_context(|| BadOutput(format!("cannot write samples to {path}")))?;
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        let is_packed = std::path::Path::new(path).extension().is_some_and(|end| end == "gz");
        let out: Box<dyn Out> =
            if is_packed { Box::new(GzEncoder::new(file, Compression::fast())) } else { Box::new(file) };
        Ok(Self { name: path.to_owned(), format, out: Some(out), failure: None })
    }

    fn begin(&mut self) {
        let Some(out) = &mut self.out else { return };
        let written = self.format.begin(out);
        self.keep(written);
    }

    fn point(&mut self, point: &Point, definition: &Definition) {
        let Some(out) = &mut self.out else { return };
        let written = self.format.point(out, point, definition);
        self.keep(written);
    }

    fn keep(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.out = None;
            self.failure = Some(error);
        }
    }

    fn end(self) -> anyhow::Result<()> {
        let ended = match (self.out, self.failure) {
            (_, Some(error)) => Err(error),
            (Some(out), None) => out.end(),
            (None, None) => Ok(()),
        };
        ended.with_context(|| format!("samples could not be written to {}", self.name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn outputs_are_named() {
        for (text, wanted) in [
            ("json=a.json", Wanted::Json(Some("a.json".into()))),
            ("json", Wanted::Json(None)),
            ("json=-", Wanted::Json(None)),
            ("csv", Wanted::Csv(Some("file.csv".into()))),
            ("csv=a=b.gz", Wanted::Csv(Some("a=b.gz".into()))),
            ("prometheus=127.0.0.1:0", Wanted::Prometheus("127.0.0.1:0".into())),
        ] {
            assert_eq!(Wanted::parse(text).unwrap(), wanted, "{text}");
        }
        let error = Wanted::parse("influxdb=x").unwrap_err().to_string();
        assert!(error.contains("'influxdb', available types are: csv, json, prometheus"), "{error}");
        assert!(Wanted::parse("prometheus").is_err());
    }
}
