//! What the tests share: in-memory fakes of the AWS APIs and events for the rule; for the core a naive evaluator of single requests,
//! a generator of roles and an enumeration of short strings.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

pub mod brute_force;
pub mod events;
pub mod fakes;
pub mod files;
pub mod generate;
pub mod naive;
pub mod oracle;
pub mod report_schema;
pub mod run;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs a future that never waits for anything but itself.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}
