use esoz_testkit::wait::wait_for_blocking;

use super::*;

const LONG: Duration = Duration::from_mins(1);
const LINE: [u8; 1 << 10] = {
    let mut line = [b'x'; 1 << 10];
    line[line.len() - 1] = b'\n';
    line
};

/// An output that blocks, fails or takes everything.
#[derive(Clone, Default)]
struct Output(Arc<Pipe>);

#[derive(Default)]
struct Pipe {
    /// The mode, and what was written.
    state: Mutex<(Mode, Vec<u8>)>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Blocks,
    Fails,
    Writes,
}

impl Output {
    fn set(&self, mode: Mode) {
        self.0.state.lock().unwrap().0 = mode;
        self.0.changed.notify_all();
    }

    fn written(&self) -> String {
        String::from_utf8(self.0.state.lock().unwrap().1.clone()).unwrap()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let state = self.0.state.lock().unwrap();
        let mut state = self.0.changed.wait_while(state, |(mode, _)| *mode == Mode::Blocks).unwrap();
        if state.0 == Mode::Fails {
            return Err(ErrorKind::BrokenPipe.into());
        }
        // As a pipe does, it takes a part.
        let part = &bytes[..bytes.len().min(1_000)];
        state.1.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer to an output in this mode. What it reports is logged as a line.
fn writer(mode: Mode) -> (Output, LineWriter) {
    let output = Output::default();
    output.set(mode);
    let reported = Arc::new(Mutex::new(None::<LineWriter>));
    let report = {
        let reported = reported.clone();
        move |lines| {
            let mut writer = reported.lock().unwrap().clone().unwrap();
            writer.write_all(format!("{lines} dropped\n").as_bytes()).unwrap();
        }
    };
    let writer = LineWriter::start(output.clone(), report).unwrap();
    *reported.lock().unwrap() = Some(writer.clone());
    (output, writer)
}

#[test]
fn given_a_reader_who_stalls_then_nobody_waits_and_it_reads_what_was_kept_and_how_much_was_not() {
    let (output, mut writer) = writer(Mode::Blocks);
    let (lines, kept) = (3_000, CAPACITY_BYTES / LINE.len());
    for _ in 0..lines {
        writer.write_all(&LINE).unwrap();
    }
    output.set(Mode::Writes);
    // In several reports, if the writing thread asked while lines were still being dropped.
    let reported = || -> usize {
        let written = output.written();
        written.lines().filter_map(|line| line.strip_suffix(" dropped")?.parse::<usize>().ok()).sum()
    };
    wait_for_blocking("the reports", LONG, || (reported() == lines - kept).then_some(()));
    writer.write_all(b"the next line\n").unwrap();
    writer.close(LONG);
    let written = output.written();
    assert_eq!(written.lines().filter(|line| line.starts_with("xx")).count(), kept);
    assert!(written.ends_with(" dropped\nthe next line\n"));
    assert!(dropped_lines() >= u64::try_from(lines - kept).unwrap());
}

#[test]
fn given_a_reader_who_is_gone_then_lost_lines_are_counted_until_there_is_one_again() {
    let (output, mut writer) = writer(Mode::Fails);
    for _ in 0..3 {
        writer.write_all(b"lost\n").unwrap();
    }
    wait_for_blocking("lost lines", LONG, || {
        let state = writer.0.state();
        (state.waiting.is_empty() && state.writing_bytes == 0).then_some(())
    });
    output.set(Mode::Writes);
    writer.write_all(b"written\n").unwrap();
    wait_for_blocking("the report", LONG, || (output.written() == "written\n3 dropped\n").then_some(()));
}

#[test]
fn given_an_output_that_fails_in_the_middle_of_a_line_then_the_next_line_begins_anew() {
    /// Takes a part of the first line, fails once, then takes everything.
    struct Cut(Vec<u8>, usize);

    impl Write for Cut {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            let taken = match self.1 {
                1 => 3,
                2 => return Err(ErrorKind::Other.into()),
                _ => bytes.len(),
            };
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let (mut output, mut is_cut) = (Cut(Vec::new(), 0), false);
    assert_eq!((write_lines(&mut output, b"first\n", &mut is_cut), is_cut), (1, true));
    assert_eq!((write_lines(&mut output, b"next\n", &mut is_cut), is_cut), (0, false));
    assert_eq!(output.0, b"fir\nnext\n");
}

#[test]
fn given_lines_that_wait_when_it_is_closed_then_they_are_written_before_it_returns() {
    let (output, mut writer) = writer(Mode::Writes);
    for line in 0..2_000 {
        writer.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
    writer.close(LONG);
    assert_eq!(output.written().lines().count(), 2_000);
}

#[test]
fn given_a_reader_who_stalls_when_it_is_closed_then_it_is_given_up() {
    let (output, mut writer) = writer(Mode::Blocks);
    writer.write_all(b"never read\n").unwrap();
    writer.close(Duration::from_millis(1));
    assert_eq!(output.written(), "");
}
