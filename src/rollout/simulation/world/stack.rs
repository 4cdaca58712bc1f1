//! CloudFormation: the stack update that settles, in its several fates.

use super::super::history::{Happened, Who};
use super::super::scenario::SettleFate;
use super::{World, lambda};
use crate::rollout::content::Content;

impl World {
    /// Settles.
    ///
    /// # Errors
    /// The stack's status after it failed.
    pub fn settle(&mut self) -> Result<(), String> {
        let fate = if self.settles == 0 { self.conditions.settle } else { SettleFate::Works };
        self.settles += 1;
        let answer = match fate {
            SettleFate::Works => Ok(()),
            SettleFate::Writes => {
                for index in 0..self.aliases.len() {
                    if let Some(seen) = self.get_alias(index) {
                        self.set_alias(index, seen.content, Who::Stack);
                    }
                }
                Ok(())
            }
            SettleFate::Fails => Err("UPDATE_ROLLBACK_COMPLETE: not authorized".to_owned()),
            SettleFate::PutsBack => {
                for index in 0..self.aliases.len() {
                    // CloudFormation writes what its last template said, whatever there is.
                    if self.get_alias(index).is_some() {
                        let old = Content::whole(self.aliases[index].old);
                        self.set_alias(index, old, Who::Stack);
                    }
                }
                Err("UPDATE_ROLLBACK_COMPLETE: a resource failed".to_owned())
            }
            SettleFate::Interferes => {
                if self.get_alias(0).is_some() {
                    // To the set this is somebody else's change, as a person's is.
                    self.set_alias(0, Content::whole(lambda::third()), Who::Person);
                }
                Err("UPDATE_IN_PROGRESS: another update".to_owned())
            }
        };
        self.note(Who::Stack, Happened::Settled(answer.is_ok()));
        answer
    }
}
