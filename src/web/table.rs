//! Which pages there are, and whom each is for. The router is built from this table alone, so that a
//! page which is not in it does not exist, and a test can ask for every one as everybody.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::Method;
use axum::routing::{MethodFilter, get, on};

use super::page::{self, Page};
use super::visit::{self, Site, Stop, Visit};
use crate::domain::codes::Role;

/// Whom a page is for. What may be done on it is decided by the rules all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Whoever has a certificate, before her second factor.
    Certificate,
    /// Whoever has shown a second factor.
    SignedIn,
    /// The same, in one of these roles.
    Roles(&'static [Role]),
}

impl For {
    pub fn is_open_to(self, role: Role, signed_in: bool) -> bool {
        match self {
            Self::Certificate => true,
            Self::SignedIn => signed_in,
            Self::Roles(roles) => signed_in && roles.contains(&role),
        }
    }
}

/// One page, for the tests and for the navigation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    pub method: Method,
    pub path: &'static str,
    pub whom: For,
}

/// The pages in the making.
pub struct Pages {
    router: Router<Arc<Site>>,
    declared: Vec<Declared>,
}

impl Pages {
    pub fn new() -> Self {
        let mut router = Router::new();
        for asset in page::ASSETS {
            router = router.route(asset.path, get(async move || page::asset(asset)));
        }
        Self {
            router,
            declared: Vec::new(),
        }
    }

    /// A page that is looked at.
    #[must_use]
    pub fn get<F, Made>(self, path: &'static str, whom: For, page: F) -> Self
    where
        F: Fn(Visit) -> Made + Clone + Send + Sync + 'static,
        Made: Future<Output = Result<Page, Stop>> + Send,
    {
        self.with(MethodFilter::GET, Method::GET, path, whom, page)
    }

    /// A form that is sent.
    #[must_use]
    pub fn post<F, Made>(self, path: &'static str, whom: For, page: F) -> Self
    where
        F: Fn(Visit) -> Made + Clone + Send + Sync + 'static,
        Made: Future<Output = Result<Page, Stop>> + Send,
    {
        self.with(MethodFilter::POST, Method::POST, path, whom, page)
    }

    fn with<F, Made>(
        mut self,
        filter: MethodFilter,
        method: Method,
        path: &'static str,
        whom: For,
        page: F,
    ) -> Self
    where
        F: Fn(Visit) -> Made + Clone + Send + Sync + 'static,
        Made: Future<Output = Result<Page, Stop>> + Send,
    {
        self.declared.push(Declared { method, path, whom });
        // A path names at most one thing: `{id}`.
        let answer = async move |State(site): State<Arc<Site>>,
                                 id: Option<Path<String>>,
                                 request: Request| {
            let id = id.map(|Path(id)| id).unwrap_or_default();
            visit::answer(site, request, whom, id, page).await
        };
        self.router = self.router.route(path, on(filter, answer));
        self
    }

    pub fn declared(&self) -> &[Declared] {
        &self.declared
    }

    pub fn router(self) -> Router<Arc<Site>> {
        self.router.method_not_allowed_fallback(
            async |State(site): State<Arc<Site>>, request: Request| {
                visit::wrong_method(site, request).await
            },
        )
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self::new()
    }
}
