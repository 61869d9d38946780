//! Integration tests of the library, named by behaviour; all of them in one binary, which links
//! once.

mod derive_mistakes;
mod embedded_broker;
mod examples;
mod handler_mistakes;
mod publishing;
mod services;
