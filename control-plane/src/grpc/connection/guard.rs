//! The end of a connection that nobody else ends.

use std::time::Duration;

use super::registry::Connection;

/// How long a session may take for its farewell when its certificate is no longer honoured.
const FAREWELL: Duration = Duration::from_secs(1);

/// Cuts a connection that was used for nothing for as long as `unused`, and, a moment late, when its certificate is no longer `honoured`.
/// Ends with the connection.
pub(super) async fn guard(connection: &Connection, unused: Duration, honoured: Option<Duration>) {
    let mut uses = connection.uses();
    let end = async {
        match honoured {
            Some(left) => tokio::time::sleep(left.saturating_add(FAREWELL)).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    loop {
        let is_unused = uses.borrow_and_update().is_none();
        tokio::select! {
            () = connection.cut.cancelled() => return,
            () = &mut end => break,
            () = tokio::time::sleep(unused), if is_unused => break,
            // The sender is part of the connection, which is there.
            _changed = uses.changed() => {}
        }
    }
    connection.cut.cancel();
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use jiff::Timestamp;
    use portolan_shared::model::{SensorId, TenantId};
    use portolan_shared::process::SeededRng;
    use portolan_shared::tls::PeerIdentity;

    use super::super::registry::{Connections, Purpose};
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);
    const SHORT: Duration = Duration::from_millis(1);

    fn identified(connections: &Connections) -> Arc<Connection> {
        let rng = SeededRng::new(4);
        let identity = PeerIdentity {
            tenant: TenantId::random(&rng),
            sensor: SensorId::random(&rng),
            serial: [1; 16],
            not_before: Timestamp::UNIX_EPOCH,
            not_after: Timestamp::UNIX_EPOCH,
        };
        let remote = SocketAddr::from(([127, 0, 0, 1], 1));
        connections.enter(remote, Some(identity), 0).unwrap()
    }

    #[tokio::test]
    async fn a_connection_that_is_used_for_nothing_is_cut() {
        let connections = Connections::new();
        let connection = identified(&connections);
        guard(&connection, SHORT, Some(LONG)).await;
        assert!(connection.cut.is_cancelled());
    }

    #[tokio::test]
    async fn one_that_is_used_is_cut_after_its_use_has_ended() {
        let connections = Connections::new();
        let connection = identified(&connections);
        connections.claim(&connection, Purpose::Session, None).unwrap();
        let guarded = guard(&connection, SHORT, Some(LONG));
        tokio::pin!(guarded);
        assert!(futures::poll!(&mut guarded).is_pending());
        tokio::time::sleep(SHORT * 20).await;
        assert!(futures::poll!(&mut guarded).is_pending(), "it is used");
        connections.release(&connection);
        guarded.await;
        assert!(connection.cut.is_cancelled());
    }

    #[tokio::test]
    async fn one_that_is_used_is_cut_at_the_end_of_its_certificate() {
        let connections = Connections::new();
        let connection = identified(&connections);
        connections.claim(&connection, Purpose::Upload, None).unwrap();
        guard(&connection, SHORT, Some(Duration::ZERO)).await;
        assert!(connection.cut.is_cancelled());
    }
}
