//! Backpressure on pipelined requests: bounds what the HTTP parser is given before it has started what it was given before.
//!
//! The framework decodes every request that it finds in its read buffer, and keeps each as a value of several kilobytes until the one before it
//! is answered (`docs/adr/0036`).

mod body;
mod body_waker;
mod heads;
mod pipeline;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use body::ResponseBody;
pub(crate) use pipeline::Pipeline;
pub(crate) use stream::PacedStream;
