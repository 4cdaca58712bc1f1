//! A command of the user's on this machine: how it is written, and how it is run with an end. No
//! shell is involved, so nothing that a name or a reason holds is ever taken for a command.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::names::NotA;

/// What is kept of each of its outputs: the end, which says why.
const KEPT_BYTES: usize = 4096;
/// So much is read at a time.
const CHUNK_BYTES: usize = 8192;
/// A process that is told to end gets so long before it is ended.
const GRACE: Duration = Duration::from_secs(2);

/// What is still in the pipes when it has ended is read within this.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine(Vec<String>);

impl CommandLine {
    /// The program, then its arguments.
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// The same, when its program is on this machine, looked for as it is when it is run: by its path, or
    /// along `PATH`. A slip of the pen is found before anything is begun.
    ///
    /// # Errors
    /// There is no such program.
    pub fn installed(self) -> Result<Self, NotA> {
        let program = self.0.first().map(String::as_str).unwrap_or_default();
        if is_installed(program) {
            return Ok(self);
        }
        Err(NotA::new(program, "a program on this machine, by its path or in PATH", EXAMPLE))
    }

    /// From words that were read before.
    ///
    /// # Errors
    /// There is none.
    pub fn from_words(words: Vec<String>) -> Result<Self, NotA> {
        if words.first().is_none_or(String::is_empty) {
            return Err(NotA::new("", "a command", EXAMPLE));
        }
        Ok(Self(words))
    }
}

const EXAMPLE: &str = "./notify.sh '#deploys'";

fn is_installed(program: &str) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let may_run = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return may_run(Path::new(program));
    }
    #[expect(clippy::disallowed_methods, reason = "what runs it looks there too")]
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| may_run(&folder.join(program)))
}

impl FromStr for CommandLine {
    type Err = NotA;

    /// Words are separated by blanks; single quotes keep what is in them as it is, double quotes and
    /// a backslash what a shell would take for something else. Nothing is expanded.
    fn from_str(text: &str) -> Result<Self, NotA> {
        let open = || NotA::new(text, "a command (a quote is not closed)", EXAMPLE);
        let mut words = Vec::new();
        let mut word: Option<String> = None;
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                ' ' | '\t' | '\n' => words.extend(word.take()),
                '\'' => {
                    let word = word.get_or_insert_default();
                    loop {
                        match characters.next().ok_or_else(open)? {
                            '\'' => break,
                            other => word.push(other),
                        }
                    }
                }
                '"' => {
                    let word = word.get_or_insert_default();
                    loop {
                        match characters.next().ok_or_else(open)? {
                            '"' => break,
                            '\\' => match characters.next().ok_or_else(open)? {
                                escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                                other => word.extend(['\\', other]),
                            },
                            other => word.push(other),
                        }
                    }
                }
                '\\' => word.get_or_insert_default().push(characters.next().ok_or_else(open)?),
                '\0' => return Err(NotA::new(text, "a command", EXAMPLE)),
                other => word.get_or_insert_default().push(other),
            }
        }
        words.extend(word);
        if words.first().is_none_or(String::is_empty) {
            return Err(NotA::new(text, "a command", EXAMPLE));
        }
        Ok(Self(words))
    }
}

impl CommandLine {
    /// Words as they are typed, each quoted where that is needed.
    pub fn quoted(words: &[String]) -> String {
        Self(words.to_vec()).to_string()
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,#".contains(&byte);
            if !word.is_empty() && word.bytes().all(plain) {
                write!(f, "{space}{word}")?;
            } else {
                write!(f, "{space}'{}'", word.replace('\'', "'\\''"))?;
            }
        }
        Ok(())
    }
}

/// Why a command did not do what it was there for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It did not start.
    #[error("`{command}` does not start: {reason}")]
    NotStarted {
        /// The command.
        command: String,
        /// Why.
        reason: String,
    },
    /// It said no.
    #[error("`{command}` ended with {status}{}", after(.said))]
    Failed {
        /// The command.
        command: String,
        /// `status 1`, `signal 9`.
        status: String,
        /// The end of what it printed.
        said: String,
    },
    /// It took too long and was ended.
    #[error("`{command}` did not end within {} and was stopped{}", super::names::show_duration(*.limit), after(.said))]
    TooLong {
        /// The command.
        command: String,
        /// The limit.
        limit: Duration,
        /// The end of what it printed.
        said: String,
    },
}

fn after(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

/// Runs it to its end, at most for `limit` of real time, with `input` on its standard input and
/// `variables` added to this process's environment. Gives the end of what it printed.
///
/// It has a process group of its own: Ctrl-C is for samara, and what is stopped is stopped with all
/// its children. Where this future is dropped, the group is ended too.
///
/// # Errors
/// It did not start, did not end in time, or ended with something else than 0.
pub async fn run(
    command: &CommandLine,
    variables: &[(&str, String)],
    input: &[u8],
    limit: Duration,
) -> Result<String, Trouble> {
    let name = command.to_string();
    let not_started =
        |error: &dyn fmt::Display| Trouble::NotStarted { command: name.clone(), reason: error.to_string() };
    let mut words = command.0.iter();
    let program = words.next().map(String::as_str).unwrap_or_default();
    let mut child = Command::new(program)
        .args(words)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| not_started(&error))?;
    let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut said = (Tail::default(), Tail::default());
    let talk = async {
        let write = async {
            if let Some(mut stdin) = stdin {
                // Who does not want to hear it may close its ears.
                let _ = stdin.write_all(input).await;
            }
        };
        // What its own children still hold open is not waited for once it has ended itself.
        let read = async { tokio::join!(said.0.fill(stdout), said.1.fill(stderr)) };
        let mut read = std::pin::pin!(read);
        let wait = async { tokio::join!(child.wait(), write).0 };
        let mut wait = std::pin::pin!(wait);
        let (status, all_read) = tokio::select! {
            status = &mut wait => (status, false),
            _ = &mut read => (wait.await, true),
        };
        if !all_read {
            let _ = tokio::time::timeout(LAST_WORDS, read).await;
        }
        status
    };
    let ended = tokio::time::timeout(limit, talk).await;
    let text = said.1.text_or(&said.0);
    match ended {
        Ok(Ok(status)) if status.success() => Ok(said.0.text_or(&said.1)),
        Ok(Ok(status)) => {
            use std::os::unix::process::ExitStatusExt as _;
            let status = match (status.code(), status.signal()) {
                (Some(code), _) => format!("status {code}"),
                (None, Some(signal)) => format!("signal {signal}"),
                (None, None) => "no status".to_owned(),
            };
            Err(Trouble::Failed { command: name, status, said: text })
        }
        Ok(Err(error)) => Err(not_started(&error)),
        Err(_) => {
            group.signal(rustix::process::Signal::TERM);
            let _ = tokio::time::timeout(GRACE, child.wait()).await;
            Err(Trouble::TooLong { command: name, limit, said: text })
        }
    }
}

/// A process and its children; ended when nobody waits for them any more.
struct Group(Option<rustix::process::Pid>);

impl Group {
    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(leader) = self.0 {
            // It may have ended by itself.
            let _ = rustix::process::kill_process_group(leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(rustix::process::Signal::KILL);
    }
}

/// The end of what was printed.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
    cut: bool,
}

impl Tail {
    async fn fill(&mut self, from: Option<impl AsyncRead + Unpin>) {
        let Some(mut from) = from else { return };
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(read) = from.read(&mut chunk).await {
            if read == 0 {
                return;
            }
            self.bytes.extend_from_slice(chunk.get(..read).unwrap_or_default());
            if self.bytes.len() > KEPT_BYTES {
                self.cut = true;
                self.bytes.drain(..self.bytes.len() - KEPT_BYTES);
            }
        }
    }

    fn text_or(&self, other: &Self) -> String {
        let one = if self.bytes.iter().all(u8::is_ascii_whitespace) { other } else { self };
        let text = String::from_utf8_lossy(&one.bytes);
        let text = text.trim();
        if one.cut { format!("… {text}") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.parse::<CommandLine>().unwrap().0
    }

    #[test]
    fn words_are_split_as_a_shell_would_and_nothing_is_expanded() {
        assert_eq!(words("  a  b\tc\n"), ["a", "b", "c"]);
        assert_eq!(
            words(r#"x 'a "b" \c' "d 'e' \"f\" \g" h\ i ''"#),
            ["x", r#"a "b" \c"#, r#"d 'e' "f" \g"#, "h i", ""]
        );
        assert_eq!(words("x $(rm -rf /) `y` ~ *;z"), ["x", "$(rm", "-rf", "/)", "`y`", "~", "*;z"]);
        for wrong in ["", "   ", "'a", "\"a", "a\\", "''", "a\0b"] {
            assert!(wrong.parse::<CommandLine>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_program_that_is_not_here_is_told_before_it_is_needed() {
        for here in ["sh -c true", "/bin/sh"] {
            assert!(here.parse::<CommandLine>().unwrap().installed().is_ok(), "{here}");
        }
        for missing in ["/no/such/program x", "no-such-program", "./sh", "/etc/passwd", "/"] {
            let error = missing.parse::<CommandLine>().unwrap().installed().unwrap_err().to_string();
            assert!(error.contains("is not a program on this machine"), "{error}");
        }
    }

    #[test]
    fn a_command_reads_back_as_it_is_shown() {
        for text in ["a b", "a 'b c' ''", r#"x "it's" '$HOME' 'a;b'"#] {
            let command: CommandLine = text.parse().unwrap();
            assert_eq!(command.to_string().parse::<CommandLine>().unwrap(), command);
        }
    }

    #[tokio::test]
    async fn it_hears_its_input_and_sees_its_variables() {
        let command = "sh -c 'read line; echo \"$line $SAMARA_X\"'".parse().unwrap();
        let variables = [("SAMARA_X", "a; echo b".to_owned())];
        let said = run(&command, &variables, b"$(date)\n", Duration::from_secs(20)).await;
        assert_eq!(said, Ok("$(date) a; echo b".to_owned()));
    }

    #[tokio::test]
    async fn who_does_not_listen_is_not_waited_for() {
        let command = "true".parse().unwrap();
        assert_eq!(run(&command, &[], &vec![b'x'; 1 << 20], Duration::from_secs(20)).await, Ok(String::new()));
    }

    #[tokio::test]
    async fn a_failure_is_told_with_the_end_of_what_it_said() {
        let command: CommandLine = "sh -c 'yes wrong | head -c 100000 >&2; echo last >&2; exit 3'".parse().unwrap();
        let error = run(&command, &[], b"", Duration::from_secs(20)).await.unwrap_err();
        let Trouble::Failed { status, said, .. } = &error else { panic!("{error}") };
        assert_eq!(status, "status 3");
        assert!(said.len() < KEPT_BYTES + 10 && said.ends_with("last") && said.starts_with('…'), "{said}");
        let missing = run(&"/no/such/program".parse().unwrap(), &[], b"", Duration::from_secs(20)).await;
        assert!(matches!(missing, Err(Trouble::NotStarted { .. })), "{missing:?}");
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "it is about real time")]
    async fn it_has_an_end_with_all_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("child");
        let script = format!("trap '' TERM; sh -c 'echo $$ > {}; sleep 60' & sleep 60", file.display());
        let command = CommandLine::from_words(vec!["sh".to_owned(), "-c".to_owned(), script]).unwrap();
        let began = std::time::Instant::now();
        let ended = run(&command, &[], b"", Duration::from_millis(700)).await;
        assert!(matches!(ended, Err(Trouble::TooLong { .. })), "{ended:?}");
        assert!(began.elapsed() < Duration::from_secs(10));
        let child: u32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        for _ in 0..100 {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("process {child} is still there");
    }

    #[tokio::test]
    async fn a_child_that_keeps_the_output_open_does_not_hold_it_up() {
        let command = "sh -c 'sleep 30 & echo done'".parse().unwrap();
        let said =
            tokio::time::timeout(Duration::from_secs(10), run(&command, &[], b"", Duration::from_secs(20))).await;
        assert_eq!(said, Ok(Ok("done".to_owned())));
    }
}
