//! A control plane that was restored from a backup while its sensors went on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser as _;
use portolan::app::AppError;
use portolan::cli::{Cli, Command, Environment, Exit, Terminal, operate};
use portolan::upkeep::{BackupArgs, RestoreArgs, Restored, UpkeepError, back_up, restore};
use portolan::wiring::{DataDirError, StartError};
use portolan_proto::v1;
use portolan_shared::model::{Reason, SensorState};
use portolan_shared::process::SystemClock;
use portolan_shared::secret::{EnrolmentToken, Secret};
use portolan_store::{EPOCHS_PASSED_OVER, Role};

use crate::jobs::take_offer;
use crate::recovery::recover;
use crate::renewal::renew;
use crate::scene::{Scene, reason};
use crate::sensor::{Keys, Sensor, enrol};
use crate::session::{Session, hello, try_open};
use crate::upload::{fence, tags};

const SENSORS: usize = 50;
const TWO_HOURS: Duration = Duration::from_secs(7_200);

/// A backup of the scene's control plane, which is running.
pub(crate) async fn backup(scene: &Scene) -> PathBuf {
    let file = scene.folder.path().join("backup.db");
    let args = BackupArgs {
        data_dir: scene.folder.path().join("data"),
        file: file.clone(),
    };
    back_up(&args, scene.clock.as_ref()).await.unwrap();
    file
}

/// What `portolan audit export` writes.
pub(crate) async fn export(scene: &Scene) -> PathBuf {
    let file = scene.folder.path().join("audit.jsonl");
    let data = scene.folder.path().join("data");
    let environment = Environment {
        url: Some(format!("http://{}", scene.control_plane().bound().http)),
        token: Some(Secret::new(
            fs::read_to_string(data.join("admin.token"))
                .unwrap()
                .trim()
                .to_owned(),
        )),
        ..Environment::default()
    };
    let line = ["portolan", "audit", "export", file.to_str().unwrap()];
    let Command::Operator(command) = Cli::try_parse_from(line).unwrap().command else {
        panic!("not a command of an operator");
    };
    let mut terminal = Terminal {
        out: Box::new(std::io::sink()),
        err: Box::new(std::io::sink()),
        input: Box::new(std::io::empty()),
        width: None,
        marks: false,
        progress: false,
        asks: false,
    };
    let exit = operate(command, &environment, &mut terminal, &SystemClock).await;
    assert_eq!(exit, Exit::Done);
    file
}

pub(crate) fn arguments(scene: &Scene, from: Option<&Path>, audit: Option<&Path>) -> RestoreArgs {
    RestoreArgs {
        data_dir: scene.folder.path().join("data"),
        from: from.map(Path::to_owned),
        audit: audit.map(Path::to_owned).into_iter().collect(),
        no_audit: false,
        amnesty: 24,
    }
}

pub(crate) async fn restored(scene: &Scene, args: &RestoreArgs) -> Result<Restored, UpkeepError> {
    restore(args, scene.clock.as_ref()).await
}

/// Why the control plane does not start.
pub(crate) async fn refused(scene: &mut Scene) -> String {
    match scene.start().await.unwrap_err() {
        StartError::DataDir(error @ (DataDirError::Old { .. } | DataDirError::Lost { .. })) => {
            error.to_string()
        }
        other => panic!("{other:?}"),
    }
}

/// A session of a sensor that comes with this certificate, if it is let in. After a leap of the clock the control plane does not know for a
/// moment who is shut out, and lets nobody in.
async fn come(scene: &Scene, sensor: &Sensor) -> Result<(Session, v1::Welcome), Reason> {
    loop {
        let mut session = try_open(scene, sensor).await?;
        match session.try_hello(hello(&[])).await {
            Ok(welcome) => return Ok((session, welcome)),
            Err(Reason::Overloaded) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(reason) => return Err(reason),
        }
    }
}

/// The same; the control plane has heard that the new continuity token is stored.
async fn settle(scene: &Scene, sensor: &Sensor) -> v1::Welcome {
    let (mut session, welcome) = come(scene, sensor).await.unwrap();
    session.heartbeat(&[]).await;
    session.ack().await;
    welcome
}

/// As an agent does: with what it has, and by a recovery if it is told that its certificate is not the current one. Gives how often it recovered.
async fn reconnect(
    scene: &Scene,
    identity: &Sensor,
    now: &Sensor,
) -> Result<(Session, v1::Welcome, usize), Reason> {
    match come(scene, now).await {
        Ok((session, welcome)) => return Ok((session, welcome, 0)),
        Err(Reason::CertificateNotCurrent) => {}
        Err(reason) => return Err(reason),
    }
    let recovered = recover(scene, identity).await.map_err(|status| reason(&status))?;
    let (session, welcome) = come(scene, &recovered).await?;
    Ok((session, welcome, 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn t60_after_a_restore_sensors_go_on_and_who_was_shut_out_stays_out() {
    let mut scene = Scene::new().await;
    let mut sensors = Vec::new();
    for n in 0..SENSORS {
        let sensor = Sensor::enrol(&scene, &format!("s{n:02}")).await;
        settle(&scene, &sensor).await;
        sensors.push(sensor);
    }
    let day = Duration::from_secs(86_400);
    let invited = scene
        .app()
        .invite_sensor(&scene.admin, "newcomer", Some(day))
        .await
        .unwrap();
    let unused = EnrolmentToken::parse(invited.token.expose()).unwrap();
    let minted = scene
        .app()
        .create_api_token(&scene.admin, "robot", Role::Operator, None)
        .await
        .unwrap();
    let (robot, robot_secret) = (minted.id, minted.text.expose().to_owned());
    scene.queue_run("harbour", "s00").await;
    let backup = backup(&scene).await;

    // Two hours go by.
    scene.clock.advance(TWO_HOURS);
    let mut latest: Vec<Sensor> = Vec::new();
    let mut epochs = Vec::new();
    let mut old = None;
    for (n, sensor) in sensors.iter().enumerate() {
        let (mut session, welcome) = come(&scene, sensor).await.unwrap();
        if n == 0 {
            let attempt = take_offer(&mut session).await;
            old = Some((attempt, fence(attempt, welcome.session_epoch)));
        }
        session.heartbeat(&[]).await;
        session.ack().await;
        epochs.push(welcome.session_epoch);
        // Some have renewed their certificates meanwhile, and used the new ones.
        let now = if n % 5 == 1 {
            let renewed = renew(&mut sensor.session(&scene).await, sensor).await.unwrap();
            settle(&scene, &renewed).await;
            renewed
        } else {
            crate::conflict::copy(sensor)
        };
        latest.push(now);
    }
    let (old_attempt, old_fence) = old.unwrap();
    scene.revoke("s49").await;
    scene.app().revoke_api_token(&scene.admin, robot).await.unwrap();
    let newcomer = Sensor::enrol_with(&scene, &unused).await;
    let audit = export(&scene).await;
    let before = scene.audit().await.swap_remove(0);
    scene.kill().await;

    // Without the procedure nobody is let in.
    let database = scene.folder.path().join("data/portolan.db");
    let lost = scene.folder.path().join("lost.db");
    fs::copy(&database, &lost).unwrap();
    fs::copy(&backup, &database).unwrap();
    assert!(refused(&mut scene).await.contains("is a backup"));
    fs::remove_file(&database).unwrap();
    assert!(refused(&mut scene).await.contains("is missing"));
    fs::copy(&lost, &database).unwrap();
    // With a log that says something else it is not restored.
    let forged = scene.folder.path().join("forged.jsonl");
    let text = fs::read_to_string(&audit).unwrap();
    fs::write(&forged, text.replace("sensor.revoke", "sensor.resume")).unwrap();
    let why = restored(&scene, &arguments(&scene, Some(&backup), Some(&forged))).await;
    assert!(matches!(why.unwrap_err(), UpkeepError::Export { .. }));
    let (cut, _) = text.trim_end().rsplit_once('\n').unwrap();
    fs::write(&forged, cut).unwrap();
    let why = restored(&scene, &arguments(&scene, Some(&backup), Some(&forged))).await;
    assert!(why.unwrap_err().to_string().contains("cut off"));
    let why = restored(&scene, &arguments(&scene, Some(&backup), None)).await;
    assert!(matches!(why.unwrap_err(), UpkeepError::LogsMissing(_)));
    assert_eq!(
        fs::read(&database).unwrap(),
        fs::read(&lost).unwrap(),
        "nothing was touched"
    );

    // With it.
    let told = restored(&scene, &arguments(&scene, Some(&backup), Some(&audit)))
        .await
        .unwrap();
    assert!(told.set_aside.as_ref().unwrap().exists());
    let log = &told.tenants[0];
    assert_eq!(log.figures.sensors, 49, "all but the revoked one");
    assert!(
        log.redone.first.iter().any(|line| line.contains("sensor.revoke")),
        "{log:?}"
    );
    assert!(
        log.lost.first.iter().any(|line| line.contains("newcomer")),
        "{log:?}"
    );
    scene.start().await.unwrap();
    let log = scene.audit().await;
    assert_eq!(log[0].action, "database.restore");
    assert_eq!(log[1], before, "the log has lost nothing");

    // The old attempt gets nowhere, and every sensor goes on after at most one recovery.
    let mut first = None;
    for (n, (sensor, now)) in sensors.iter().zip(&latest).enumerate().take(SENSORS - 1) {
        let (session, welcome, recoveries) = reconnect(&scene, sensor, now).await.unwrap();
        assert!(recoveries <= 1, "s{n:02}");
        assert!(welcome.session_epoch > EPOCHS_PASSED_OVER + 1, "s{n:02}");
        assert!(welcome.session_epoch > epochs[n]);
        if n == 0 {
            first = Some(session);
        }
    }
    let mut first = first.unwrap();
    let commit = tags(&old_fence, &["1"], "listed");
    let stale = latest[0]
        .upload(&scene)
        .await
        .commit_repository(tokio_stream::iter([commit]))
        .await;
    assert!(
        stale.is_err(),
        "the certificate of before is void, and its attempt over"
    );
    let attempt = take_offer(&mut first).await;
    assert_eq!(attempt.run, old_attempt.run);
    assert!(attempt.attempt > old_attempt.attempt + 999, "{attempt:?}");

    // Who was shut out stays out; who came after the backup is not known; what was used up is used up.
    // The connection ends in the handshake, or with the first word.
    latest[49].can_call(&scene).await.unwrap_err();
    let recovery = recover(&scene, &sensors[49]).await.err().unwrap();
    assert_eq!(reason(&recovery), Reason::SensorRevoked);
    let unknown = reconnect(&scene, &newcomer, &newcomer).await.err();
    assert_eq!(unknown, Some(Reason::IdentityUnknown));
    let keys = Keys::new();
    let again = enrol(&scene, &unused, keys.request(&unused)).await.unwrap_err();
    assert_eq!(reason(&again), Reason::TokenInvalid);
    let robot = scene.app().authenticate(&robot_secret, None).await.unwrap_err();
    assert!(matches!(robot, AppError::Unauthenticated), "{robot:?}");
    let page = portolan_store::PageRequest::first();
    for sensor in scene.app().sensors(&scene.admin, &page).await.unwrap().items {
        assert_ne!(sensor.state, SensorState::Quarantined, "{}", sensor.name);
        assert!(
            sensor.amnesty_until.is_none() || sensor.name == "s49",
            "{}",
            sensor.name
        );
    }

    // The amnesty is over for who has come: now an old state is an old state.
    let stale = crate::conflict::copy(&sensors[1]);
    stale.past.lock().unwrap().continuity_token = vec![7; 32];
    let refused = recover(&scene, &stale).await.err().unwrap();
    assert_eq!(reason(&refused), Reason::IdentityConflict);
}
