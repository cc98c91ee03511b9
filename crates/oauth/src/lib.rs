//! OAuth 1.0a and 2 as pure functions: build a request, read an answer.
//!
//! Nothing here sends, stores or reads a clock, and the only randomness drawn is what a signature
//! and a new key are made of. The caller sends a [`Request`]
//! as it is, without following redirects, and gives back status, a few headers and the body. What
//! differs between servers is data, given with each call; what must not differ cannot be said:
//! there is no implicit grant, no `plain` challenge, no second client authentication.

mod encode;
mod json;
mod secret;

pub mod answer;
pub mod assertion;
pub mod authorize;
pub mod aws;
pub mod bearer;
pub mod callback;
pub mod challenge;
pub mod device;
pub mod discovery;
pub mod dpop;
pub mod endpoint;
pub mod exchange;
pub mod grant;
pub mod install;
pub mod introspect;
pub mod jws;
pub mod key;
pub mod one;
pub mod pkce;
pub mod prove;
pub mod register;
pub mod request;
pub mod resource;
pub mod revoke;
pub mod swap;
pub mod template;
pub mod token;

pub use json::JsonError;
pub use request::{Method, Params, Request, RequestError};
pub use secret::Secret;
