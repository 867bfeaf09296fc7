//! Logins: refused ones, changed ones, and those that are no user name and password.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use portolan_registry::{
    Access, Credential, CredentialError, Credentials, Fault, RefusedLogins, RegistryClient,
};
use portolan_shared::model::FindingCode;
use portolan_shared::secret::Secret;

use crate::auth::{content, read, registry, usual};
use crate::client::{BASIC, access, with_login};
use crate::server::{Answer, Server};

/// A login that can be changed.
struct Changing(Mutex<&'static str>);

#[async_trait::async_trait]
impl Credentials for Changing {
    async fn current(&self) -> Result<Option<Credential>, CredentialError> {
        let secret = Secret::new((*self.0.lock().unwrap()).to_owned());
        Ok(Some(Credential::Login {
            username: "reader".into(),
            secret,
        }))
    }
}

#[tokio::test]
async fn a_refused_login_is_not_tried_again_until_it_changes() {
    for basic in [false, true] {
        let server = Server::start(
            move |heard| match (heard.path.as_str(), heard.header("authorization")) {
                ("/token", Some(BASIC)) => Answer::json(r#"{"token":"t"}"#),
                ("/token", _) => Answer::status(401),
                (_, Some("Bearer t" | BASIC)) => content(heard),
                _ if basic => Answer::status(401).with("www-authenticate", "BASIC realm=\"r\""),
                _ => Answer::status(401).with("www-authenticate", "Bearer realm=\"/token\""),
            },
        )
        .await;
        let credentials = Arc::new(Changing(Mutex::new("wrong")));
        let client = RegistryClient::new(Access {
            credentials: Arc::clone(&credentials) as _,
            ..access(&server.url())
        })
        .unwrap();
        for _ in 0..5 {
            let error = read(&client).await.unwrap_err();
            assert_eq!(
                error.finding().code,
                FindingCode::AuthenticationFailed,
                "{error:?}"
            );
            assert!(error.concerns_whole_registry() && !error.is_denied());
        }
        let tried = server
            .heard()
            .iter()
            .filter(|heard| heard.header("authorization").is_some())
            .count();
        assert_eq!(tried, 1, "five more would lock the account");
        *credentials.0.lock().unwrap() = "s3cret";
        read(&client).await.unwrap();
    }
}

#[tokio::test]
async fn one_scope_that_is_refused_is_no_refused_login() {
    let server = registry(
        usual,
        |heard| match heard.parameter("scope") {
            Some(scope) if scope.contains("a/b") => Answer::error(403, "DENIED"),
            _ => Answer::json(r#"{"token":"t"}"#),
        },
        |sent| sent == "Bearer t",
    )
    .await;
    let client = with_login(&server.url());
    client.ping().await.unwrap();
    for _ in 0..3 {
        assert!(read(&client).await.unwrap_err().is_denied());
    }
    assert_eq!(server.count("/token"), 2, "the refusal is remembered");
    client
        .tags(&"other/c".parse().unwrap())
        .next_page()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_login_that_works_is_not_doubted_for_one_repository() {
    let server = Server::start(|heard| match heard.header("authorization") {
        Some(BASIC) if heard.path != "/v2/a/b/tags/list" => Answer::json(r#"{"tags":["1"]}"#),
        _ => Answer::status(401).with("www-authenticate", "Basic"),
    })
    .await;
    let client = with_login(&server.url());
    client.ping().await.unwrap();
    let other = "other/c".parse().unwrap();
    for _ in 0..20 {
        assert!(read(&client).await.unwrap_err().is_denied());
        client.tags(&other).next_page().await.unwrap();
    }
    // But a login that is refused again and again has been changed meanwhile, and is spared.
    let mut refusals = 0;
    while read(&client).await.unwrap_err().is_denied() {
        refusals += 1;
    }
    assert_eq!(refusals, 8);
    let before = server.heard().len();
    assert_eq!(
        read(&client).await.unwrap_err().finding().code,
        FindingCode::AuthenticationFailed
    );
    assert_eq!(server.heard().len(), before);
}

#[tokio::test]
async fn tokens_from_docker_configuration() {
    let server = Server::start(
        |heard| match (heard.path.as_str(), heard.header("authorization")) {
            ("/token", _) if heard.method == "POST" => Answer::json(r#"{"access_token":"t"}"#),
            (_, Some("Bearer t")) => content(heard),
            _ => Answer::status(401).with("www-authenticate", "Bearer realm=\"/token\",service=\"r s\""),
        },
    )
    .await;
    let with = |credential: Credential| {
        RegistryClient::new(Access {
            credentials: Arc::new(credential),
            ..access(&server.url())
        })
        .unwrap()
    };
    read(&with(Credential::IdentityToken(Secret::new("refresh&me".into()))))
        .await
        .unwrap();
    let posted = server
        .heard()
        .into_iter()
        .find(|heard| heard.method == "POST")
        .unwrap();
    assert_eq!(
        posted.body,
        "grant_type=refresh_token&refresh_token=refresh%26me&client_id=portolan&service=r+s&scope=repository%3Aa%2Fb%3Apull"
    );
    let before = server.count("/token");
    read(&with(Credential::RegistryToken(Secret::new("t".into()))))
        .await
        .unwrap();
    assert_eq!(server.count("/token"), before, "sent as it is");
}

#[tokio::test]
async fn a_refused_login_is_not_tried_by_the_next_client_either() {
    let server = Server::start(
        |heard| match (heard.path.as_str(), heard.header("authorization")) {
            ("/token", Some(BASIC)) => Answer::json(r#"{"token":"t"}"#),
            ("/token", _) => Answer::json(r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#).but(401),
            (_, Some("Bearer t")) => content(heard),
            _ => Answer::status(401).with("www-authenticate", "Bearer realm=\"/token\""),
        },
    )
    .await;
    let memory = Arc::new(RefusedLogins::default());
    let client = |secret: &'static str, memory: &Arc<RefusedLogins>| {
        RegistryClient::new(Access {
            credentials: Arc::new(Changing(Mutex::new(secret))),
            refused: Arc::clone(memory),
            ..access(&server.url())
        })
        .unwrap()
    };
    for run in 0..3 {
        let error = read(&client("wrong", &memory)).await.unwrap_err();
        assert!(
            matches!(error.fault(), Fault::LoginRefused { status, code: Some(code), json: true, .. }
                if status.as_u16() == 401 && code.as_str() == "UNAUTHORIZED"),
            "run {run} is told the same: {error:?}"
        );
    }
    let tried = || server.count("/token");
    assert_eq!(tried(), 1, "no further attempt, whichever client makes it");
    read(&client("s3cret", &memory)).await.unwrap();
    assert_eq!(tried(), 2, "a login that has changed is another one");
    read(&client("wrong", &memory)).await.unwrap_err();
    assert_eq!(tried(), 2, "and the old one is still refused");
    memory.forget(&server.address.to_string());
    read(&client("wrong", &memory)).await.unwrap_err();
    assert_eq!(tried(), 3);
    read(&client("wrong", &Arc::default())).await.unwrap_err();
    assert_eq!(tried(), 4, "another process knows nothing of it");
}

/// Another login after each refusal, up to the last one.
#[derive(Default)]
struct Next {
    refusals: AtomicUsize,
    last: usize,
    program: Option<&'static str>,
}

#[async_trait::async_trait]
impl Credentials for Next {
    async fn current(&self) -> Result<Option<Credential>, CredentialError> {
        let number = self.refusals.load(Ordering::SeqCst).min(self.last);
        Ok(Some(Credential::Login {
            username: "minted".into(),
            secret: Secret::new(number.to_string()),
        }))
    }

    fn program(&self) -> Option<String> {
        self.program.map(str::to_owned)
    }

    fn refused(&self, _login: &Credential) {
        self.refusals.fetch_add(1, Ordering::SeqCst);
    }
}

/// A registry that refuses every login, and a client of it.
async fn refusing(credentials: Next, memory: &Arc<RefusedLogins>) -> (Server, RegistryClient) {
    let server = Server::start(|_| Answer::status(401).with("www-authenticate", "Basic realm=\"r\"")).await;
    let client = RegistryClient::new(Access {
        credentials: Arc::new(credentials),
        refused: Arc::clone(memory),
        ..access(&server.url())
    })
    .unwrap();
    (server, client)
}

fn logins_sent(server: &Server) -> Vec<String> {
    let heard = server.heard();
    let sent = heard.iter().filter_map(|heard| heard.header("authorization"));
    sent.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_program_whose_logins_are_all_refused_is_believed_three_times_a_day() {
    let memory = Arc::new(RefusedLogins::default());
    let minting = |program| Next {
        last: usize::MAX,
        program: Some(program),
        ..Next::default()
    };
    let (server, client) = refusing(minting("vault"), &memory).await;
    for _ in 0..100 {
        read(&client).await.unwrap_err();
    }
    let error = read(&client).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::LoginHeldBack), "{error:?}");
    let sent = logins_sent(&server);
    assert_eq!(sent.len(), 3, "{sent:?}");
    assert_eq!(sent.iter().collect::<BTreeSet<_>>().len(), 3, "each another one");
    // Somewhere else, what another program says is tried as ever.
    let (other, client) = refusing(minting("vault"), &memory).await;
    read(&client).await.unwrap_err();
    assert_eq!(logins_sent(&other).len(), 3);
}

#[tokio::test]
async fn the_refusal_of_the_last_sending_is_remembered_too() {
    let credentials = Next {
        last: 2,
        ..Next::default()
    };
    let (server, client) = refusing(credentials, &Arc::default()).await;
    for _ in 0..3 {
        let error = read(&client).await.unwrap_err();
        assert!(matches!(error.fault(), Fault::LoginRefused { .. }), "{error:?}");
    }
    let sent = logins_sent(&server);
    assert_eq!(sent.len(), 3, "each of them once: {sent:?}");
}
