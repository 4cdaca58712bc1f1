//! `--notify`: a command of the user's hears of each transition. The rollout never waits for it.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::rollout::command::{self, CommandLine};
use crate::ui::sanitize::sanitize;
use crate::ui::terminal::Terminal;

/// A command that takes longer is ended.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// What is not told yet when the rollout has ended gets so long.
const LAST_WORDS: Duration = Duration::from_secs(45);
/// A rollout makes some tens of transitions; a command that hangs must not collect more than this.
const QUEUE: usize = 64;

/// One transition.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// For the command's standard input.
    pub(crate) json: serde_json::Value,
    /// For its environment.
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// Runs the command for one message after the other, in their order.
#[derive(Debug)]
pub(crate) struct Notifier {
    sender: mpsc::Sender<Message>,
    task: JoinHandle<()>,
    terminal: Terminal,
}

impl Notifier {
    /// Starts to listen; runs nothing yet.
    pub(crate) fn new(terminal: Terminal, command: CommandLine) -> Self {
        let (sender, mut receiver) = mpsc::channel::<Message>(QUEUE);
        let task = tokio::spawn(async move {
            while let Some(message) = receiver.recv().await {
                let mut input = message.json.to_string().into_bytes();
                input.push(b'\n');
                if let Err(trouble) = command::run(&command, &message.variables, &input, LIMIT).await {
                    terminal.warn(format_args!("--notify: {trouble}"));
                }
            }
        });
        Self { sender, task, terminal }
    }

    /// Tells it, now or as soon as it has heard what came before. Never waits.
    pub(crate) fn tell(&self, message: Message) {
        if self.sender.try_send(message).is_err() {
            self.terminal.warn("--notify: the command is too slow; a transition was not told");
        }
    }

    /// Waits for what is not told yet, but not for ever.
    pub(crate) async fn end(self) {
        drop(self.sender);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(LAST_WORDS, self.task).await.is_err() {
            abort.abort();
            self.terminal.warn("--notify: the command is too slow; the last transitions were not told");
        }
    }
}

/// Text for an environment variable: what a shell script will put on a line.
pub(crate) fn variable(text: &str) -> String {
    sanitize(text).replace('\n', " ")
}
