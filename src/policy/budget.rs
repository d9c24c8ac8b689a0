//! The limit of work that a search may spend.

use std::cell::Cell;

/// A limit of work, in steps of the walk; not of time, so that the same question always gets the same answer.
#[derive(Debug, Clone)]
pub struct Budget {
    left: Cell<u64>,
    /// Steps that are not to be spent now.
    aside: Cell<u64>,
}

/// The budget is spent: nothing is known of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverBudget;

impl Budget {
    /// A budget of so many steps.
    pub fn new(steps: u64) -> Self {
        Self { left: Cell::new(steps), aside: Cell::new(0) }
    }

    /// Sets all steps aside but so many, until [`Budget::restore`].
    pub fn set_aside_all_but(&self, steps: u64) {
        self.restore();
        let part = self.left.get().min(steps);
        self.aside.set(self.left.get() - part);
        self.left.set(part);
    }

    /// Takes back what was set aside.
    pub fn restore(&self) {
        self.left.set(self.left.get() + self.aside.take());
    }

    /// Takes steps for work done; where they are not there, the next [`Budget::spend`] says so.
    pub fn charge(&self, steps: usize) {
        self.left.set(self.left.get().saturating_sub(steps as u64));
    }

    /// Pays for work.
    ///
    /// # Errors
    /// The budget is spent.
    pub fn spend(&self, steps: usize) -> Result<(), OverBudget> {
        let enough = self.left.get() > steps as u64;
        self.charge(steps);
        if enough { Ok(()) } else { Err(OverBudget) }
    }
}
