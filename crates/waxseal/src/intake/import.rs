//! An import: files are read, and what is in them is written in batches.
//!
//! One thread reads and one writes, so that the disk and the processor work at the same time. A
//! batch is one transaction, so a crash leaves either all of it or nothing, and what was told as
//! imported is on the disk. Importing the same files again imports what is missing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use smtp_types::UnixTime;

use super::accept::{Arrival, Incoming, IntakeSettings, read_in};
use super::file::{self, Go, Listed, Unreadable};
use crate::store::{NewAside, NewReceived, ReceivedImport, StoreError, TakenOutcome};

/// How many mails are in a batch.
const BATCH: usize = 500;

/// How many rows are in a batch, about; the file is locked while they are written.
const BATCH_ROWS: usize = 20_000;

/// How many problems are remembered to be shown.
const MAX_SHOWN: usize = 20;

/// What an import has come to.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many mails and files were read.
    pub inputs: u64,
    /// How many reports there were of each kind and outcome.
    pub reports: BTreeMap<(&'static str, &'static str), u64>,
    /// How many mails or files were kept aside, as a whole or in part.
    pub aside: u64,
    /// Of these, how many had been there before.
    pub aside_again: u64,
    /// The first of them, with the reason.
    pub problems: Vec<String>,
    /// What could not be opened or read.
    pub unreadable: Vec<Unreadable>,
}

impl Summary {
    /// How many reports of a kind there were.
    #[must_use]
    pub fn of_kind(&self, kind: &str) -> u64 {
        self.sum(|(one, _)| one == kind)
    }

    /// How many reports had an outcome.
    #[must_use]
    pub fn of_outcome(&self, outcome: TakenOutcome) -> u64 {
        self.sum(|(_, one)| one == outcome.as_str())
    }

    fn sum(&self, filter: impl Fn((&str, &str)) -> bool) -> u64 {
        let counts = self.reports.iter().filter(|(key, _)| filter(**key));
        counts.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many octets of files were read and are on the disk.
    pub octets: u64,
    /// How many mails and files.
    pub inputs: u64,
}

/// Some mails that were read.
#[derive(Default)]
struct Batch {
    inputs: Vec<Input>,
    rows: usize,
    octets: u64,
    unreadable: Vec<Unreadable>,
}

struct Input {
    name: String,
    incoming: Incoming,
}

/// Imports all of these files. `told` hears what is on the disk.
///
/// # Errors
/// If the store cannot write. All that was told before is on the disk.
pub fn import(
    paths: &[PathBuf],
    settings: &IntakeSettings,
    now: UnixTime,
    store: &mut ReceivedImport,
    mut begun: impl FnMut(u64),
    mut told: impl FnMut(Progress),
) -> Result<Summary, StoreError> {
    let (files, unreadable) = file::list(paths);
    begun(files.iter().fold(0, |sum, file| sum.saturating_add(file.octets)));
    let mut summary = Summary { unreadable, ..Summary::default() };
    let mut progress = Progress { octets: 0, inputs: 0 };
    thread::scope(|scope| {
        let (full, batches) = sync_channel(1);
        scope.spawn(move || Reading { settings, now, full, batch: Batch::default() }.run(&files));
        write(&batches, store, &mut summary, &mut |batch_octets, inputs| {
            progress.octets = progress.octets.saturating_add(batch_octets);
            progress.inputs = inputs;
            told(progress);
        })
    })?;
    let before = UnixTime(now.0.saturating_sub(settings.retention.as_secs()));
    while store.forget(before, settings.aside_octets, 500)? {}
    Ok(summary)
}

/// Writes batches until there are no more. Dropping the receiver early ends the reading.
fn write(
    batches: &Receiver<Batch>,
    store: &mut ReceivedImport,
    summary: &mut Summary,
    told: &mut dyn FnMut(u64, u64),
) -> Result<(), StoreError> {
    while let Ok(Batch { inputs, octets, unreadable, .. }) = batches.recv() {
        let mut names = Vec::with_capacity(inputs.len());
        let mut rows: Vec<(Vec<NewReceived>, Option<NewAside>)> = Vec::with_capacity(inputs.len());
        for Input { name, incoming } in inputs {
            let Incoming { reports, aside, faults } = incoming;
            names.push((name, faults));
            rows.push((reports, aside));
        }
        let taken = store.take_in(&rows)?;
        for ((name, faults), taken) in names.into_iter().zip(taken) {
            summary.inputs += 1;
            for report in taken.reports {
                let key = (report.kind.as_str(), report.outcome.as_str());
                *summary.reports.entry(key).or_default() += 1;
            }
            if faults.is_empty() {
                continue;
            }
            summary.aside += 1;
            summary.aside_again += u64::from(taken.was_aside);
            let room = MAX_SHOWN.saturating_sub(summary.problems.len());
            let shown = faults.iter().take(room).map(|fault| format!("{name}: {fault}"));
            summary.problems.extend(shown);
        }
        summary.unreadable.extend(unreadable);
        told(octets, summary.inputs);
    }
    Ok(())
}

/// The thread that reads.
struct Reading<'s> {
    settings: &'s IntakeSettings,
    now: UnixTime,
    full: SyncSender<Batch>,
    batch: Batch,
}

impl Reading<'_> {
    fn run(mut self, files: &[Listed]) {
        for file in files {
            if self.file(file) == Go::Stop {
                return;
            }
        }
        let _ = self.hand_over();
    }

    fn file(&mut self, file: &Listed) -> Go {
        let mut go = Go::On;
        let limit = self.settings.limits.input;
        let read = file::mails(file, limit, &mut |name, octets| {
            go = self.mail(name, &octets);
            go
        });
        if let Err(error) = read {
            self.batch.unreadable.push(Unreadable { path: file.path.clone(), error });
        }
        self.batch.octets = self.batch.octets.saturating_add(file.octets);
        go
    }

    fn mail(&mut self, name: String, octets: &[u8]) -> Go {
        let incoming = read_in(octets, &Arrival::file(name.clone()), self.settings, self.now);
        let rows = incoming.reports.iter().map(|one| one.records.len() + one.failures.len());
        self.batch.rows += rows.sum::<usize>();
        self.batch.inputs.push(Input { name, incoming });
        if self.batch.inputs.len() < BATCH && self.batch.rows < BATCH_ROWS {
            return Go::On;
        }
        self.hand_over()
    }

    /// The writer is gone if it could not write.
    fn hand_over(&mut self) -> Go {
        match self.full.send(std::mem::take(&mut self.batch)) {
            Ok(()) => Go::On,
            Err(_) => Go::Stop,
        }
    }
}
