//! Every route, with who may use it. The router is made from this table, and the authorization test walks it.

use ambo_controller::accounts::Permission;
use axum::Router;
use axum::middleware as layer;
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use http::Method;
use tower_http::catch_panic::CatchPanicLayer;

use crate::conditional::conditional;
use crate::handlers::*;
use crate::middleware;
use crate::resent;
use crate::state::Api;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Whoever knows the secret in the path.
    Secret,
    /// Whoever has a token, or knows a password.
    Password,
    /// Whoever has a token.
    Token,
    /// Whoever has a token that may do everything its account may.
    Account,
    /// Those with this permission on the app that the path or body names.
    App(Permission),
    /// Administrators.
    Administrator,
}

/// How long an answer takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// It comes in one piece, in time.
    Answer,
    /// It goes on for as long as it takes.
    Stream,
}

/// A route.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    pace: Pace,
    handler: fn() -> MethodRouter<Api>,
}

macro_rules! routes {
    ($($method:ident $verb:ident $path:literal $pace:ident $access:expr => $handler:path;)+) => {
        /// Every route.
        pub const ROUTES: &[Route] = &[$(Route {
            method: Method::$method,
            path: $path,
            access: $access,
            pace: Pace::$pace,
            handler: || $verb($handler),
        },)+];
    };
}

const READ: Access = Access::App(Permission::Read);
const DEPLOY: Access = Access::App(Permission::Deploy);
const MANAGE: Access = Access::App(Permission::Manage);

routes! {
    GET get "/ambo/info" Answer Access::Public => info::find;
    GET get "/ambo/ca.pem" Answer Access::Public => authority::find;
    POST post "/ambo/accounts" Answer Access::Public => accounts::create;
    GET get "/ambo/accounts" Answer Access::Administrator => accounts::list;
    POST post "/ambo/invitations" Answer Access::Administrator => invitations::create;
    GET get "/ambo/settings" Answer Access::Administrator => platform_settings::find;
    PATCH patch "/ambo/settings" Answer Access::Administrator => platform_settings::update;
    POST post "/ambo/images/collect" Answer Access::Administrator => images::collect;

    POST post "/oauth/authorizations" Answer Access::Password => authorizations::create;
    GET get "/oauth/authorizations" Answer Access::Account => authorizations::list;
    GET get "/oauth/authorizations/{token}" Answer Access::Account => authorizations::find;
    DELETE delete "/oauth/authorizations/{token}" Answer Access::Account => authorizations::revoke;
    PATCH patch "/oauth/authorizations/{token}" Answer Access::Account => authorizations::update;
    POST post "/oauth/authorizations/{token}/actions/regenerate-tokens" Answer Access::Account => authorizations::regenerate;
    DELETE delete "/oauth/sessions/~" Answer Access::Token => authorizations::session_end;

    GET get "/account" Answer Access::Token => account::find;
    PATCH patch "/account" Answer Access::Account => account::update;
    GET get "/users/~" Answer Access::Token => account::find;
    GET get "/account/rate-limits" Answer Access::Token => account::rate_limits;
    GET get "/account/keys" Answer Access::Account => keys::list;
    POST post "/account/keys" Answer Access::Account => keys::create;
    GET get "/account/keys/{key}" Answer Access::Account => keys::find;
    DELETE delete "/account/keys/{key}" Answer Access::Account => keys::remove;
    POST post "/account/app-transfers" Answer MANAGE => app_transfers::create;

    GET get "/apps" Answer Access::Token => apps::list;
    GET get "/users/~/apps" Answer Access::Token => apps::list_own;
    POST post "/apps" Answer Access::Account => apps::create;
    GET get "/apps/{app}" Answer READ => apps::find;
    PATCH patch "/apps/{app}" Answer DEPLOY => apps::update;
    DELETE delete "/apps/{app}" Answer MANAGE => apps::destroy;
    PATCH patch "/ambo/apps/{app}/transfer" Answer MANAGE => app_transfers::update;

    GET get "/apps/{app}/collaborators" Answer READ => collaborators::list;
    POST post "/apps/{app}/collaborators" Answer MANAGE => collaborators::create;
    DELETE delete "/apps/{app}/collaborators/{email}" Answer MANAGE => collaborators::remove;

    GET get "/apps/{app}/config-vars" Answer DEPLOY => config_vars::find;
    PATCH patch "/apps/{app}/config-vars" Answer DEPLOY => config_vars::update;

    GET get "/apps/{app}/releases" Answer READ => releases::list;
    POST post "/apps/{app}/releases" Answer DEPLOY => releases::create;
    GET get "/apps/{app}/releases/{release}" Answer READ => releases::find;
    GET get "/ambo/release-output/{session}" Stream Access::Secret => release_output::read;
    GET get "/apps/{app}/releases/{release}/config-vars" Answer DEPLOY => config_vars::find_of_release;

    GET get "/apps/{app}/builds" Answer READ => builds::list;
    POST post "/apps/{app}/builds" Answer DEPLOY => builds::create;
    GET get "/apps/{app}/builds/{build}" Answer READ => builds::find;
    DELETE delete "/apps/{app}/build-cache" Answer DEPLOY => builds::cache_empty;
    GET get "/ambo/builds/{build}/output/{secret}" Stream Access::Secret => builds::output;
    POST post "/app-setups" Answer Access::Account => app_setups::create;
    GET get "/app-setups/{setup}" Answer Access::Token => app_setups::find;
    POST post "/sources" Answer Access::Account => sources::create;
    POST post "/apps/{app}/sources" Answer DEPLOY => sources::create_for_app;
    PUT put "/ambo/sources/{secret}" Stream Access::Secret => sources::receive;
    GET get "/ambo/sources/{secret}" Stream Access::Secret => sources::download;
    POST post "/apps/{app}/slugs" Answer DEPLOY => slugs::create;
    GET get "/apps/{app}/slugs/{slug}" Answer READ => slugs::find;
    POST post "/ambo/apps/{app}/builds" Stream DEPLOY => build_stream::create;

    GET get "/apps/{app}/formation" Answer READ => formation::list;
    PATCH patch "/apps/{app}/formation" Answer DEPLOY => formation::update_batch;
    GET get "/apps/{app}/formation/{process}" Answer READ => formation::find;
    PATCH patch "/apps/{app}/formation/{process}" Answer DEPLOY => formation::update;
    GET get "/ambo/apps/{app}/limits" Answer READ => limits::find;
    PATCH patch "/ambo/apps/{app}/limits" Answer DEPLOY => limits::update;
    GET get "/ambo/apps/{app}/healthchecks" Answer READ => healthchecks::find;
    PATCH patch "/ambo/apps/{app}/healthchecks" Answer DEPLOY => healthchecks::update;

    GET get "/apps/{app}/dynos" Answer READ => dynos::list;
    POST post "/apps/{app}/dynos" Answer DEPLOY => dynos::create;
    DELETE delete "/apps/{app}/dynos" Answer DEPLOY => dynos::restart_all;
    GET get "/apps/{app}/dynos/{dyno}" Answer READ => dynos::find;
    POST post "/apps/{app}/dynos/{dyno}" Answer DEPLOY => dynos::exec;
    DELETE delete "/apps/{app}/dynos/{dyno}" Answer DEPLOY => dynos::stop;
    POST post "/apps/{app}/dynos/{dyno}/actions/stop" Answer DEPLOY => dynos::stop;
    DELETE delete "/apps/{app}/formations/{process}" Answer DEPLOY => dynos::restart_process;
    POST post "/apps/{app}/formations/{process}/actions/stop" Answer DEPLOY => dynos::stop_process;
    GET get "/ambo/attach/{secret}" Stream Access::Secret => attach::attach;

    GET get "/apps/{app}/domains" Answer READ => domains::list;
    POST post "/apps/{app}/domains" Answer DEPLOY => domains::create;
    GET get "/apps/{app}/domains/{domain}" Answer READ => domains::find;
    DELETE delete "/apps/{app}/domains/{domain}" Answer DEPLOY => domains::remove;

    PATCH patch "/apps/{app}/domains/{domain}" Answer DEPLOY => domains::update;
    GET get "/apps/{app}/sni-endpoints" Answer READ => sni_endpoints::list;
    POST post "/apps/{app}/sni-endpoints" Answer DEPLOY => sni_endpoints::create;
    GET get "/apps/{app}/sni-endpoints/{certificate}" Answer READ => sni_endpoints::find;
    PATCH patch "/apps/{app}/sni-endpoints/{certificate}" Answer DEPLOY => sni_endpoints::update;
    DELETE delete "/apps/{app}/sni-endpoints/{certificate}" Answer DEPLOY => sni_endpoints::remove;
    GET get "/apps/{app}/acm" Answer READ => acm::find;
    POST post "/apps/{app}/acm" Answer DEPLOY => acm::create;
    PATCH patch "/apps/{app}/acm" Answer DEPLOY => acm::create;
    DELETE delete "/apps/{app}/acm" Answer DEPLOY => acm::remove;

    POST post "/apps/{app}/log-sessions" Answer READ => log_sessions::create;
    GET get "/ambo/logs/{session}" Stream Access::Secret => log_stream::read;

    GET get "/regions" Answer Access::Token => unoffered::regions;
    GET get "/stacks" Answer Access::Token => unoffered::stacks;
    GET get "/teams" Answer Access::Token => unoffered::none_of_account;
    GET get "/addons" Answer Access::Token => unoffered::none_of_account;
    GET get "/addon-attachments" Answer Access::Token => unoffered::none_of_account;
    GET get "/account/features" Answer Access::Token => unoffered::none_of_account;
    GET get "/apps/{app}/addons" Answer READ => unoffered::none_of_app;
    GET get "/apps/{app}/addon-attachments" Answer READ => unoffered::none_of_app;
    GET get "/apps/{app}/features" Answer READ => unoffered::none_of_app;
    GET get "/dyno-sizes" Answer Access::Token => unoffered::dyno_sizes;
    GET get "/account/features/{feature}" Answer Access::Token => unoffered::no_feature_of_account;
    PATCH patch "/account/features/{feature}" Answer Access::Token => unoffered::no_feature_of_account;
    GET get "/apps/{app}/features/{feature}" Answer READ => unoffered::no_feature_of_app;
    PATCH patch "/apps/{app}/features/{feature}" Answer READ => unoffered::no_feature_of_app;
    POST post "/apps/{app}/addons" Answer DEPLOY => addons::create;
    GET get "/apps/{app}/addons/{addon}" Answer READ => addons::find;
    DELETE delete "/apps/{app}/addons/{addon}" Answer READ => addons::find;
    POST post "/actions/addons/resolve" Answer Access::Token => addons::resolve;
    POST post "/actions/addon-attachments/resolve" Answer Access::Token => addons::resolve;
    GET get "/apps/{app}/buildpack-installations" Answer READ => buildpacks::list;
    PUT put "/apps/{app}/buildpack-installations" Answer DEPLOY => buildpacks::replace;
    GET get "/buildpacks/{name}" Answer Access::Public => buildpacks::registered;
    GET get "/api/v4/current-status" Answer Access::Public => status::current;
}

/// The API as a service. Other routers can be merged with it, so long as they have no fallback of their own.
pub fn router(api: Api) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let handler = (route.handler)();
        let handler = match route.pace {
            Pace::Answer => handler
                .layer(layer::from_fn(conditional))
                .layer(layer::from_fn(middleware::deadline))
                .layer(layer::from_fn_with_state(api.clone(), resent::once)),
            Pace::Stream => handler,
        };
        router = router.route(route.path, handler);
    }
    router
        .method_not_allowed_fallback(middleware::no_such_method)
        .fallback(middleware::nothing_here)
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(layer::from_fn(middleware::observe))
        .with_state(api)
}
