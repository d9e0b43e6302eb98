//! Makes authorities, signers and containers, for tests and demos (feature `sign`). Private keys are held in the clear, and an authority signs whatever
//! it is given: nothing made here proves who somebody is.

mod authority;
mod container;
mod error;
mod period;
mod signer;

pub use authority::TestAuthority;
pub use container::{SignOptions, sign};
pub use error::SignError;
pub use period::Period;
pub use signer::{NumbersIn, Person, TestSigner};
