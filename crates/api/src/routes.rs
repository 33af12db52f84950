//! Every route, with who may use it. The router is made from this table, and the authorization test walks it.

use std::fmt;

use aide::axum::ApiRouter;
use aide::axum::routing::{ApiMethodRouter, delete, get, patch, post, put};
use ambo_controller::accounts::Permission;
use axum::Router;
use axum::middleware as layer;
use http::Method;
use tower_http::catch_panic::CatchPanicLayer;

use crate::conditional::conditional;
use crate::handlers::*;
use crate::middleware;
use crate::reference;
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
    /// Administrators, with a token that may be good for looking alone.
    AdministratorToRead,
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
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Its handler, by module and function.
    pub name: &'static str,
    pace: Pace,
    handler: fn() -> ApiMethodRouter<Api>,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Public => "For everybody.",
            Access::Secret => "For whoever knows the secret in the path.",
            Access::Password => "For whoever has a token, or knows a password.",
            Access::Token => "For whoever has a token.",
            Access::Account => "For whoever has a token that may do everything its account may.",
            Access::App(Permission::Read) => "For whoever may read the app.",
            Access::App(Permission::Deploy) => "For whoever may deploy the app.",
            Access::App(Permission::Manage) => "For whoever may manage the app.",
            Access::Administrator => "For administrators.",
            Access::AdministratorToRead => "For administrators, also with a token that only reads.",
        })
    }
}

// A row's comment is its summary in the reference, whose shapes come from the handler's signature: what stands in one needs
// `JsonSchema`. `AMBO_UPDATE_OPENAPI=1 cargo test -p ambo-api reference` renews `docs/openapi.json`.
macro_rules! routes {
    ($($(#[doc = $summary:literal])* $method:ident $verb:ident $path:literal $pace:ident $access:expr => $handler:path;)+) => {
        /// Every route.
        pub const ROUTES: &[Route] = &[$(Route {
            method: Method::$method,
            path: $path,
            access: $access,
            summary: concat!($($summary),*),
            name: stringify!($handler),
            pace: Pace::$pace,
            handler: || $verb($handler),
        },)+];
    };
}

const READ: Access = Access::App(Permission::Read);
const DEPLOY: Access = Access::App(Permission::Deploy);
const MANAGE: Access = Access::App(Permission::Manage);

routes! {
    /// What this platform is: its version, domain and engine.
    GET get "/ambo/info" Answer Access::Public => info::find;
    /// The platform's certificate authority, in PEM.
    GET get "/ambo/ca.pem" Answer Access::Public => authority::find;
    /// Registers an account. The first one is the administrator.
    POST post "/ambo/accounts" Answer Access::Public => accounts::create;
    /// Lists all accounts.
    GET get "/ambo/accounts" Answer Access::Administrator => accounts::list;
    /// Invites somebody to register.
    POST post "/ambo/invitations" Answer Access::Administrator => invitations::create;
    /// Shows the platform's settings.
    GET get "/ambo/settings" Answer Access::Administrator => platform_settings::find;
    /// Changes the platform's settings.
    PATCH patch "/ambo/settings" Answer Access::Administrator => platform_settings::update;
    /// Removes the images that no kept release needs.
    POST post "/ambo/images/collect" Answer Access::Administrator => images::collect;
    /// What is measured of the platform, its nodes, apps and instances, for Prometheus.
    GET get "/metrics" Answer Access::AdministratorToRead => metrics::page;
    /// Lists the archives of the platform where it keeps them.
    GET get "/ambo/backups" Answer Access::Administrator => backups::list;
    /// Begins a backup of the platform.
    POST post "/ambo/backups" Answer Access::Administrator => backups::create;
    /// Makes a backup of the platform and sends its archive, which is whole only when the answer ends properly.
    POST post "/ambo/backups/download" Stream Access::Administrator => backups::download;
    /// Shows how far a backup is.
    GET get "/ambo/backups/{backup}" Answer Access::Administrator => backups::find;

    /// Makes a token.
    POST post "/oauth/authorizations" Answer Access::Password => authorizations::create;
    /// Lists your tokens.
    GET get "/oauth/authorizations" Answer Access::Account => authorizations::list;
    /// Shows a token.
    GET get "/oauth/authorizations/{token}" Answer Access::Account => authorizations::find;
    /// Revokes a token.
    DELETE delete "/oauth/authorizations/{token}" Answer Access::Account => authorizations::revoke;
    /// Changes what a token is called.
    PATCH patch "/oauth/authorizations/{token}" Answer Access::Account => authorizations::update;
    /// Replaces a token by a new one.
    POST post "/oauth/authorizations/{token}/actions/regenerate-tokens" Answer Access::Account => authorizations::regenerate;
    /// Revokes the token that the request is sent with.
    DELETE delete "/oauth/sessions/~" Answer Access::Token => authorizations::session_end;

    /// Shows your account.
    GET get "/account" Answer Access::Token => account::find;
    /// Changes your password.
    PATCH patch "/account" Answer Access::Account => account::update;
    /// Shows your account.
    GET get "/users/~" Answer Access::Token => account::find;
    /// Another account, by address or id.
    GET get "/users/{user}" Answer Access::Account => account::find_other;
    /// Shows how many requests are left.
    GET get "/account/rate-limits" Answer Access::Token => account::rate_limits;
    /// Lists your SSH keys.
    GET get "/account/keys" Answer Access::Account => keys::list;
    /// Adds an SSH key.
    POST post "/account/keys" Answer Access::Account => keys::create;
    /// Shows an SSH key.
    GET get "/account/keys/{key}" Answer Access::Account => keys::find;
    /// Removes an SSH key.
    DELETE delete "/account/keys/{key}" Answer Access::Account => keys::remove;
    /// Gives an app to another account.
    POST post "/account/app-transfers" Answer MANAGE => app_transfers::create;

    /// Lists the apps that you may see.
    GET get "/apps" Answer Access::Token => apps::list;
    /// Lists the apps that you own or work on.
    GET get "/users/~/apps" Answer Access::Token => apps::list_own;
    /// Makes an app.
    POST post "/apps" Answer Access::Account => apps::create;
    /// Shows an app.
    GET get "/apps/{app}" Answer READ => apps::find;
    /// Renames an app, or turns its maintenance mode on or off.
    PATCH patch "/apps/{app}" Answer DEPLOY => apps::update;
    /// Destroys an app with everything that belongs to it.
    DELETE delete "/apps/{app}" Answer MANAGE => apps::destroy;
    /// Gives an app to another account.
    PATCH patch "/ambo/apps/{app}/transfer" Answer MANAGE => app_transfers::update;

    /// Lists who may deploy an app.
    GET get "/apps/{app}/collaborators" Answer READ => collaborators::list;
    /// Lets an account deploy an app.
    POST post "/apps/{app}/collaborators" Answer MANAGE => collaborators::create;
    /// Ends what an account may do with an app.
    DELETE delete "/apps/{app}/collaborators/{email}" Answer MANAGE => collaborators::remove;

    /// Shows an app's config.
    GET get "/apps/{app}/config-vars" Answer DEPLOY => config_vars::find;
    /// Sets config variables, and unsets those that are null. Makes a release.
    PATCH patch "/apps/{app}/config-vars" Answer DEPLOY => config_vars::update;

    /// Lists releases.
    GET get "/apps/{app}/releases" Answer READ => releases::list;
    /// Goes back to a release's build and config, or releases a slug. Makes a release.
    POST post "/apps/{app}/releases" Answer DEPLOY => releases::create;
    /// Shows a release.
    GET get "/apps/{app}/releases/{release}" Answer READ => releases::find;
    /// Follows what a release's release phase says.
    GET get "/ambo/release-output/{session}" Stream Access::Secret => release_output::read;
    /// Shows a release's config.
    GET get "/apps/{app}/releases/{release}/config-vars" Answer DEPLOY => config_vars::find_of_release;

    /// Lists builds.
    GET get "/apps/{app}/builds" Answer READ => builds::list;
    /// Builds a source.
    POST post "/apps/{app}/builds" Answer DEPLOY => builds::create;
    /// Shows a build.
    GET get "/apps/{app}/builds/{build}" Answer READ => builds::find;
    /// Empties the build cache.
    DELETE delete "/apps/{app}/build-cache" Answer DEPLOY => builds::cache_empty;
    /// Follows what a build says.
    GET get "/ambo/builds/{build}/output/{secret}" Stream Access::Secret => builds::output;
    /// Sets an app up from a source with an `app.json`.
    POST post "/app-setups" Answer Access::Account => app_setups::create;
    /// Shows how a setup goes.
    GET get "/app-setups/{setup}" Answer Access::Token => app_setups::find;
    /// Makes a place to upload a source to.
    POST post "/sources" Answer Access::Account => sources::create;
    /// Makes a place to upload a source to.
    POST post "/apps/{app}/sources" Answer DEPLOY => sources::create_for_app;
    /// Uploads a source.
    PUT put "/ambo/sources/{secret}" Stream Access::Secret => sources::receive;
    /// Downloads a source.
    GET get "/ambo/sources/{secret}" Stream Access::Secret => sources::download;
    /// Refused: push a source or an image instead.
    POST post "/apps/{app}/slugs" Answer DEPLOY => slugs::create;
    /// Shows the image of a release as Heroku shows a slug.
    GET get "/apps/{app}/slugs/{slug}" Answer READ => slugs::find;
    /// Builds an uploaded archive or takes an image, and tells how it goes.
    POST post "/ambo/apps/{app}/builds" Stream DEPLOY => build_stream::create;

    /// Shows an app's processes and how many of each are wanted.
    GET get "/apps/{app}/formation" Answer READ => formation::list;
    /// Scales processes.
    PATCH patch "/apps/{app}/formation" Answer DEPLOY => formation::update_batch;
    /// Shows a process.
    GET get "/apps/{app}/formation/{process}" Answer READ => formation::find;
    /// Scales a process.
    PATCH patch "/apps/{app}/formation/{process}" Answer DEPLOY => formation::update;
    /// Shows the processes' limits.
    GET get "/ambo/apps/{app}/limits" Answer READ => limits::find;
    /// Changes the processes' limits.
    PATCH patch "/ambo/apps/{app}/limits" Answer DEPLOY => limits::update;
    /// Shows the tags that nodes must carry for the processes to run there.
    GET get "/ambo/apps/{app}/tags" Answer READ => tags::find;
    /// Changes the processes' tags.
    PATCH patch "/ambo/apps/{app}/tags" Answer DEPLOY => tags::update;
    /// Shows what an app's instances use, and how its requests fare.
    GET get "/ambo/apps/{app}/metrics" Answer READ => metrics::find;
    /// Shows the processes' health checks.
    GET get "/ambo/apps/{app}/healthchecks" Answer READ => healthchecks::find;
    /// Changes the processes' health checks.
    PATCH patch "/ambo/apps/{app}/healthchecks" Answer DEPLOY => healthchecks::update;

    /// Lists what runs.
    GET get "/apps/{app}/dynos" Answer READ => dynos::list;
    /// Runs a program beside the app.
    POST post "/apps/{app}/dynos" Answer DEPLOY => dynos::create;
    /// Restarts all instances.
    DELETE delete "/apps/{app}/dynos" Answer DEPLOY => dynos::restart_all;
    /// Shows an instance.
    GET get "/apps/{app}/dynos/{dyno}" Answer READ => dynos::find;
    /// Runs a program inside an instance.
    POST post "/apps/{app}/dynos/{dyno}" Answer DEPLOY => dynos::exec;
    /// Stops an instance; one that the formation wants is replaced.
    DELETE delete "/apps/{app}/dynos/{dyno}" Answer DEPLOY => dynos::stop;
    /// Stops an instance; one that the formation wants is replaced.
    POST post "/apps/{app}/dynos/{dyno}/actions/stop" Answer DEPLOY => dynos::stop;
    /// Restarts the instances of a process.
    DELETE delete "/apps/{app}/formations/{process}" Answer DEPLOY => dynos::restart_process;
    /// Stops the instances of a process; those that the formation wants are replaced.
    POST post "/apps/{app}/formations/{process}/actions/stop" Answer DEPLOY => dynos::stop_process;
    /// Attaches to a run over a WebSocket.
    GET get "/ambo/attach/{secret}" Stream Access::Secret => attach::attach;

    /// Lists domains.
    GET get "/apps/{app}/domains" Answer READ => domains::list;
    /// Adds a domain.
    POST post "/apps/{app}/domains" Answer DEPLOY => domains::create;
    /// Shows a domain.
    GET get "/apps/{app}/domains/{domain}" Answer READ => domains::find;
    /// Removes a domain.
    DELETE delete "/apps/{app}/domains/{domain}" Answer DEPLOY => domains::remove;

    /// Says which certificate a domain is served with.
    PATCH patch "/apps/{app}/domains/{domain}" Answer DEPLOY => domains::update;
    /// Lists an app's certificates.
    GET get "/apps/{app}/sni-endpoints" Answer READ => sni_endpoints::list;
    /// Adds a certificate with its key.
    POST post "/apps/{app}/sni-endpoints" Answer DEPLOY => sni_endpoints::create;
    /// Shows a certificate.
    GET get "/apps/{app}/sni-endpoints/{certificate}" Answer READ => sni_endpoints::find;
    /// Replaces a certificate and its key.
    PATCH patch "/apps/{app}/sni-endpoints/{certificate}" Answer DEPLOY => sni_endpoints::update;
    /// Removes a certificate.
    DELETE delete "/apps/{app}/sni-endpoints/{certificate}" Answer DEPLOY => sni_endpoints::remove;
    /// Whether certificates are fetched automatically: not yet.
    GET get "/apps/{app}/acm" Answer READ => acm::find;
    /// Refused: certificates are not fetched automatically yet.
    POST post "/apps/{app}/acm" Answer DEPLOY => acm::create;
    /// Refused: certificates are not fetched automatically yet.
    PATCH patch "/apps/{app}/acm" Answer DEPLOY => acm::create;
    /// Nothing to turn off: certificates are not fetched automatically yet.
    DELETE delete "/apps/{app}/acm" Answer DEPLOY => acm::remove;

    /// Lists the pipelines that the caller sees, by name.
    GET get "/pipelines" Answer Access::Token => pipelines::list;
    /// Creates a pipeline.
    POST post "/pipelines" Answer Access::Account => pipelines::create;
    /// One pipeline, by id or name.
    GET get "/pipelines/{pipeline}" Answer Access::Token => pipelines::find;
    /// Renames a pipeline. For its owner.
    PATCH patch "/pipelines/{pipeline}" Answer Access::Account => pipelines::update;
    /// Destroys a pipeline; its apps stay. For its owner.
    DELETE delete "/pipelines/{pipeline}" Answer Access::Account => pipelines::destroy;
    /// Gives a pipeline and all its apps to another account. For the owner of all of them.
    POST post "/pipeline-transfers" Answer Access::Account => pipelines::transfer;
    /// Lists the apps of a pipeline with their stages.
    GET get "/pipelines/{pipeline}/pipeline-couplings" Answer Access::Token => pipeline_couplings::list_of_pipeline;
    /// Lists the places in pipelines of all apps that the caller sees.
    GET get "/pipeline-couplings" Answer Access::Token => pipeline_couplings::list;
    /// The same.
    GET get "/users/~/pipeline-couplings" Answer Access::Token => pipeline_couplings::list;
    /// Gives an app a place in a pipeline.
    POST post "/pipeline-couplings" Answer DEPLOY => pipeline_couplings::create;
    /// One app's place in its pipeline.
    GET get "/pipeline-couplings/{coupling}" Answer Access::Token => pipeline_couplings::find;
    /// Moves an app to another stage.
    PATCH patch "/pipeline-couplings/{coupling}" Answer Access::Account => pipeline_couplings::update;
    /// Takes an app out of its pipeline.
    DELETE delete "/pipeline-couplings/{coupling}" Answer Access::Account => pipeline_couplings::remove;
    /// An app's place in its pipeline: one object, or 404.
    GET get "/apps/{app}/pipeline-couplings" Answer READ => pipeline_couplings::find_of_app;
    /// Several apps at once, by id; those that the caller does not see are left out.
    POST post "/filters/apps" Answer Access::Token => app_filters::filter;
    /// Releases what one app of a pipeline runs to others, in the background.
    POST post "/pipeline-promotions" Answer Access::Account => pipeline_promotions::create;
    /// How far a promotion is.
    GET get "/pipeline-promotions/{promotion}" Answer Access::Token => pipeline_promotions::find;
    /// How far a promotion is with each app.
    GET get "/pipeline-promotions/{promotion}/promotion-targets" Answer Access::Token => pipeline_promotions::targets;

    /// Where an app's log goes beside the platform's own store.
    GET get "/apps/{app}/log-drains" Answer READ => log_drains::list;
    /// Sends an app's log to one more place: syslog over TCP or TLS, or Heroku's HTTPS drains.
    POST post "/apps/{app}/log-drains" Answer DEPLOY => log_drains::create;
    /// One drain, by id, token or percent-encoded URL.
    GET get "/apps/{app}/log-drains/{drain}" Answer READ => log_drains::find;
    /// Sends an app's log there no longer.
    DELETE delete "/apps/{app}/log-drains/{drain}" Answer DEPLOY => log_drains::remove;

    /// Opens a log session.
    POST post "/apps/{app}/log-sessions" Answer READ => log_sessions::create;
    /// Reads the log of a session.
    GET get "/ambo/logs/{session}" Stream Access::Secret => log_stream::read;

    /// Lists the one region that there is.
    GET get "/regions" Answer Access::Token => unoffered::regions;
    /// Lists the one stack that there is.
    GET get "/stacks" Answer Access::Token => unoffered::stacks;
    /// An empty list: Ambo has none of these.
    GET get "/teams" Answer Access::Token => unoffered::none_of_account;
    /// An empty list: Ambo has none of these.
    GET get "/addons" Answer Access::Token => unoffered::none_of_account;
    /// An empty list: Ambo has none of these.
    GET get "/addon-attachments" Answer Access::Token => unoffered::none_of_account;
    /// An empty list: Ambo has none of these.
    GET get "/account/features" Answer Access::Token => unoffered::none_of_account;
    /// An empty list: Ambo has none of these.
    GET get "/apps/{app}/addons" Answer READ => unoffered::none_of_app;
    /// An empty list: Ambo has none of these.
    GET get "/apps/{app}/addon-attachments" Answer READ => unoffered::none_of_app;
    /// An empty list: Ambo has none of these.
    GET get "/apps/{app}/features" Answer READ => unoffered::none_of_app;
    /// Lists the sizes that instances can have.
    GET get "/dyno-sizes" Answer Access::Token => unoffered::dyno_sizes;
    /// Not found: there are no such features.
    GET get "/account/features/{feature}" Answer Access::Token => unoffered::no_feature_of_account;
    /// Not found: there are no such features.
    PATCH patch "/account/features/{feature}" Answer Access::Token => unoffered::no_feature_of_account;
    /// Not found: there are no such features.
    GET get "/apps/{app}/features/{feature}" Answer READ => unoffered::no_feature_of_app;
    /// Not found: there are no such features.
    PATCH patch "/apps/{app}/features/{feature}" Answer READ => unoffered::no_feature_of_app;
    /// Refused: Ambo offers no add-ons yet.
    POST post "/apps/{app}/addons" Answer DEPLOY => addons::create;
    /// Not found: there are no add-ons yet.
    GET get "/apps/{app}/addons/{addon}" Answer READ => addons::find;
    /// Not found: there are no add-ons yet.
    DELETE delete "/apps/{app}/addons/{addon}" Answer READ => addons::find;
    /// Not found: there are no add-ons yet.
    POST post "/actions/addons/resolve" Answer Access::Token => addons::resolve;
    /// Not found: there are no add-ons yet.
    POST post "/actions/addon-attachments/resolve" Answer Access::Token => addons::resolve;
    /// Lists the buildpacks that are set.
    GET get "/apps/{app}/buildpack-installations" Answer READ => buildpacks::list;
    /// Sets the buildpacks.
    PUT put "/apps/{app}/buildpack-installations" Answer DEPLOY => buildpacks::replace;
    /// Shows a buildpack by its registered name.
    GET get "/buildpacks/{name}" Answer Access::Public => buildpacks::registered;
    /// Whether the platform is well.
    GET get "/api/v4/current-status" Answer Access::Public => status::current;
}

/// The routes with their handlers, each in layers of its own.
pub(crate) fn table(layered: impl Fn(&Route, ApiMethodRouter<Api>) -> ApiMethodRouter<Api>) -> ApiRouter<Api> {
    ROUTES
        .iter()
        .fold(ApiRouter::new(), |router, route| router.api_route(route.path, layered(route, (route.handler)())))
}

/// The API as a service. Other routers can be merged with it, so long as they have no fallback of their own.
pub fn router(api: Api) -> Router {
    let layered = |route: &Route, handler: ApiMethodRouter<Api>| match route.pace {
        Pace::Answer => handler
            .layer(layer::from_fn(conditional))
            .layer(layer::from_fn(middleware::deadline))
            .layer(layer::from_fn_with_state(api.clone(), resent::once)),
        Pace::Stream => handler,
    };
    Router::from(table(layered))
        .route("/openapi.json", axum::routing::get(reference::json))
        .route("/docs", axum::routing::get(reference::html))
        .method_not_allowed_fallback(middleware::no_such_method)
        .fallback(middleware::nothing_here)
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(layer::from_fn(middleware::observe))
        .with_state(api)
}
