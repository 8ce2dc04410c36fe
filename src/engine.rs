//! Interactive work in a process of its own: the app asks, its engine child answers.
//!
//! The app holds no tensors and opens no device. If the child dies, the app says so and starts
//! another; nothing else is lost.

mod evaluate;
mod ghns;
mod opened;
mod predicted;
pub mod protocol;
mod rows;
mod server;
mod session;
mod shift;
#[cfg(test)]
mod tests;

pub use predicted::describe;
pub use server::serve;
pub use session::Surroundings;
