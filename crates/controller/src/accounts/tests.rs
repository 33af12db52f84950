//! Claims about accounts as a whole, on a real store.

use std::net::IpAddr;
use std::time::Duration;

use ambo_model::{Email, Role, Secret, Timestamp};
use ambo_store::{Page, SqliteStore, Store};

use super::*;

struct World {
    accounts: Accounts,
    store: Arc<dyn Store>,
    _dir: tempfile::TempDir,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&dir.path().join("state.db")).unwrap());
    World { accounts: Accounts::new(store.clone()), store, _dir: dir }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn registration(address: &str, invitation: Option<&Secret>) -> Registration {
    Registration { email: email(address), password: Secret::new("correct horse"), invitation: invitation.cloned() }
}

impl World {
    /// The administrator, registered first.
    async fn administrator(&self) -> Caller {
        let (account, _, _) =
            self.accounts.account_register(registration("ann@example.com", None), now()).await.unwrap();
        Caller::of(&account)
    }

    /// Somebody else, invited.
    async fn member(&self, administrator: &Caller, address: &str) -> Caller {
        let (_, code) = self.accounts.invitation_create(administrator, None, now()).await.unwrap();
        let wanted = registration(address, Some(&code));
        Caller::of(&self.accounts.account_register(wanted, now()).await.unwrap().0)
    }
}

#[tokio::test]
async fn the_first_account_is_the_administrator_and_closes_registration() {
    let world = world();
    assert_eq!(world.accounts.registration_mode().await.unwrap(), RegistrationMode::Open);
    let ann = world.administrator().await;
    assert_eq!(ann.role, Role::Administrator);
    assert_eq!(world.accounts.registration_mode().await.unwrap(), RegistrationMode::Closed);
    let refused = world.accounts.account_register(registration("bob@example.com", None), now()).await.unwrap_err();
    assert!(matches!(refused, AccountError::RegistrationClosed));
}

#[tokio::test]
async fn of_many_first_registrations_at_once_one_wins() {
    let world = world();
    let register = |n: u32| world.accounts.account_register(registration(&format!("u{n}@example.com"), None), now());
    let results = futures::future::join_all((0..4).map(register)).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let roles: Vec<Role> = results.into_iter().flatten().map(|(account, ..)| account.role).collect();
    assert_eq!(roles, [Role::Administrator]);
}

#[tokio::test]
async fn open_registration_makes_members_and_an_address_is_taken_once() {
    let world = world();
    let ann = world.administrator().await;
    let update = PlatformSettingsUpdate { registration: Some(RegistrationMode::Open), releases_kept: Some(7) };
    let settings = world.accounts.platform_settings_update(&ann, &update).await.unwrap();
    assert_eq!(settings.releases_kept, Some(7));
    let (bob, ..) = world.accounts.account_register(registration("bob@example.com", None), now()).await.unwrap();
    assert_eq!(bob.role, Role::Member);
    let taken = world.accounts.account_register(registration("BOB@example.com", None), now()).await.unwrap_err();
    assert!(matches!(taken, AccountError::EmailTaken(_)));
    let bob = Caller::of(&bob);
    let refused = world.accounts.platform_settings_update(&bob, &update).await.unwrap_err();
    assert!(matches!(refused, AccountError::Forbidden(_)));
    assert!(world.accounts.account_list(&bob).await.is_err());
    assert_eq!(world.accounts.account_list(&ann).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_invitation_is_good_once_for_its_address_and_for_a_week() {
    let world = world();
    let ann = world.administrator().await;
    let (_, code) = world.accounts.invitation_create(&ann, Some(email("bob@example.com")), now()).await.unwrap();
    let register = |address, code, at| world.accounts.account_register(registration(address, Some(code)), at);
    let unknown = |result: Result<_, AccountError>| matches!(result, Err(AccountError::InvitationUnknown));
    assert!(unknown(register("eve@example.com", &code, now()).await));
    let guessed = Secret::new("guessed");
    assert!(unknown(register("bob@example.com", &guessed, now()).await));
    register("bob@example.com", &code, now()).await.unwrap();
    assert!(unknown(register("bob@example.com", &code, now()).await));
    let (_, late) = world.accounts.invitation_create(&ann, None, now()).await.unwrap();
    assert!(unknown(register("carl@example.com", &late, now() + INVITATION_LIFETIME).await));
}

#[tokio::test]
async fn short_passwords_are_refused() {
    let world = world();
    let short = Registration { password: Secret::new("seven77"), ..registration("a@example.com", None) };
    let refused = world.accounts.account_register(short, now()).await.unwrap_err();
    assert!(matches!(refused, AccountError::PasswordLength { chars: 7, .. }));
}

#[tokio::test]
async fn logins_are_refused_alike_and_throttled_per_account_and_per_address() {
    let world = world();
    world.administrator().await;
    let peer: IpAddr = "192.0.2.7".parse().unwrap();
    let login = |address: &str, password: &str, at| {
        let (address, password) = (email(address), Secret::new(password));
        let accounts = &world.accounts;
        async move { accounts.login(&address, &password, Some(peer), at).await }
    };
    login("ann@example.com", "correct horse", now()).await.unwrap();
    let wrong = login("ann@example.com", "wrong", now()).await.unwrap_err().to_string();
    assert_eq!(login("nobody@example.com", "wrong", now()).await.unwrap_err().to_string(), wrong);
    for _ in 0..4 {
        let _ = login("ann@example.com", "wrong", now()).await;
    }
    let throttled = login("ann@example.com", "correct horse", now()).await.unwrap_err();
    assert!(matches!(throttled, AccountError::Throttled { retry_after } if retry_after == Duration::from_secs(1)));
    login("ann@example.com", "correct horse", now() + Duration::from_secs(1)).await.unwrap();
    for n in 0..14 {
        let _ = login(&format!("u{n}@example.com"), "wrong", now()).await;
    }
    let throttled = login("other@example.com", "wrong", now()).await.unwrap_err();
    assert!(matches!(throttled, AccountError::Throttled { .. }), "{throttled}");
}

#[tokio::test]
async fn a_token_opens_its_account_until_it_ends_or_is_revoked() {
    let world = world();
    let ann = world.administrator().await;
    let request = |expires_in| TokenRequest { description: "ci".into(), scope: TokenScope::Read, expires_in };
    let (token, secret) = world.accounts.token_create(&ann, request(Some(60)), now()).await.unwrap();
    assert!(secret.reveal().starts_with("ambo_") && secret.reveal().len() == 48);
    let caller = world.accounts.caller_by_token(&secret, now()).await.unwrap();
    assert_eq!((caller.account, caller.scope, caller.token), (ann.account, TokenScope::Read, Some(token.id)));
    let later = now() + Duration::from_secs(60);
    assert!(matches!(world.accounts.caller_by_token(&secret, later).await, Err(AccountError::TokenUnknown)));
    let (token, secret) = world.accounts.token_create(&ann, request(None), later).await.unwrap();
    let listed = world.accounts.token_list(&ann, later).await.unwrap();
    assert_eq!(listed.len(), 2, "the first registration's token and the new one; the old one is over");
    let by_id = |at| world.accounts.caller_by_token_id(ann.account, token.id, at);
    assert_eq!(by_id(later).await.unwrap(), world.accounts.caller_by_token(&secret, later).await.unwrap());
    world.accounts.token_revoke(&ann, token.id).await.unwrap();
    assert!(world.accounts.caller_by_token(&secret, later).await.is_err());
    assert!(matches!(by_id(later).await, Err(AccountError::TokenUnknown)));
    assert!(world.accounts.token_create(&ann, request(Some(0)), now()).await.is_err());
}

#[tokio::test]
async fn a_lesser_token_makes_no_others_but_may_end_itself() {
    let world = world();
    let ann = world.administrator().await;
    let request = TokenRequest { description: String::new(), scope: TokenScope::Read, expires_in: None };
    let (token, secret) = world.accounts.token_create(&ann, request.clone(), now()).await.unwrap();
    let reader = world.accounts.caller_by_token(&secret, now()).await.unwrap();
    assert!(world.accounts.token_create(&reader, request, now()).await.is_err());
    assert!(world.accounts.token_list(&reader, now()).await.is_err());
    assert!(
        world.accounts.caller_by_password("", &secret, None, now()).await.is_err(),
        "git cannot tell what it is for"
    );
    world.accounts.token_revoke(&reader, token.id).await.unwrap();
    assert!(world.accounts.caller_by_token(&secret, now()).await.is_err());
}

#[tokio::test]
async fn basic_credentials_are_a_token_or_address_and_password() {
    let world = world();
    let (_, _, secret) = world.accounts.account_register(registration("ann@example.com", None), now()).await.unwrap();
    let by = |user: &'static str, password: Secret| {
        let accounts = &world.accounts;
        async move { accounts.caller_by_password(user, &password, None, now()).await }
    };
    assert_eq!(by("whoever", secret).await.unwrap().email, email("ann@example.com"));
    assert!(by("ann@example.com", Secret::new("correct horse")).await.is_ok());
    assert!(by("ann@example.com", Secret::new("wrong")).await.is_err());
    assert!(by("nobody", Secret::new("correct horse")).await.is_err());
}

#[tokio::test]
async fn guesses_over_git_slow_down_the_address_they_come_from() {
    let world = world();
    let guess = |n: usize, from: &'static str| {
        let accounts = &world.accounts;
        let peer = Some(from.parse().unwrap());
        async move { accounts.caller_by_password(&format!("p{n}@example.com"), &Secret::new("x"), peer, now()).await }
    };
    for n in 0..20 {
        assert!(matches!(guess(n, "192.0.2.7").await, Err(AccountError::LoginRefused)), "{n}");
    }
    assert!(matches!(guess(21, "192.0.2.7").await, Err(AccountError::Throttled { .. })));
    assert!(matches!(guess(22, "192.0.2.8").await, Err(AccountError::LoginRefused)));
}

#[tokio::test]
async fn a_new_password_ends_all_other_tokens() {
    let world = world();
    let (_, _, kept) = world.accounts.account_register(registration("ann@example.com", None), now()).await.unwrap();
    let ann = world.accounts.caller_by_token(&kept, now()).await.unwrap();
    let request = TokenRequest { description: "old".into(), scope: TokenScope::Global, expires_in: None };
    let (_, other) = world.accounts.token_create(&ann, request, now()).await.unwrap();
    let (old, new) = (Secret::new("correct horse"), Secret::new("battery staple"));
    assert!(world.accounts.account_password_update(&ann, &new, &new, now()).await.is_err());
    world.accounts.account_password_update(&ann, &old, &new, now()).await.unwrap();
    assert!(world.accounts.caller_by_token(&kept, now()).await.is_ok());
    assert!(world.accounts.caller_by_token(&other, now()).await.is_err());
    assert!(world.accounts.login(&ann.email, &old, None, now()).await.is_err());
    assert!(world.accounts.login(&ann.email, &new, None, now()).await.is_ok());
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@laptop";

#[tokio::test]
async fn an_ssh_key_belongs_to_one_account_until_it_is_removed() {
    let world = world();
    let ann = world.administrator().await;
    let bob = world.member(&ann, "bob@example.com").await;
    let key = world.accounts.key_add(&ann, KEY, now()).await.unwrap();
    assert_eq!(world.accounts.account_by_key(KEY).await.unwrap().unwrap().id, ann.account);
    assert!(matches!(world.accounts.key_add(&ann, KEY, now()).await, Err(AccountError::SshKeyAdded)));
    assert!(matches!(world.accounts.key_add(&bob, KEY, now()).await, Err(AccountError::SshKeyTaken)));
    let id = key.id.to_string();
    assert!(matches!(world.accounts.key_remove(&bob, &id).await, Err(AccountError::NotFound(_))));
    world.accounts.key_remove(&ann, &key.fingerprint).await.unwrap();
    assert!(world.accounts.account_by_key(KEY).await.unwrap().is_none());
    world.accounts.key_add(&bob, KEY, now()).await.unwrap();
}

#[tokio::test]
async fn the_store_holds_no_password_token_or_code() {
    let world = world();
    let (_, _, token) = world.accounts.account_register(registration("ann@example.com", None), now()).await.unwrap();
    let ann = world.accounts.caller_by_token(&token, now()).await.unwrap();
    let (_, code) = world.accounts.invitation_create(&ann, None, now()).await.unwrap();
    for entry in world.store.list("", Page::default()).await.unwrap().entries {
        let text = format!("{} {}", entry.key, String::from_utf8_lossy(&entry.value));
        for secret in ["correct horse", token.reveal(), code.reveal()] {
            assert!(!text.contains(secret), "{}", entry.key);
        }
    }
}
