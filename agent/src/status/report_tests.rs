use super::*;

/// A report with everything in it.
pub(in super::super) fn sample() -> StatusReport {
    let at = Timestamp::new(1_800_000_000, 123_456_789).unwrap();
    StatusReport {
        version: "1".into(),
        running: true,
        alive: true,
        ready: true,
        sensor: Some(SensorStatus {
            id: "s".into(),
            tenant: "t".into(),
            name: "hamburg".into(),
            state: "enrolled".into(),
            refused: None,
            fingerprint: Some("AB3DE-FGHIJ-KLMNO-PQRST".into()),
            sealing_key: Some(SealingKeyStatus {
                id: "0a".into(),
                created_at: at,
                days_old: 3,
                known: true,
                former: true,
            }),
        }),
        connection: Some(ConnectionStatus {
            phase: "connected".into(),
            endpoint: "h:7443".into(),
            epoch: Some(3),
            since: Some(at),
            last_failure: None,
            skew_ms: Some(-1_500),
            sessions: 2,
            failures: 1,
        }),
        certificate: Some(CertificateStatus {
            not_after: at,
            days_left: 0.75,
            health: "good".into(),
            renewal_planned: Some(at),
            renewal_failure: None,
            renewals: 4,
            recoveries: 1,
        }),
        policy: PolicyStatus {
            file: "/p".into(),
            sha256: "00".into(),
            allows: vec!["policy:allow[1]: h:443".into()],
            fault: None,
        },
        jobs: Vec::new(),
        jobs_ended: 5,
        audit: Some(AuditStatus {
            records: 40,
            checkpoint: 30,
            checkpoint_at: Some(at),
            refused: None,
        }),
        notify: Some(super::super::notify::tests::sample()),
        last_work: None,
        warnings: vec!["look".into()],
    }
}

#[test]
fn reads_well_and_survives_json() {
    let report = sample();
    let text = report.to_string();
    for part in [
        "hamburg (s), enrolled",
        "fingerprint  AB3DE-FGHIJ-KLMNO-PQRST",
        "sealing key  0a, 3 days old, a former one is kept",
        "connected to h:7443 since",
        "1.5 s ahead of the control plane's",
        "0.8 days left",
        "policy:allow[1]",
        "none since start",
        "warning      look",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    assert!(
        !text.contains(".123"),
        "to the second is enough for people:\n{text}"
    );
    let mut shut_out = report.clone();
    if let Some(sensor) = &mut shut_out.sensor {
        sensor.state = "quarantined".into();
        sensor.refused = Some(RefusedStatus {
            reason: "sensor_quarantined".into(),
            since: Timestamp::new(1_800_000_000, 5).unwrap(),
            advice: "portolan sensor approve hamburg".into(),
        });
    }
    let text = shut_out.to_string();
    for part in [
        "hamburg (s), quarantined",
        "shut out     since 2027-01-15T08:00:00Z: sensor_quarantined",
        "to do        portolan sensor approve hamburg",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<StatusReport>(&json).unwrap(), report);
    let stopped = StatusReport {
        running: false,
        connection: None,
        ..report
    };
    assert!(stopped.to_string().contains("no agent is running here"));
}
