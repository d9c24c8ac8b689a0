//! What the tests of the rule share: an AWS in memory, and events.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

pub mod events;
pub mod fakes;

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
