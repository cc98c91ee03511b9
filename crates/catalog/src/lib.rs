//! Apps as data: what an app is called, how its users let us in, and how a request to it is signed.
//!
//! One TOML file per app (`apps/<first letter>/<slug>.toml`); the format is the types in [`app`],
//! [`auth`], [`fields`] and [`api`]. No code anywhere asks which app it has: what differs, is data.
//!
//! The icons in `icons/` are the shapes of the Simple Icons project (CC0 1.0); the brands they show
//! belong to their owners.

pub mod api;
pub mod app;
pub mod auth;
pub mod behaviour;
pub mod categories;
pub mod check;
pub mod fields;
pub mod placeholders;
pub mod ways;

mod blob;
mod catalog;
mod embedded;
mod entry;
mod file;
mod fold;
mod ids;
mod pack;
mod search;
mod typed;

pub use api::{Expect, Identity, IdentityFrom, Method, Proxy, Verify};
pub use app::{App, Evidence, Status};
pub use auth::{
    Auth, BodyFormat, ClientAuth, ExpiresUnit, GrantLife, OAuth1, OAuth2, Profiles, Reuse,
    Revocation, RevocationPlace, RevokedToken, Rotation, RotationClass, Scopes, SignatureMethod,
    TokenAnswer,
};
pub use behaviour::{Behaviour, Kind};
pub use blob::BlobError;
pub use catalog::{Catalog, LoadError};
pub use categories::Category;
pub use check::{Options, Problem, Severity};
pub use entry::{Entry, Filter};
pub use fields::{Choice, Field, FieldError, FieldKind, HostForm, HostRule, Learned, LearnedFrom};
pub use typed::Around;
pub use ways::{
    Aws4, ClientFrom, Flow, Installation, JwtGrant, KeyExchange, SigningAlg, TokenExchange,
};
