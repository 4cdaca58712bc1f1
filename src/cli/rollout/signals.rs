//! SIGINT and SIGTERM during a rollout: the first does what `--on-interrupt` says, the second ends
//! at once and prints how to carry on.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::options::OnInterrupt;
use crate::cli::context::Context;
use crate::cli::exit::Status;
use crate::rollout::run::Signal;
use crate::ui::terminal::Terminal;

/// Ends the process at once, as a second signal asks.
#[expect(clippy::disallowed_methods, reason = "a second signal ends at once")]
fn end(terminal: &Terminal, resume: &str) -> ! {
    terminal.warn(format_args!("ended at once; carry on with: {resume}"));
    std::process::exit(Status::Interrupted as i32);
}

/// Listens in the background; what the rollout is to do comes out of the receiver.
pub(crate) fn listen(context: &Context, on_interrupt: Option<OnInterrupt>, resume: String) -> mpsc::Receiver<Signal> {
    let (sender, receiver) = mpsc::channel(4);
    let terminal = context.terminal;
    let may_ask = context.may_ask();
    let wanted = on_interrupt.unwrap_or(OnInterrupt::Ask);
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return terminal.warn("signals cannot be listened to: Ctrl-C will end this process as it is");
        };
        let mut next = async || tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} };
        next().await;
        let chosen = match wanted {
            OnInterrupt::Rollback => Signal::RollBack,
            OnInterrupt::Hold => Signal::Hold,
            OnInterrupt::Ask if !may_ask => Signal::RollBack,
            OnInterrupt::Ask => {
                IS_ASKING.store(true, Ordering::Relaxed);
                let keys = rustix::termios::tcgetattr(std::io::stdin()).ok();
                let asked = tokio::task::spawn_blocking(ask);
                let answer = tokio::select! {
                    answer = asked => answer.unwrap_or(Signal::RollBack),
                    () = next() => {
                        unask(keys.as_ref());
                        end(&terminal, &resume)
                    }
                };
                IS_ASKING.store(false, Ordering::Relaxed);
                answer
            }
        };
        let words = if chosen == Signal::Hold { "holding at this weight" } else { "taking it back" };
        terminal.warn(format_args!("interrupted: {words}; once more ends this process at once"));
        // The receiver is gone when the rollout has just ended by itself.
        let _ = sender.send(chosen).await;
        next().await;
        end(&terminal, &resume)
    });
    receiver
}

/// The same signals, with "do what is due and leave it" before all of them, as `--no-wait` asks.
pub(crate) fn leaving(mut signals: mpsc::Receiver<Signal>) -> mpsc::Receiver<Signal> {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        let mut next = Some(Signal::Leave);
        while let Some(signal) = next {
            if sender.send(signal).await.is_err() {
                return;
            }
            next = signals.recv().await;
        }
    });
    receiver
}

/// Whether a question stands on the terminal.
static IS_ASKING: AtomicBool = AtomicBool::new(false);

/// Whether the person is being asked: lines that only reassure would push the question away.
pub(crate) fn is_asking() -> bool {
    IS_ASKING.load(Ordering::Relaxed)
}

/// Leaves the terminal as it was before the question, which nobody answers any more.
fn unask(keys: Option<&rustix::termios::Termios>) {
    let screen = dialoguer::console::Term::stderr();
    // Where it fails there is no terminal any more that could be left in disorder.
    let _ = screen.show_cursor();
    let _ = screen.write_line("");
    if let Some(keys) = keys {
        let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, keys);
    }
}

fn ask() -> Signal {
    let answer = dialoguer::Confirm::new()
        .with_prompt("Take the rollout back? (no leaves it at this weight, Ctrl-C ends this process at once)")
        .default(true);
    if answer.interact().unwrap_or(true) { Signal::RollBack } else { Signal::Hold }
}
