//! The table of routes. A route gets in only by saying what its reply depends on, so that none can be
//! added that does not; `tests/it/declared.rs` holds each to its word.

use std::sync::Arc;

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::PathItem;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::App;

/// The description of the API: the same for everyone, and written by the program.
pub const DESCRIPTION: &str = "/v1/openapi.json";

/// What the reply of a route depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depends {
    /// On facts about people. Uniform (P5): what is held, not for the caller, withdrawn and
    /// firewalled is answered alike, in multiples of 16 KiB, at a boundary of 100 ms, without
    /// totals, validators or an order that tells.
    OnPeople,
    /// On the caller, and on what it sends: exact.
    OnCaller,
    /// On nobody: the public log, and the description of the API.
    OnNobody,
}

/// One method of one path, and what it declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    pub method: &'static str,
    pub path: String,
    pub depends: Depends,
}

/// The routes so far.
pub struct Table {
    router: OpenApiRouter<Arc<App>>,
    declared: Vec<Declared>,
}

impl Table {
    pub fn new(document: OpenApi) -> Self {
        Self {
            router: OpenApiRouter::with_openapi(document),
            declared: vec![Declared {
                method: "GET",
                path: DESCRIPTION.to_owned(),
                depends: Depends::OnNobody,
            }],
        }
    }

    /// Routes that depend on facts about people.
    #[must_use]
    pub fn of_people(self, routes: UtoipaMethodRouter<Arc<App>>) -> Self {
        self.with(Depends::OnPeople, routes)
    }

    /// Routes that depend on the caller alone.
    #[must_use]
    pub fn of_caller(self, routes: UtoipaMethodRouter<Arc<App>>) -> Self {
        self.with(Depends::OnCaller, routes)
    }

    /// The files of the public log.
    #[must_use]
    pub fn public<const N: usize>(mut self, routes: [super::log::Route; N]) -> Self {
        for (path, methods, answered_by) in routes {
            self.declared.extend(methods.iter().map(|method| Declared {
                method,
                path: path.to_owned(),
                depends: Depends::OnNobody,
            }));
            self.router = self.router.route(path, answered_by);
        }
        self
    }

    fn with(mut self, depends: Depends, routes: UtoipaMethodRouter<Arc<App>>) -> Self {
        for (path, item) in &routes.1.paths {
            self.declared
                .extend(methods(item).into_iter().map(|method| Declared {
                    method,
                    path: path.clone(),
                    depends,
                }));
        }
        self.router = self.router.routes(routes);
        self
    }

    pub fn declared(&self) -> &[Declared] {
        &self.declared
    }

    pub fn split(self) -> (Router<Arc<App>>, OpenApi) {
        self.router.split_for_parts()
    }
}

fn methods(item: &PathItem) -> Vec<&'static str> {
    [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
        ("HEAD", &item.head),
        ("OPTIONS", &item.options),
        ("TRACE", &item.trace),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_ref().map(|_| method))
    .collect()
}
