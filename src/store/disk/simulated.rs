//! A disk in memory for tests, that loses power, room and sectors: only what was synced is sure.
//!
//! The model, on purpose no kinder than any file system: at a power cut each 512-byte sector of a
//! file holds any of the contents it had since its last sync, one of them torn in its middle; a
//! length that was not synced is any between the old and the new one; each name that was made,
//! moved or removed without a sync of its directory is so or not, one by one. A sync that fails
//! leaves its sectors as they are, and no later sync helps them (as Linux does it). Every operation
//! that changes something has a number, so that the power can fail at each. Nothing here may lose
//! what was synced, or keep what never was written.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::kept::{Dir, Inode, Named, Node};

mod kept;

/// Small, seeded, and good enough to choose with (SplitMix64).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..sides`; 0 if there are none.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.next() % sides.max(1)
    }

    /// True once in `sides`.
    pub fn once_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

/// The disk. Its files stay when their handles are gone.
pub struct Simulated(Mutex<State>);

struct State {
    dice: Dice,
    /// Starts of the machine.
    boot: u64,
    /// Starts of the process; handles of an earlier one are dead.
    process: u64,
    off: bool,
    operations: u64,
    cut_at: Option<u64>,
    fail_at: Option<u64>,
    allocations: u64,
    full_from: Option<u64>,
    capacity: u64,
    dirs: BTreeMap<PathBuf, Dir>,
    files: BTreeMap<u64, Inode>,
    locked: BTreeSet<u64>,
}

/// An open file on it.
pub struct SimulatedFile {
    disk: Arc<Simulated>,
    inode: u64,
    process: u64,
    locked: Mutex<bool>,
}

/// What one counted operation comes to.
enum Step {
    Done,
    /// Everything stops in the middle of it.
    Cut,
    /// It fails, and the machine goes on.
    Failed,
}

impl Simulated {
    /// With one empty directory.
    pub fn new(seed: u64, root: &Path) -> Arc<Self> {
        let dirs = BTreeMap::from([(root.to_owned(), Dir::default())]);
        Arc::new(Self(Mutex::new(State {
            dice: Dice::new(seed),
            boot: 1,
            process: 1,
            off: false,
            operations: 0,
            cut_at: None,
            fail_at: None,
            allocations: 0,
            full_from: None,
            capacity: u64::MAX,
            dirs,
            files: BTreeMap::new(),
            locked: BTreeSet::new(),
        })))
    }

    /// How many operations have changed something so far, or tried.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Everything stops in the middle of the operation with this number (the first is 1), and
    /// nothing works until [`Simulated::power_on`] or [`Simulated::start_process`].
    pub fn stop_at(&self, operation: u64) {
        self.state().cut_at = Some(operation);
    }

    pub fn is_off(&self) -> bool {
        self.state().off
    }

    /// The write or sync with this number fails once.
    pub fn fail_at(&self, operation: u64) {
        self.state().fail_at = Some(operation);
    }

    /// Whether the failure that was asked for has happened.
    pub fn has_failed(&self) -> bool {
        let state = self.state();
        state.fail_at.is_some_and(|at| at <= state.operations)
    }

    /// From the allocation with this number on (a new file, or a longer one) there is no room, although the system says that
    /// there is: as a quota does it. `None`: there is room again.
    pub fn full_from(&self, allocation: Option<u64>) {
        self.state().full_from = allocation;
    }

    /// What fits on the disk, in bytes.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// What lies on the disk, in bytes.
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// Nothing fails any more, unless it did already.
    pub fn be_good(&self) {
        let mut state = self.state();
        state.cut_at = None;
        let operations = state.operations;
        state.fail_at = state.fail_at.filter(|at| *at <= operations);
    }

    /// The process was killed and starts again: the machine still has what was not synced.
    pub fn start_process(&self) {
        self.state().start_process();
    }

    /// Cuts the power, if it is still on, and starts the machine with what the disk kept.
    pub fn power_on(&self) {
        let mut state = self.state();
        let State {
            dice, dirs, files, ..
        } = &mut *state;
        for dir in dirs.values_mut() {
            dir.cut(dice);
        }
        for file in files.values_mut() {
            file.cut(dice);
        }
        state.forget_lost();
        state.boot += 1;
        state.start_process();
    }

    pub(super) fn make_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check_on(None)?;
        let step = state.step();
        let (parent, name) = split(dir)?;
        let above = state.dirs.get_mut(&parent).ok_or_else(not_found)?;
        if !above.now.contains_key(&name) {
            above.apply(Named::Made(name, Node::Dir));
            state.dirs.insert(dir.to_owned(), Dir::default());
        }
        step.result()
    }

    pub(super) fn is_dir(&self, path: &Path) -> bool {
        self.state().dirs.contains_key(path)
    }

    pub(super) fn open(self: &Arc<Self>, path: &Path) -> io::Result<SimulatedFile> {
        let state = self.state();
        state.check_on(None)?;
        let inode = state.find(path)?;
        Ok(self.handle(inode, state.process))
    }

    pub(super) fn create(
        self: &Arc<Self>,
        path: &Path,
        truncate: bool,
    ) -> io::Result<SimulatedFile> {
        let mut state = self.state();
        state.check_on(None)?;
        let process = state.process;
        match state.find(path) {
            Ok(inode) if truncate => {
                let step = state.step();
                state.file(inode)?.set_length(0);
                step.result()?;
                Ok(self.handle(inode, process))
            }
            Ok(inode) => Ok(self.handle(inode, process)),
            Err(_) => {
                let step = state.step();
                state.allocate(0)?;
                let (parent, name) = split(path)?;
                let inode = state.files.keys().next_back().map_or(1, |last| last + 1);
                let dir = state.dirs.get_mut(&parent).ok_or_else(not_found)?;
                dir.apply(Named::Made(name, Node::File(inode)));
                state.files.insert(inode, Inode::default());
                step.result()?;
                Ok(self.handle(inode, process))
            }
        }
    }

    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        state.check_on(None)?;
        let inode = state.find(path)?;
        let file = state.file(inode)?;
        Ok(file.now[..file.length].to_vec())
    }

    pub(super) fn length(&self, path: &Path) -> io::Result<u64> {
        let mut state = self.state();
        state.check_on(None)?;
        let inode = state.find(path)?;
        Ok(state.file(inode)?.length as u64)
    }

    pub(super) fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.check_on(None)?;
        let dir = state.dirs.get(dir).ok_or_else(not_found)?;
        Ok(dir.now.keys().cloned().collect())
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check_on(None)?;
        let node = Node::File(state.find(from)?);
        let step = state.step();
        let ((parent, from), (other, to)) = (split(from)?, split(to)?);
        assert_eq!(parent, other, "a file moves within its directory");
        let dir = state.dirs.get_mut(&parent).ok_or_else(not_found)?;
        dir.apply(Named::Moved(from, to, node));
        step.result()
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check_on(None)?;
        state.find(path)?;
        let step = state.step();
        let (parent, name) = split(path)?;
        let dir = state.dirs.get_mut(&parent).ok_or_else(not_found)?;
        dir.apply(Named::Removed(name));
        step.result()
    }

    pub(super) fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check_on(None)?;
        match state.step() {
            Step::Done => {}
            stopped @ (Step::Cut | Step::Failed) => return stopped.result(),
        }
        // Above the directory that the test began with everything is durable.
        if let Some(dir) = state.dirs.get_mut(dir) {
            dir.durable = dir.now.clone();
            dir.unsynced.clear();
        }
        Ok(())
    }

    pub(super) fn free_bytes(&self) -> io::Result<u64> {
        let state = self.state();
        state.check_on(None)?;
        Ok(state.capacity.saturating_sub(state.used_bytes()))
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        let state = self.state();
        state.dirs.contains_key(path) || state.find(path).is_ok()
    }

    pub(super) fn boot_id(&self) -> String {
        format!("simulated-{}", self.state().boot)
    }

    fn handle(self: &Arc<Self>, inode: u64, process: u64) -> SimulatedFile {
        SimulatedFile {
            disk: Arc::clone(self),
            inode,
            process,
            locked: Mutex::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimulatedFile {
    pub(super) fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.check_on(Some(self.process))?;
        let file = state.file(self.inode)?;
        let (from, to) = (offset as usize, offset as usize + bytes.len());
        if to > file.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.copy_from_slice(&file.now[from..to]);
        Ok(())
    }

    pub(super) fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.check_on(Some(self.process))?;
        let step = state.step();
        let (from, to) = (offset as usize, offset as usize + bytes.len());
        let length = state.file(self.inode)?.length;
        let mut fits = bytes.len();
        let mut room = Ok(());
        if to > length {
            room = state.allocate((to - length) as u64);
        }
        if room.is_err() || matches!(step, Step::Failed) {
            // As much as there was room for may have been written before it was noticed.
            fits = match state.dice.roll(3) {
                0 => 0,
                1 => fits.min(length.saturating_sub(from)),
                _ => state.dice.roll(fits as u64 + 1) as usize,
            };
        }
        state.file(self.inode)?.write(&bytes[..fits], from);
        room.and(step.result())
    }

    pub(super) fn sync(&self, with_length: bool) -> io::Result<()> {
        let mut state = self.disk.state();
        state.check_on(Some(self.process))?;
        let step = state.step();
        let file = state.file(self.inode)?;
        match step {
            Step::Done => file.sync(with_length),
            Step::Cut => {}
            Step::Failed => {
                let versions = file.unsynced.values_mut();
                versions.for_each(|versions| versions.given_up = true);
            }
        }
        step.result()
    }

    pub(super) fn length(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.check_on(Some(self.process))?;
        Ok(state.file(self.inode)?.length as u64)
    }

    pub(super) fn try_lock(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.check_on(Some(self.process))?;
        if !state.locked.insert(self.inode) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        *self.locked.lock().unwrap() = true;
        Ok(())
    }
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if *self.locked.lock().unwrap() && state.process == self.process {
            state.locked.remove(&self.inode);
        }
    }
}

impl State {
    fn start_process(&mut self) {
        self.process += 1;
        self.off = false;
        self.cut_at = None;
        self.fail_at = None;
        self.locked.clear();
    }

    fn check_on(&self, handle: Option<u64>) -> io::Result<()> {
        match self.off || handle.is_some_and(|process| process != self.process) {
            true => Err(io::Error::other("the machine is off")),
            false => Ok(()),
        }
    }

    fn step(&mut self) -> Step {
        self.operations += 1;
        if self.cut_at.is_some_and(|at| self.operations >= at) {
            self.off = true;
            Step::Cut
        } else if self.fail_at == Some(self.operations) {
            Step::Failed
        } else {
            Step::Done
        }
    }

    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        self.allocations += 1;
        let denied = self.full_from.is_some_and(|from| self.allocations >= from);
        match denied || self.used_bytes() + bytes > self.capacity {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    fn used_bytes(&self) -> u64 {
        let named: BTreeSet<u64> = self
            .dirs
            .values()
            .flat_map(|dir| dir.now.values())
            .filter_map(|node| match node {
                Node::File(inode) => Some(*inode),
                Node::Dir => None,
            })
            .collect();
        let lengths = named.iter().filter_map(|inode| self.files.get(inode));
        lengths.map(|file| file.length as u64).sum()
    }

    fn find(&self, path: &Path) -> io::Result<u64> {
        let (parent, name) = split(path)?;
        let dir = self.dirs.get(&parent).ok_or_else(not_found)?;
        match dir.now.get(&name) {
            Some(Node::File(inode)) => Ok(*inode),
            Some(Node::Dir) | None => Err(not_found()),
        }
    }

    fn file(&mut self, inode: u64) -> io::Result<&mut Inode> {
        self.files.get_mut(&inode).ok_or_else(not_found)
    }

    /// Directories whose name was lost are gone with all that is in them.
    fn forget_lost(&mut self) {
        let lost: Vec<PathBuf> = self
            .dirs
            .keys()
            .filter(|path| {
                let mut above = path.ancestors().zip(path.ancestors().skip(1));
                above.any(|(child, parent)| {
                    let name = child.file_name().and_then(|name| name.to_str());
                    let (Some(dir), Some(name)) = (self.dirs.get(parent), name) else {
                        return false;
                    };
                    dir.now.get(name) != Some(&Node::Dir)
                })
            })
            .cloned()
            .collect();
        lost.iter().for_each(|path| drop(self.dirs.remove(path)));
    }
}

impl Step {
    fn result(&self) -> io::Result<()> {
        match self {
            Self::Done => Ok(()),
            Self::Cut => Err(io::Error::other(
                "the power failed, or the process was killed",
            )),
            Self::Failed => Err(io::Error::other("the disk failed")),
        }
    }
}

fn split(path: &Path) -> io::Result<(PathBuf, String)> {
    let parent = path.parent().ok_or_else(not_found)?;
    let name = path.file_name().and_then(|name| name.to_str());
    Ok((parent.to_owned(), name.ok_or_else(not_found)?.to_owned()))
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}
