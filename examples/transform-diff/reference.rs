//! The published transform as a server: one JSON object a line in, one a line out.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// A reference that has not answered by then never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the published transform says.
#[derive(Clone, Debug)]
pub enum Answer {
    Output(Value),
    Refused(String),
    /// Not an answer of the transform: an exception, the process's end, silence.
    Crashed(String),
}

/// A running server.
#[derive(Debug)]
pub struct Reference {
    command: String,
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl Reference {
    /// Starts the command; the shell reads it.
    ///
    /// # Errors
    /// There is no shell.
    pub fn start(command: &str) -> std::io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {command}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(std::io::Error::other("the reference has no pipes"));
        };
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { command: command.to_owned(), child, input, answers })
    }

    /// Asks for one template; a server that has died is started again.
    ///
    /// # Errors
    /// It cannot be started again.
    pub fn ask(&mut self, template: &str, region: &str) -> std::io::Result<Answer> {
        let question = json!({
            "template": template, "region": region, "parameters": { "param1": "value1", "param2": "value2" }
        });
        let asked = writeln!(self.input, "{question}").and_then(|()| self.input.flush());
        let line = match asked {
            Ok(()) => self.answers.recv_timeout(PATIENCE),
            Err(_) => Err(RecvTimeoutError::Disconnected),
        };
        Ok(match line {
            Ok(line) => read(&line),
            Err(error) => {
                let why = match error {
                    RecvTimeoutError::Timeout => "it does not answer",
                    RecvTimeoutError::Disconnected => "it has ended",
                };
                self.stop();
                *self = Self::start(&self.command)?;
                Answer::Crashed(why.to_owned())
            }
        })
    }

    fn stop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.stop();
    }
}

fn read(line: &str) -> Answer {
    let Ok(answer) = serde_json::from_str::<Value>(line) else {
        return Answer::Crashed("its answer is not JSON".to_owned());
    };
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match answer.get("output") {
        Some(output) => Answer::Output(output.clone()),
        None if answer.get("error").is_some() => Answer::Refused(text("error")),
        None => Answer::Crashed(format!("{}: {}", text("crash"), text("message"))),
    }
}
