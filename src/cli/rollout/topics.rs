//! `TriggerConfigurations`: topics hear of a rollout that samara carries out as they would of one by
//! CodeDeploy. The rollout never waits for them.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::aws::Aws;
use crate::rollout::plan::Plan;
use crate::rollout::state::Happening;
use crate::rollout::trigger::notices;
use crate::ui::terminal::Terminal;

/// What is not told yet when the rollout has ended gets so long.
const LAST_WORDS: Duration = Duration::from_secs(20);
/// Only a few happenings are told; a topic that does not answer must not collect more than this.
const QUEUE: usize = 64;

/// The topics of one rollout.
#[derive(Debug)]
pub(crate) struct Topics {
    sender: mpsc::Sender<Happening>,
    task: JoinHandle<()>,
    terminal: Terminal,
}

impl Topics {
    /// Starts to listen; `None` where the plan has no topics.
    pub(crate) fn of(terminal: Terminal, aws: &Aws, plan: &Plan) -> Option<Self> {
        if plan.triggers.is_empty() {
            return None;
        }
        let (sender, mut receiver) = mpsc::channel::<Happening>(QUEUE);
        let (aws, plan) = (aws.clone(), plan.clone());
        let task = tokio::spawn(async move {
            while let Some(what) = receiver.recv().await {
                tell(terminal, &aws, &plan, &what).await;
            }
        });
        Some(Self { sender, task, terminal })
    }

    /// Tells them, now or as soon as they have heard what came before. Never waits.
    pub(crate) fn tell(&self, what: &Happening) {
        if self.sender.try_send(what.clone()).is_err() {
            self.terminal.warn("a topic of the TriggerConfigurations was not told: SNS is too slow");
        }
    }

    /// Waits for what is not told yet, but not for ever.
    pub(crate) async fn end(self) {
        drop(self.sender);
        let abort = self.task.abort_handle();
        if tokio::time::timeout(LAST_WORDS, self.task).await.is_err() {
            abort.abort();
            self.terminal.warn("the topics of the TriggerConfigurations were not told of the end: SNS is too slow");
        }
    }
}

async fn tell(terminal: Terminal, aws: &Aws, plan: &Plan, what: &Happening) {
    if notices(plan, what, "", "").is_empty() {
        return;
    }
    // Only a word of the message: without it the topic is told all the same.
    let account = aws.identity().await.map(|identity| identity.account.clone()).unwrap_or_default();
    for notice in notices(plan, what, aws.region(), &account) {
        if let Err(error) = aws.publish(&notice.topic, &notice.subject, &notice.message).await {
            terminal.warn(format_args!("a topic of the TriggerConfigurations was not told: {error}"));
        }
    }
}
