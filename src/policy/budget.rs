//! The limit of work for one question.
//!
//! Some questions about policies take exponential time in the worst case, and whoever writes a role's policies could
//! choose them so. A [`Budget`] limits the work. Its unit is a step, not a second: the same question gets the same
//! answer on every machine, under every load. One step is about the work of trying one character against a few patterns.
//!
//! Code pays in one of two ways:
//!
//! - [`Budget::spend`] before work that can be given up. It fails when the budget is spent, and the answer is then
//!   "undecided".
//! - [`Budget::charge`] after work that is already done. It never fails; the next `spend` does.

use std::cell::Cell;

/// A limit of work, in steps.
#[derive(Debug, Clone)]
pub struct Budget {
    left: Cell<u64>,
    /// Steps that cannot be spent until [`Budget::restore`].
    set_aside: Cell<u64>,
}

/// The budget is spent and the question has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverBudget;

impl Budget {
    /// A budget of `steps` steps.
    pub fn new(steps: u64) -> Self {
        Self { left: Cell::new(steps), set_aside: Cell::new(0) }
    }

    /// Leaves at most `steps` steps to spend and sets the others aside, so that one hard question does not use up the
    /// budget of the others.
    pub fn set_aside_all_but(&self, steps: u64) {
        self.restore();
        let part = self.left.get().min(steps);
        self.set_aside.set(self.left.get() - part);
        self.left.set(part);
    }

    /// Makes at most `steps` of the steps that were set aside available.
    pub fn top_up(&self, steps: u64) {
        let part = self.set_aside.get().min(steps);
        self.set_aside.set(self.set_aside.get() - part);
        self.left.set(self.left.get() + part);
    }

    /// Makes the steps that were set aside available again.
    pub fn restore(&self) {
        self.left.set(self.left.get() + self.set_aside.take());
    }

    /// How many steps can be spent.
    pub fn left(&self) -> u64 {
        self.left.get()
    }

    /// Pays for work that is done. If not enough steps are left, the budget is spent.
    pub fn charge(&self, steps: usize) {
        self.left.set(self.left.get().saturating_sub(steps as u64));
    }

    /// Pays for work that comes next.
    ///
    /// # Errors
    /// The budget is spent, now or by an earlier payment.
    pub fn spend(&self, steps: usize) -> Result<(), OverBudget> {
        let enough = self.left.get() > steps as u64;
        self.charge(steps);
        if enough { Ok(()) } else { Err(OverBudget) }
    }
}
