//! What a function writes, and what the platform writes about it.

use std::fmt;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::unix::pipe::Receiver;

/// `LogType=Tail` gives this much of the end.
const TAIL: usize = 4096;
/// The largest log event of CloudWatch Logs; a longer line becomes several.
const MAX_LINE: usize = 256 * 1024;

/// Takes the lines of one log stream: name of the stream, line without its end.
#[derive(Clone)]
pub struct LogSink(Arc<Take>);

/// What a sink calls.
type Take = dyn Fn(&str, &str) + Send + Sync;

impl LogSink {
    /// A sink that calls this.
    pub fn new(take: impl Fn(&str, &str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }
}

impl fmt::Debug for LogSink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LogSink")
    }
}

/// The log of one environment.
#[derive(Debug)]
pub(super) struct Log {
    sink: LogSink,
    stream: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    partial: Vec<u8>,
    tail: Option<Vec<u8>>,
}

impl Log {
    pub(super) fn new(sink: LogSink, stream: String) -> Arc<Self> {
        Arc::new(Self { sink, stream, state: Mutex::default() })
    }

    /// The stream's name.
    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to keep the end of what is written.
    pub(super) fn keep_tail(&self, keep: bool) {
        self.state().tail = keep.then(Vec::new);
    }

    /// The last 4 KiB since [`Self::keep_tail`].
    pub(super) fn take_tail(&self) -> Option<Vec<u8>> {
        let tail = self.state().tail.take()?;
        Some(tail[tail.len().saturating_sub(TAIL)..].to_vec())
    }

    /// A line of the platform, without its end.
    pub(super) fn line(&self, line: &str) {
        let mut state = self.state();
        self.flush(&mut state);
        self.emit(&mut state, line.as_bytes());
    }

    fn emit(&self, state: &mut State, line: &[u8]) {
        if let Some(tail) = &mut state.tail {
            tail.extend_from_slice(line);
            tail.push(b'\n');
            if tail.len() > 4 * TAIL {
                tail.drain(..tail.len() - TAIL);
            }
        }
        (self.sink.0)(&self.stream, &String::from_utf8_lossy(line));
    }

    /// Ends an unfinished line.
    fn flush(&self, state: &mut State) {
        if !state.partial.is_empty() {
            let line = std::mem::take(&mut state.partial);
            self.emit(state, &line);
        }
    }

    fn take(&self, state: &mut State, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            if state.partial.is_empty() {
                self.emit(state, &bytes[..end]);
            } else {
                state.partial.extend_from_slice(&bytes[..end]);
                self.flush(state);
            }
            bytes = &bytes[end + 1..];
        }
        state.partial.extend_from_slice(bytes);
        if state.partial.len() >= MAX_LINE {
            self.flush(state);
        }
    }

    /// Takes what `read` gives until it has nothing now; `false` at the end.
    fn pump(&self, mut read: impl FnMut(&mut [u8]) -> std::io::Result<usize>) -> bool {
        let mut state = self.state();
        let mut buffer = [0_u8; 16 * 1024];
        loop {
            match read(&mut buffer) {
                Ok(0) => {
                    self.flush(&mut state);
                    return false;
                }
                Ok(length) => self.take(&mut state, &buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
            }
        }
    }
}

/// The reading end of a process's output: stdout and stderr in one, in their order.
#[derive(Debug)]
pub(super) struct Output {
    pipe: Arc<Receiver>,
    log: Arc<Log>,
    task: tokio::task::JoinHandle<()>,
}

impl Output {
    /// Reads `pipe` into `log` from now on.
    pub(super) fn follow(pipe: OwnedFd, log: Arc<Log>) -> std::io::Result<Self> {
        let pipe = Arc::new(Receiver::from_owned_fd(pipe)?);
        let (reader, sink) = (Arc::clone(&pipe), Arc::clone(&log));
        let task = tokio::spawn(async move {
            while reader.readable().await.is_ok() && sink.pump(|buffer| reader.try_read(buffer)) {}
        });
        Ok(Self { pipe, log, task })
    }

    /// Takes what the process has written up to now. Past tokio, which only reads when it has already
    /// heard from the kernel that there is something.
    pub(super) fn catch_up(&self) {
        self.log.pump(|buffer| Ok(rustix::io::read(self.pipe.as_fd(), buffer)?));
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect() -> (Arc<Log>, Arc<Mutex<Vec<String>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&lines);
        (Log::new(LogSink::new(move |_, line| into.lock().unwrap().push(line.to_owned())), "s".to_owned()), lines)
    }

    #[test]
    fn lines_are_put_together_from_pieces_and_a_platform_line_ends_an_unfinished_one() {
        let (log, lines) = collect();
        let mut state = State::default();
        log.take(&mut state, b"one\ntw");
        log.take(&mut state, b"o\nthr");
        *log.state() = state;
        log.line("END");
        assert_eq!(*lines.lock().unwrap(), ["one", "two", "thr", "END"]);
    }

    #[test]
    fn the_tail_is_the_last_four_kibibytes() {
        let (log, _) = collect();
        log.keep_tail(true);
        for number in 0..10_000 {
            log.line(&format!("line {number}"));
        }
        let tail = log.take_tail().unwrap();
        assert_eq!(tail.len(), 4096);
        assert!(tail.ends_with(b"line 9999\n"));
        assert_eq!(log.take_tail(), None);
    }

    #[test]
    fn a_line_without_end_is_cut_into_events() {
        let (log, lines) = collect();
        let mut state = State::default();
        for _ in 0..40 {
            log.take(&mut state, &[b'x'; 16 * 1024]);
        }
        assert_eq!(lines.lock().unwrap().len(), 2);
    }
}
