//! The rows of the table: what is done, in a set of how many, by whom.

use std::hint::black_box;
use std::io::{Read, Write};
use std::iter;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use selkey::backend::{Epoll, Poll, Select};
use selkey::load::pair::Spread;
use selkey::socket::raise_descriptor_limit;

use crate::support::{self, Progress};
use crate::watch::{Bare, Mio, Polling, Selkey, Watch};

type Body = Box<dyn FnMut()>;
type Variant = (&'static str, fn(&Cell) -> Option<Body>);

/// The columns; the first is the reference. A variant that cannot do what the cell asks for has no body.
const VARIANTS: [Variant; 6] = [
    ("bare", body::<Bare>),
    ("selkey epoll", body::<Selkey<Epoll>>),
    ("selkey poll", body::<Selkey<Poll>>),
    ("selkey select", body::<Selkey<Select>>),
    ("polling", body::<Polling>),
    ("mio", body::<Mio>),
];

const LEGEND: &str = "\
floor: the quartiles of bare against itself. selkey poll and select keep their sets in user space: no system call in the last rows.
n/a: select(2) takes no descriptor from FD_SETSIZE on; mio reports a readiness once, so nothing stays ready for it.
";

const LOTS: usize = 7;
const ROUNDS: usize = 5;
const SLICE: Duration = Duration::from_millis(4);

/// A connected pair, of which `watched` is registered in the sets.
pub struct Pair {
    watched: UnixStream,
    peer: UnixStream,
}

pub struct Cell {
    name: String,
    what: What,
    pairs: &'static [Pair],
}

#[derive(Clone, Copy)]
enum What {
    /// Wait while so many are ready and stay so. mio has no body here: it reports each once, and arming it again would be a second
    /// system call for every event, which nobody else makes.
    Wait(usize),
    /// Look, and find nothing ready.
    Idle,
    /// One byte is written to one pair, waited for and read: the same for level- and edge-triggered sets.
    Turn,
    /// Register one more and unregister it. poll(2) and select(2) keep their sets in user space, so there is no system call here or below.
    Register,
    /// From reading to reading and writing, or back.
    Modify,
}

impl Cell {
    /// The numbers of the pairs that are ready: as many as asked for, spread evenly.
    fn ready(&self) -> impl Iterator<Item = usize> + use<> {
        let (many, of) = (if let What::Wait(many) = self.what { many } else { 0 }, self.pairs.len());
        (0..many).map(move |at| (at * of + of / 2) / many)
    }

    /// Runs `work` while the bytes that make the pairs ready lie there.
    fn set_up<T>(&self, work: impl FnOnce() -> T) -> T {
        self.ready().for_each(|at| (&self.pairs[at].peer).write_all(b"r").unwrap());
        let result = work();
        self.ready().for_each(|at| (&self.pairs[at].watched).read_exact(&mut [0]).unwrap());
        result
    }

    fn elements(&self) -> u64 {
        if let What::Wait(many) = self.what { many as u64 } else { 1 }
    }
}

fn body<W: Watch + 'static>(cell: &Cell) -> Option<Body> {
    if !cell.pairs.iter().all(|pair| W::takes(&pair.watched)) || (W::EDGE && matches!(cell.what, What::Wait(_))) {
        return None;
    }
    let pairs = cell.pairs;
    let mut set = W::new(pairs.len());
    let names: Vec<W::Name> = iter::zip(pairs, 0..).map(|(pair, number)| set.register(&pair.watched, number)).collect();
    let middle = pairs.len() / 2;
    Some(match cell.what {
        What::Wait(many) => {
            assert_eq!(set.wait(None), many);
            Box::new(move || {
                black_box(set.wait(None));
            })
        }
        What::Idle => Box::new(move || {
            black_box(set.wait(Some(Duration::ZERO)));
        }),
        What::Turn => {
            let Pair { watched, peer } = &pairs[middle];
            let (mut watched, mut peer) = (watched, peer);
            Box::new(move || {
                peer.write_all(b"t").unwrap();
                assert_eq!(set.wait(None), 1);
                watched.read_exact(&mut [0]).unwrap();
            })
        }
        What::Register => {
            let source = &pairs[middle].watched;
            set.unregister(names[middle]);
            Box::new(move || {
                let name = set.register(source, middle);
                set.unregister(name);
            })
        }
        What::Modify => {
            let mut write = false;
            Box::new(move || {
                write = !write;
                set.modify(names[middle], write);
            })
        }
    })
}

/// Every cell whose name has the filter in it, over one lot of pairs that live as long as the process.
pub fn all() -> Vec<Cell> {
    // Two descriptors a pair, and the sets' own.
    let limit = raise_descriptor_limit().unwrap() as usize;
    let most = (limit.saturating_sub(100) / 2).min(9_000);
    let pairs: &'static [Pair] = Vec::leak((0..most).map(|_| pair()).collect());
    let mut cells = Vec::new();
    let mut cell = |what, of: usize| {
        let name = match what {
            What::Wait(many) => format!("wait, {many} of {of} ready"),
            What::Idle => format!("wait, none of {of} ready"),
            What::Turn => format!("write, wait, read in {of}"),
            What::Register => format!("register + unregister in {of}"),
            What::Modify => format!("modify in {of}"),
        };
        match pairs.get(..of) {
            Some(pairs) => cells.push(Cell { name, what, pairs }),
            None => eprintln!("left out for want of descriptors: {name}"),
        }
    };
    for many in [10, 100, 1_000, 9_000] {
        cell(What::Wait(1), many);
        if many > 10 {
            cell(What::Wait(many / 10), many);
        }
        cell(What::Wait(many), many);
    }
    for what in [What::Idle, What::Turn, What::Register, What::Modify] {
        for many in [10, 9_000] {
            cell(what, many);
        }
    }
    let filter = support::filter().unwrap_or_default();
    cells.retain(|cell| cell.name.contains(&filter));
    cells
}

/// The watched ends have the lowest descriptors, so that as many as possible fit under select(2)'s limit.
fn pair() -> Pair {
    let (watched, peer) = UnixStream::pair().unwrap();
    // SAFETY: the descriptor is new and nobody else's.
    let peer = unsafe {
        let fd = libc::fcntl(peer.as_raw_fd(), libc::F_DUPFD_CLOEXEC, libc::FD_SETSIZE as libc::c_int);
        assert!(fd >= 0);
        OwnedFd::from_raw_fd(fd)
    };
    Pair { watched, peer: peer.into() }
}

/// The table of ratios.
pub fn measure(cells: &[Cell]) -> String {
    let progress = Progress::new();
    let mut rows = vec![vec![format!("ratio to {}", VARIANTS[0].0), "floor".to_owned()]];
    rows[0].extend(VARIANTS[1..].iter().map(|(name, _)| (*name).to_owned()));
    for cell in cells {
        progress.show(&cell.name);
        // The reference once more, in a set of its own, shows what a ratio of equals looks like.
        let (columns, mut ratios) = cell.set_up(|| {
            let columns: Vec<_> =
                VARIANTS.iter().chain(&VARIANTS[..1]).filter(|(_, body)| body(cell).is_some()).collect();
            let mut ratios = vec![Vec::new(); columns.len()];
            (0..LOTS).for_each(|lot| measure_lot(cell, &columns, lot, &mut ratios));
            (columns, ratios)
        });
        let median = |ratios: Vec<f64>| Spread::of(ratios).unwrap();
        let floor = median(ratios.pop().unwrap());
        let mut row = vec![cell.name.clone(), support::range(&floor)];
        for (name, _) in &VARIANTS[1..] {
            let at = columns.iter().position(|(column, _)| column == name);
            row.push(at.map_or("n/a".to_owned(), |at| support::ratio(median(ratios[at].clone()).median)));
        }
        rows.push(row);
    }
    drop(progress);
    support::table(&rows) + LEGEND
}

/// A few rounds over sets made anew, each time in another order: where in memory the kernel puts the entries of a large set is worth
/// several per cent, and no variant shall keep the better place.
fn measure_lot(cell: &Cell, columns: &[&Variant], lot: usize, ratios: &mut [Vec<f64>]) {
    let many = columns.len();
    let mut slices: Vec<_> =
        (0..many).map(|at| (at + lot) % many).map(|at| support::timed(columns[at].1(cell).unwrap(), SLICE)).collect();
    slices.rotate_right(lot % many);
    support::paired_into(ratios, ROUNDS, &mut slices);
}

pub fn settings() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .without_plots()
}

/// The same bodies as criterion's groups.
pub fn register(cells: &[Cell], criterion: &mut Criterion) {
    for cell in cells {
        let mut group = criterion.benchmark_group(&cell.name);
        group.throughput(Throughput::Elements(cell.elements()));
        cell.set_up(|| {
            for (name, body) in VARIANTS {
                let Some(mut body) = body(cell) else { continue };
                group.bench_function(name, |bencher| bencher.iter(&mut body));
            }
        });
        group.finish();
    }
}
