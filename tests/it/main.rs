//! The gateway as the outside sees it: real sockets, real certificates, real files.

mod tier;
mod verify;
