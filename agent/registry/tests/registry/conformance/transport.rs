//! Transport: redirects, and servers that have had enough (cases 50 and 52 to 54).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portolan_registry::{Access, Fault, RegistryClient};
use portolan_shared::model::{Budget, ReferenceTarget};
use portolan_shared::process::ManualClock;

use crate::client::{BASIC, TestResolver, access, access_by_name, client, login, repository};
use crate::server::{Answer, Server};
use crate::transport::{BLOB, blob, digest, resolve_many, resolved};

#[tokio::test]
async fn c50_redirect_to_another_host_or_port_takes_no_login_along() {
    let storage = Server::start(|_| Answer::status(200).body(BLOB)).await;
    for (host, status) in [
        ("storage.example.net", 307),
        ("registry.example.com", 302),
        ("storage.example.net", 303),
    ] {
        let location = format!("{}/bucket/x?X-Amz-Signature=secret", storage.url_as(host));
        let registry = Server::start(move |heard| match heard.header("authorization") {
            Some(BASIC) => Answer::status(status)
                .with("location", location.clone())
                .with("set-cookie", "session=1"),
            _ => Answer::status(401).with("www-authenticate", "Basic"),
        })
        .await;
        let client = RegistryClient::new(Access {
            credentials: Arc::new(login()),
            ..access_by_name(&registry.url_as("registry.example.com"))
        })
        .unwrap();
        blob(&client).await.unwrap();
        let heard = storage.heard().pop().unwrap();
        assert_eq!(
            heard.header("authorization"),
            None,
            "{host}: another host, or another port of the same"
        );
        assert_eq!((heard.header("cookie"), heard.header("referer")), (None, None));
        let target = ReferenceTarget::Tag("1".parse().unwrap());
        let _ = client.head_manifest(&repository(), &target, None).await;
        assert!(
            storage.heard().iter().any(|heard| heard.method == "HEAD"),
            "a HEAD stays one"
        );
    }
}

#[tokio::test]
async fn c50_redirect_loop() {
    let server = Server::start(|heard| Answer::status(307).with("location", heard.path.clone())).await;
    let fault = blob(&client(&server.url())).await.unwrap_err();
    assert!(
        matches!(
            fault,
            Fault::Redirect {
                why: "more often than is followed",
                ..
            }
        ),
        "{fault:?}"
    );
    assert_eq!(server.heard().len(), 6);
}

#[tokio::test]
async fn c53_too_many_requests_in_every_form() {
    type Form = fn(Answer) -> Answer;
    let forms: [(&str, u16, Form); 4] = [
        ("seconds", 429, |answer| answer.with("retry-after", "0")),
        ("a date that has passed", 429, |answer| {
            answer.with("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")
        }),
        ("nothing", 429, |answer| answer),
        ("unavailable for a while", 503, |answer| {
            answer.with("retry-after", "0")
        }),
    ];
    for (what, status, form) in forms {
        let asked = AtomicUsize::new(0);
        let server = Server::start(move |_| {
            // Far more often than a failure is tried again.
            if asked.fetch_add(1, Ordering::SeqCst) < 20 {
                form(Answer::status(status))
            } else {
                Answer::status(200).body(BLOB)
            }
        })
        .await;
        let client = client(&server.url());
        blob(&client).await.unwrap();
        assert_eq!(client.counts().retries, 20, "{what}");
        assert!(
            client.counts().concurrency < 4,
            "{what}: fewer at once than at the start"
        );
    }
}

#[tokio::test]
async fn c53_a_time_to_come_is_waited_for_in_every_form() {
    const NOW: i64 = 1_700_000_000;
    for (header, value) in [
        ("retry-after", "30"),
        ("retry-after", "Tue, 14 Nov 2023 22:13:50 GMT"),
        ("x-retry-after", "1700000030"),
    ] {
        let asked = AtomicUsize::new(0);
        let server = Server::start(move |_| {
            if asked.fetch_add(1, Ordering::SeqCst) == 0 {
                Answer::status(429).with(header, value)
            } else {
                Answer::status(200).body(BLOB)
            }
        })
        .await;
        let clock = Arc::new(ManualClock::at_unix_seconds(NOW));
        let client = RegistryClient::new(Access {
            clock: Arc::clone(&clock) as _,
            ..access(&server.url())
        })
        .unwrap();
        let mut reading = Box::pin(blob(&client));
        while client.counts().retries == 0 {
            tokio::select! {
                biased;
                done = &mut reading => panic!("{header}: {value}: not waited for: {done:?}"),
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
        }
        // It waits. From here on time stands still, and goes by only where it is said.
        tokio::time::pause();
        for _ in 0..29 {
            clock.advance(Duration::from_secs(1));
            tokio::time::advance(Duration::from_secs(1)).await;
            tokio::select! {
                biased;
                done = &mut reading => panic!("{header}: {value}: too early: {done:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
        assert_eq!(server.heard().len(), 1, "{header}: {value}");
        clock.advance(Duration::from_secs(2));
        tokio::time::advance(Duration::from_secs(2)).await;
        tokio::time::resume();
        reading.await.unwrap();
        assert_eq!(server.heard().len(), 2, "{header}: {value}");
    }
}

#[tokio::test]
async fn c54_unavailable_above_so_many_connections() {
    let server = Server::start(|heard| {
        let answer = if heard.at_once > 6 {
            Answer::status(503).with("retry-after", "0")
        } else {
            resolved()
        };
        answer.taking(Duration::from_millis(2))
    })
    .await;
    let mut access = access(&server.url());
    access.budget = Budget {
        concurrency: 64,
        ..Budget::default()
    };
    let client = RegistryClient::new(access).unwrap();
    resolve_many(&client, 600).await;
    assert!(
        client.counts().retries > 0,
        "it has tried for more than the front end bears"
    );
    let refused = server.heard().iter().filter(|heard| heard.at_once > 6).count();
    assert!(
        refused < 300,
        "and learnt from being refused: {refused} of {}",
        server.heard().len()
    );
}

#[tokio::test]
async fn c52_connection_close_each_time() {
    let server = Server::start(|_| resolved().with("connection", "close")).await;
    resolve_many(&client(&server.url()), 50).await;
}

#[tokio::test]
async fn c50_redirect_to_the_metadata_service() {
    for location in [
        "http://169.254.169.254/latest/meta-data/",
        "http://rebound.example.net/latest/meta-data/",
    ] {
        let server = Server::start(move |_| Answer::status(307).with("location", location)).await;
        let resolver = TestResolver::default().name("rebound.example.net", &[&["169.254.169.254"]]);
        let client = RegistryClient::new(Access {
            resolver: Arc::new(resolver),
            ..access_by_name(&server.url_as("registry.example.com"))
        })
        .unwrap();
        let error = client.get_blob(&repository(), &digest(), 100).await.unwrap_err();
        assert!(
            matches!(error.fault(), Fault::Address { rule, .. } if rule == "address.link_local"),
            "{location}: {error:?}"
        );
        assert_eq!(server.heard().len(), 1);
    }
}

#[tokio::test]
async fn c53_a_unix_time_in_x_retry_after() {
    // A time that has passed. Taken for seconds, it would be waited for longer than this test can live.
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| {
        if asked.fetch_add(1, Ordering::SeqCst) == 0 {
            Answer::status(429).with("x-retry-after", "1600000000")
        } else {
            Answer::status(200).body(BLOB)
        }
    })
    .await;
    let client = client(&server.url());
    blob(&client).await.unwrap();
    assert_eq!(client.counts().retries, 1);
}
