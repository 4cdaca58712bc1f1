//! Processes that do not outlive us.
//!
//! Each runs in a process group of its own, which is killed as a whole. Should samara itself be killed,
//! the kernel kills the leader (Linux: `PR_SET_PDEATHSIG`), and a small watchdog, which sees the end of
//! its standard input, kills what is left of every group.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ChildStdin, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};

use rustix::process::{Pid, Resource, Rlimit, Signal};
use tokio::process::{Child, Command};

/// What is to be run.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) variables: Vec<(OsString, OsString)>,
    pub(super) folder: PathBuf,
}

/// A running process and its group.
#[derive(Debug)]
pub(super) struct Process {
    group: Pid,
    over: Arc<Mutex<bool>>,
}

impl Process {
    /// Starts it; gives the reading end of its stdout and stderr. `ended` is called once, with the
    /// reason in Lambda's words, when the leader is gone and the rest of its group has been killed.
    pub(super) async fn start(
        launch: Launch,
        ended: impl FnOnce(Option<String>) + Send + 'static,
    ) -> std::io::Result<(Self, OwnedFd)> {
        let (reader, writer) = std::io::pipe()?;
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.arguments)
            .env_clear()
            .envs(launch.variables)
            .current_dir(&launch.folder)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0);
        die_with_us(&mut command);
        let mut child = spawn(command).await?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let group = group.ok_or_else(|| std::io::Error::other("the process ended before it began"))?;
        watchdog_note('+', group);
        let over = Arc::new(Mutex::new(false));
        let done = Arc::clone(&over);
        tokio::spawn(async move {
            let status = child.wait().await;
            {
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                // The leader's number is not given away again while its group has members.
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
                watchdog_note('-', group);
                *done = true;
            }
            ended(status.ok().and_then(reason));
        });
        Ok((Self { group, over }, reader.into()))
    }

    fn send(&self, signal: Signal) {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        if !*over {
            let _ = rustix::process::kill_process_group(self.group, signal);
        }
    }

    /// Kills it and everything it started.
    pub(super) fn kill(&self) {
        self.send(Signal::KILL);
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        self.send(Signal::TERM);
    }

    /// The most memory that its leader has had, in MB; `None` where the system does not tell.
    pub(super) fn peak_memory_mb(&self) -> Option<u32> {
        self.memory("VmHWM:")
    }

    /// The memory that its leader has now, in MB.
    pub(super) fn memory_mb(&self) -> Option<u32> {
        self.memory("VmRSS:")
    }

    fn memory(&self, field: &str) -> Option<u32> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.group.as_raw_nonzero())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        let kib: u32 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kib.div_ceil(1024))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a process ended, as `os/exec` says it (Lambda's supervisor is written in Go); `None` for 0.
fn reason(status: ExitStatus) -> Option<String> {
    if let Some(signal) = status.signal() {
        return Some(format!("signal: {}", signal_name(signal)));
    }
    status.code().filter(|code| *code != 0).map(|code| format!("exit status {code}"))
}

fn signal_name(number: i32) -> String {
    match number {
        1 => "hangup".to_owned(),
        2 => "interrupt".to_owned(),
        3 => "quit".to_owned(),
        4 => "illegal instruction".to_owned(),
        5 => "trace/breakpoint trap".to_owned(),
        6 => "aborted".to_owned(),
        7 => "bus error".to_owned(),
        8 => "floating point exception".to_owned(),
        9 => "killed".to_owned(),
        11 => "segmentation fault".to_owned(),
        13 => "broken pipe".to_owned(),
        15 => "terminated".to_owned(),
        other => format!("signal {other}"),
    }
}

/// Lambda's limit of open files.
const OPEN_FILES: u64 = 1024;

fn die_with_us(command: &mut Command) {
    before_exec(command, || {
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        let _ = rustix::process::setrlimit(Resource::Core, none);
        let files = rustix::process::getrlimit(Resource::Nofile).maximum.unwrap_or(OPEN_FILES).min(OPEN_FILES);
        let _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: Some(files) });
    });
}

/// The kernel kills the command when the thread that starts it ends, however that happens (Linux).
pub(crate) fn die_with_this_thread(command: &mut Command) {
    before_exec(command, || {});
}

/// `also` may only make system calls.
#[expect(unsafe_code, reason = "std has no other way to run code between fork and exec; see the SAFETY comment")]
fn before_exec(command: &mut Command, also: impl Fn() + Send + Sync + 'static) {
    #[cfg(target_os = "linux")]
    let parent = rustix::process::getpid();
    let before_exec = move || {
        also();
        #[cfg(target_os = "linux")]
        {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // We may have died between fork and the line above.
            if rustix::process::getppid() != Some(parent) {
                return Err(std::io::Error::from_raw_os_error(rustix::io::Errno::SRCH.raw_os_error()));
            }
        }
        Ok(())
    };
    // SAFETY: the closures only make system calls (prctl, getppid, getrlimit, setrlimit); they neither
    // allocate nor lock, so they are sound in the forked child of a process with several threads.
    unsafe {
        command.pre_exec(before_exec);
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// Starts a process from one thread that lives as long as we do: the signal of the parent's death comes
/// when the *thread* that forked ends, and tokio's threads come and go.
async fn spawn(mut command: Command) -> std::io::Result<Child> {
    static THREAD: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let thread = THREAD.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        let body = move || {
            for job in jobs {
                job();
            }
        };
        if let Err(error) = std::thread::Builder::new().name("spawner".to_owned()).spawn(body) {
            tracing::warn!("no thread to start functions from: {error}");
        }
        sender
    });
    let runtime = tokio::runtime::Handle::current();
    let (answer, child) = tokio::sync::oneshot::channel();
    let job: Job = Box::new(move || {
        let _context = runtime.enter();
        let _ = answer.send(command.spawn());
    });
    let gone = || std::io::Error::other("there is no thread to start processes from");
    thread.send(job).map_err(|_| gone())?;
    child.await.map_err(|_| gone())?
}

/// Keeps the list of groups and kills them when we are gone. POSIX shell, so that it needs nothing.
const WATCHDOG: &str = r#"
trap '' HUP INT TERM
groups=' '
while read -r verb group; do
  case $verb in
    +) groups="$groups$group " ;;
    -) groups="${groups%%" $group "*} ${groups#*" $group "}" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
"#;

fn watchdog_note(verb: char, group: Pid) {
    static STDIN: OnceLock<Option<Mutex<ChildStdin>>> = OnceLock::new();
    let stdin = STDIN.get_or_init(|| {
        use std::os::unix::process::CommandExt as _;
        let child = std::process::Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "samara-watchdog"])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        match child {
            Ok(mut child) => child.stdin.take().map(Mutex::new),
            Err(error) => {
                tracing::warn!("no watchdog for function processes: {error}");
                None
            }
        }
    });
    if let Some(stdin) = stdin {
        let mut stdin = stdin.lock().unwrap_or_else(PoisonError::into_inner);
        // Without the watchdog the kernel's signal to the leader is left.
        let _ = writeln!(stdin, "{verb} {}", group.as_raw_nonzero());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Launch {
        Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            variables: vec![("PATH".into(), "/bin:/usr/bin".into())],
            folder: "/".into(),
        }
    }

    async fn run(script: &str) -> Option<String> {
        let (sender, ended) = tokio::sync::oneshot::channel();
        let (_process, _output) = Process::start(shell(script), |reason| sender.send(reason).unwrap()).await.unwrap();
        ended.await.unwrap()
    }

    #[tokio::test]
    async fn the_reason_of_an_exit_is_in_lambdas_words() {
        assert_eq!(run("exit 0").await, None);
        assert_eq!(run("exit 3").await.as_deref(), Some("exit status 3"));
        assert_eq!(run("kill -9 $$").await.as_deref(), Some("signal: killed"));
        assert_eq!(run("kill -11 $$").await.as_deref(), Some("signal: segmentation fault"));
    }

    #[tokio::test]
    async fn killing_a_process_kills_what_it_started() {
        let (sender, ended) = tokio::sync::oneshot::channel();
        let (process, output) =
            Process::start(shell("sleep 1000 & echo $!; wait"), |reason| sender.send(reason).unwrap()).await.unwrap();
        let mut reader = std::io::BufReader::new(std::fs::File::from(output));
        let mut line = String::new();
        std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
        let child = line.trim().to_owned();
        drop(process);
        assert_eq!(ended.await.unwrap().as_deref(), Some("signal: killed"));
        // The pipe ends when the last writer is gone; the grandchild is one.
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut reader, &mut rest).unwrap();
        // Dying takes a moment after the pipe is closed.
        for _ in 0..100 {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            if stat.is_empty() || stat.contains(" Z ") {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the grandchild is still there");
    }
}
