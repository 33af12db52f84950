//! The table as it goes to routers: the whole of it to a new one, what has changed to the others. Each is encoded once,
//! however many routers it goes to.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use ambo_model::{AppId, Route, RouteTable};

use super::message::ToRouter;
use crate::frames::Frame;

pub(super) type Routes = BTreeMap<AppId, Arc<Route>>;

/// The newest table, and the one before it, which most routers go by when it comes.
#[derive(Debug, Default)]
pub(super) struct Tables {
    newest: Option<Arc<Routes>>,
    before: Option<Arc<Routes>>,
    whole: Option<Frame>,
    change: Option<Frame>,
}

impl Tables {
    /// Takes the next table; `false` when it is the same.
    pub(super) fn set(&mut self, table: RouteTable) -> bool {
        let routes = routes(self.newest.as_deref(), table);
        if self.newest.as_deref().is_some_and(|newest| is_same_table(newest, &routes)) {
            return false;
        }
        let before = self.newest.replace(Arc::new(routes));
        *self = Self { newest: self.newest.take(), before, whole: None, change: None };
        true
    }

    /// What a router has to hear that was sent `sent`; notes it as sent.
    ///
    /// # Errors
    /// When the table is larger than a message may be.
    pub(super) fn news(&mut self, sent: &mut Option<Arc<Routes>>) -> io::Result<Option<Frame>> {
        let Some(newest) = &self.newest else { return Ok(None) };
        let is_sent = |known: &Option<Arc<Routes>>| match (known, &*sent) {
            (Some(known), Some(sent)) => Arc::ptr_eq(known, sent),
            (known, sent) => known.is_none() && sent.is_none(),
        };
        if is_sent(&self.newest) {
            return Ok(None);
        }
        let frame = if sent.is_none() {
            once(&mut self.whole, || difference(None, newest))?
        } else if is_sent(&self.before) {
            once(&mut self.change, || difference(sent.as_deref(), newest))?
        } else {
            Frame::of(&difference(sent.as_deref(), newest))?
        };
        *sent = Some(Arc::clone(newest));
        Ok(Some(frame))
    }
}

/// Encodes a message unless it was before.
fn once(encoded: &mut Option<Frame>, message: impl FnOnce() -> ToRouter) -> io::Result<Frame> {
    if let Some(frame) = encoded {
        return Ok(frame.clone());
    }
    Ok(encoded.insert(Frame::of(&message())?).clone())
}

/// The same values as before where nothing changed, so that comparing is comparing addresses.
fn routes(known: Option<&Routes>, table: RouteTable) -> Routes {
    let kept = |route: Route| {
        let known = known.and_then(|known| known.get(&route.app)).filter(|known| ***known == route);
        known.cloned().unwrap_or_else(|| Arc::new(route))
    };
    table.routes.into_iter().map(|route| (route.app, kept(route))).collect()
}

fn is_same_table(known: &Routes, routes: &Routes) -> bool {
    known.len() == routes.len() && routes.iter().all(|(app, route)| is_same(known, app, route))
}

fn is_same(known: &Routes, app: &AppId, route: &Arc<Route>) -> bool {
    known.get(app).is_some_and(|known| Arc::ptr_eq(known, route))
}

fn difference(sent: Option<&Routes>, routes: &Routes) -> ToRouter {
    let Some(sent) = sent else {
        let routes = routes.values().map(|route| route.as_ref().clone()).collect();
        return ToRouter::Table { whole: true, routes, gone: Vec::new() };
    };
    let changed = routes.iter().filter(|(app, route)| !is_same(sent, app, route));
    let gone = sent.keys().filter(|app| !routes.contains_key(app)).copied().collect();
    ToRouter::Table { whole: false, routes: changed.map(|(_, route)| route.as_ref().clone()).collect(), gone }
}
