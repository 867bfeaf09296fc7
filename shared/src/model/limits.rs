//! Every bound that both halves rely on, in one place. What happens at each bound is said beside it.

/// Messages on the session stream, both directions, in bytes: larger ones are refused with `MESSAGE_TOO_LARGE`.
pub const SESSION_MESSAGE_BYTES: usize = 320 * 1024;
/// The first message of each direction on the session stream, in bytes: refused above.
pub const HELLO_BYTES: usize = 64 * 1024;
/// A heartbeat, in bytes: a protocol violation above.
pub const HEARTBEAT_BYTES: usize = 8 * 1024;
/// Attempts that a sensor may report as running: a protocol violation above.
pub const RUNNING_ATTEMPTS: usize = 64;
/// One upload message, in bytes: refused with `MESSAGE_TOO_LARGE` above.
pub const UPLOAD_MESSAGE_BYTES: usize = 1024 * 1024;
/// The enrolment request, in bytes: refused above.
pub const ENROL_BYTES: usize = 16 * 1024;
/// A certificate signing request, in bytes: refused above.
pub const CSR_BYTES: usize = 4 * 1024;
/// The trust bundle, in bytes: refused above.
pub const TRUST_BUNDLE_BYTES: usize = 32 * 1024;
/// Roots in a trust bundle: refused above.
pub const TRUST_BUNDLE_ROOTS: usize = 8;

/// Content of one manifest, in bytes: a larger one is recorded as too large, with digest and size only.
pub const MANIFEST_BYTES: usize = 4 * 1024 * 1024;
/// Content of one config blob, in bytes: a larger one is recorded as too large.
pub const CONFIG_BYTES: usize = 8 * 1024 * 1024;
/// Image facts of one config, serialised, in bytes: labels are dropped, with a flag, until they fit.
pub const IMAGE_FACTS_BYTES: usize = 256 * 1024;
/// Children of one index: the manifest is recorded as malformed above.
pub const INDEX_CHILDREN: usize = 2_000;
/// Layers of one manifest: the manifest is recorded as malformed above.
pub const LAYERS: usize = 2_000;
/// Annotations of one manifest: further ones are dropped.
pub const ANNOTATIONS: usize = 1_000;
/// How deep indexes may nest below a tag: deeper children are recorded as not read.
pub const INDEX_DEPTH: usize = 3;
/// Referrers kept per subject: more are recorded as truncated.
pub const REFERRERS: usize = 1_000;

/// Repositories in one offer: a protocol violation above.
pub const REPOSITORIES_PER_OFFER: usize = 1_000;
/// Digests in one offer: a protocol violation above.
pub const DIGESTS_PER_OFFER: usize = 2_000;
/// Tags in one page of a repository's tag set: a protocol violation above.
pub const TAGS_PER_PAGE: usize = 1_000;
/// Tags kept per repository: the rest is recorded as truncated in the coverage.
pub const TAGS_PER_REPOSITORY: usize = 100_000;
/// Tags of one repository that a commit may name as left out by the registry's filter: a protocol violation above. A sensor that knows of
/// more names so many and says that the listing is truncated, by which nothing counts as vanished.
pub const TAGS_LEFT_OUT: usize = TAGS_PER_REPOSITORY;
/// Repositories of one registry that one run walks: the rest is recorded as truncated in the coverage.
pub const REPOSITORIES_PER_REGISTRY: usize = 1_000_000;
/// Methods of discovery that one run reports, and as many methods of listing tags: a protocol violation above.
pub const COVERAGE_METHODS: usize = 16;
/// Coverage entries in one message, those of repositories that were left out included: a protocol violation above.
pub const COVERAGE_ENTRIES_PER_PAGE: usize = 1_000;
/// Repositories that one run names as left out by the registry's patterns, in the order in which they were found: further ones are counted
/// only, and the account says how many are not named.
pub const FILTERED_NAMED: usize = 1_000;
/// Bytes of content put in one batch, in bytes: a protocol violation above.
pub const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// A host name, in bytes (RFC 1035): refused above.
pub const HOST_BYTES: usize = 253;
/// The path of a registry's URL in front of `/v2/`, percent-encoded, in bytes: refused above. Product paths have a few dozen.
pub const REGISTRY_PATH_BYTES: usize = 1_024;
/// A repository name, in bytes: refused above.
pub const REPOSITORY_BYTES: usize = 255;
/// A tag, in bytes (distribution-spec 1.1): refused above.
pub const TAG_BYTES: usize = 128;
/// A media type, in bytes (RFC 6838): refused above.
pub const MEDIA_TYPE_BYTES: usize = 255;
/// A label or annotation key, in bytes: the entry is dropped above, with a flag.
pub const LABEL_KEY_BYTES: usize = 128;
/// A label or annotation value, in bytes: truncated above, with a flag.
pub const LABEL_VALUE_BYTES: usize = 4_096;
/// Name of a registry connection, in bytes: refused above.
pub const REGISTRY_NAME_BYTES: usize = 63;
/// Patterns of repositories, and as many of tags, of one registry: refused above. See [`PATTERNS_BYTES`] for all together.
pub const NAME_PATTERNS: usize = 500;
/// One pattern of names, in bytes: refused above.
pub const NAME_PATTERN_BYTES: usize = 256;
/// All patterns of one registry together, in bytes: refused above. With the CA bundle and the scope of a run they fit into one session
/// message.
pub const PATTERNS_BYTES: usize = 128 * 1024;
/// Repositories that one run may be narrowed to: refused above.
pub const RUN_SCOPE_REPOSITORIES: usize = 100;
/// Slots that a sensor has for looks at what events named, beside those for all jobs: such a look waits for no long run.
pub const LOOK_SLOTS: u32 = 2;
/// Push events that a sensor relays in one message: a violation above.
pub const RELAYED_EVENTS: usize = 500;
/// Counts of what is no event, in one such message: a violation above.
pub const RELAYED_COUNTS: usize = 100;
/// Single tags that one run may be narrowed to, and that one commit may be about: refused above.
pub const RUN_SCOPE_REFERENCES: usize = 100;
/// Repositories that the attempts of one sensor read, or wait to read, at once: whoever comes then waits. More than as many attempts as it can
/// have ever have in hand.
pub const REPOSITORY_TURNS: usize = 1_024;
/// Repositories that are not listed again for a while because of what it costs: for one more, another may be listed earlier.
pub const RESTING_REPOSITORIES: usize = 1_024;
/// Body of one REST request, in bytes: refused above.
pub const REST_BODY_BYTES: usize = 512 * 1024;
/// A CA bundle for one registry, in bytes: refused above.
pub const CA_BUNDLE_BYTES: usize = 64 * 1024;
/// Text of a finding or an error that crosses the wire, in bytes: truncated above.
pub const FINDING_BYTES: usize = 256;
/// Further lines of a finding, in bytes: truncated above.
pub const FINDING_DETAIL_BYTES: usize = 4_096;

/// Days before the end of a credential or certificate from which on it is said to end soon.
pub const EXPIRES_SOON_DAYS: i64 = 21;
/// Findings on methods of discovery and of listing tags that keep their further lines in one run: beyond, those lines are dropped.
pub const DETAILS_PER_ACCOUNT: usize = 4;
/// Repositories of one run whose findings keep their further lines: beyond, those lines are dropped.
pub const DETAILS_PER_RUN: u32 = 1_000;

/// What is encrypted of a credential, in bytes: user name, password, and all that they are bound to, filled up. Refused at entry above.
pub const SEALED_PLAIN_BYTES: usize = 16 * 1024;
/// A sealed payload, in bytes: suite, what is encrypted, tag. Refused above.
pub const SEALED_PAYLOAD_BYTES: usize = 1 + SEALED_PLAIN_BYTES + 16;
/// A wrap, in bytes; all have the same size.
pub const WRAP_BYTES: usize = 113;
/// What a credential is bound to, in bytes: refused above.
pub const BINDING_BYTES: usize = 9 * 1024;
/// Sensors that one credential is sealed to: refused at entry above.
pub const SEALED_RECIPIENTS: usize = 256;
/// Wraps for older keys that a sensor is told of at once: it asks again when it has replaced them.
pub const OUTDATED_WRAPS: usize = 8;
/// Hosts of token services that a credential is bound to, and as many hosts that content is stored on: refused at entry above.
pub const BOUND_HOSTS: usize = 16;

/// Seconds between heartbeats; each is jittered by a fifth.
pub const HEARTBEAT_SECONDS: u64 = 15;
/// Seconds without any message after which either side closes the session.
pub const DEAD_AFTER_SECONDS: u64 = 45;
/// Seconds that a lease lasts from its last renewal.
pub const LEASE_SECONDS: u64 = 60;
/// Seconds after the end of a lease before the run is queued again.
pub const LEASE_GRACE_SECONDS: u64 = 15;
/// Seconds that a registry may have a sensor wait with one `Retry-After`; what is longer is cut to this. A sensor that waits so is not stuck.
pub const RETRY_AFTER_SECONDS: u64 = 600;
/// Attempts without a single committed repository after which a run fails.
pub const FRUITLESS_ATTEMPTS: u32 = 5;
/// Runs of one tenant that are leased at once, unless the control plane's settings say otherwise: further ones wait.
pub const RUNS_PER_TENANT: usize = 100;
/// Seconds from its first lease after which a run fails, unless its registry says otherwise.
pub const RUN_SECONDS: u32 = 24 * 60 * 60;
/// The same of a registry with a bound of requests a day: a run of it may have to wait for the next day, and the one after.
pub const RUN_SECONDS_BUDGETED: u32 = 31 * 24 * 60 * 60;
/// Seconds that a run may wait for a sensor since a person last asked for it, once nothing else keeps it waiting: then it fails.
pub const RUN_NOT_TAKEN_SECONDS: u32 = 48 * 60 * 60;
/// Seconds that a run may wait before it first begins, whatever it waits for: then it fails.
pub const RUN_WAITS_SECONDS: u32 = 31 * 24 * 60 * 60;
/// What has asked for a run: further ones are counted.
pub const RUN_REASONS: usize = 16;

/// Signs by which a product was recognised: further ones are dropped.
pub const EVIDENCE: usize = 8;
/// Scopes of a credential that are kept: further ones are dropped.
pub const CREDENTIAL_SCOPES: usize = 32;
/// Served certificates whose end is kept, one a host: further ones are dropped.
pub const CERTIFICATE_FACTS: usize = 8;
/// Lines of what one stage of the doctor saw: further ones are dropped.
pub const STAGE_LINES: usize = 32;
/// Findings of one stage of the doctor: further ones are dropped.
pub const STAGE_FINDINGS: usize = 4;
/// A diagnosis on the wire, in bytes: details of findings are dropped until it fits.
pub const DIAGNOSIS_BYTES: usize = 128 * 1024;
/// Seconds that a probe may take on the sensor: it ends with what it has seen by then.
pub const PROBE_SECONDS: u64 = 90;
/// Seconds from the request for a probe to its report: it has failed beyond, as when its sensor is away.
pub const PROBE_WAIT_SECONDS: u64 = 120;
/// Probes that one sensor carries out at once: further ones wait.
pub const PROBES_AT_ONCE: usize = 2;
/// Probes that wait on one sensor: further ones are refused.
pub const PROBES_WAITING: usize = 32;

/// Digests of audit records in one message: a checkpoint that needs more comes in several.
pub const AUDIT_DIGESTS: usize = 4_000;
/// Digests of one heartbeat, of records of the sensor's own audit log: the next one brings what is left.
pub const AUDIT_LEADING: usize = 128;
/// Records between two checkpoints that a sensor is led over at once: beyond, it is led to a checkpoint on the way first.
pub const AUDIT_RECORDS_AT_ONCE: u64 = 1_000_000;
/// Checkpoints of its tenant's audit log that a sensor keeps: the oldest is dropped beyond.
pub const AUDIT_CHECKPOINTS: usize = 1_000;
/// Refused checkpoints that a sensor keeps as evidence: further ones are recorded in its log alone.
pub const AUDIT_EVIDENCE: usize = 16;

/// A notification of a push, in bytes: refused above. GitLab's other webhooks may be larger: see [`PASSED_OVER_BYTES`].
pub const NOTIFICATION_BYTES: usize = 1024 * 1024;
/// A body out of which nothing is read, in bytes: passed over, and not waited for above. GitLab's webhooks have up to 25 MB.
pub const PASSED_OVER_BYTES: usize = 32 * 1024 * 1024;
/// Notifications of one registry from one source that are not believed, a second in the long run: beyond, none of them is looked at. What is believed
/// uses nothing up.
pub const DISBELIEVED_PER_SECOND: u32 = 1_000;
/// As many at once.
pub const DISBELIEVED_AT_ONCE: u32 = 5_000;
/// Registries and sources of which it is remembered: further ones have their whole allowance.
pub const DISBELIEVED_KEYS: usize = 4_096;
/// Events that are read out of one notification: further ones count as refused.
pub const EVENTS_PER_NOTIFICATION: usize = 1_000;
/// The id of a push event, in bytes: an event with a longer one has none.
pub const EVENT_ID_BYTES: usize = 128;
/// Ids of events of one registry that are known when they come again: the oldest is forgotten beyond. More than a sender has in hand while it repeats.
pub const SEEN_EVENTS: usize = 1_024;
/// Registries of which one control plane knows such ids: the one that was heard of longest ago is forgotten beyond.
pub const SEEN_REGISTRIES: usize = 512;
/// What a count of events comes to at most: it stays there. Beyond, a number in JSON is not exact.
pub const EVENT_COUNT: u64 = 1 << 53;
/// Least length of a webhook secret, in bytes: a shorter one is refused.
pub const WEBHOOK_SECRET_LEAST_BYTES: usize = 16;
/// A webhook secret, in bytes: refused above.
pub const WEBHOOK_SECRET_BYTES: usize = 256;
/// Seconds by which the time in a signature may be off, both ways: refused beyond.
pub const WEBHOOK_TOLERANCE_SECONDS: i64 = 300;
/// Milliseconds from a push event until a run is to look at its repository: those that come meanwhile are looked at with it.
pub const EVENT_WINDOW_MS: u64 = 250;
/// Least milliseconds between two looks at a repository that events ask for: those that come meanwhile wait for the second.
pub const EVENT_SPACING_MS: u64 = 500;
/// Events of one repository that wait: with more, which is a flood, the look waits until nothing of it has come for [`EVENT_WINDOW_MS`].
pub const EVENT_FLOOD: u64 = 100;
/// Milliseconds after its first event within which a flood is looked at all the same.
pub const EVENT_FLOOD_MS: u64 = 3_000;
/// Least milliseconds between two looks at a whole registry that events ask for: what has an agent start again and again must not have its registry
/// read all the time.
pub const EVENT_WHOLE_SPACING_MS: u64 = 300_000;
/// Repositories of one registry with events that wait: beyond, the whole registry is looked at in their place.
pub const EVENT_REPOSITORIES: usize = 1_000;
/// Webhooks of one tenant: a further one is refused.
pub const WEBHOOKS_PER_TENANT: usize = 100;
/// The URL of a webhook, in bytes: refused above.
pub const WEBHOOK_URL_BYTES: usize = 2_048;
/// Changes in one message to a webhook: the rest goes with the next.
pub const MESSAGE_CHANGES: u32 = 100;
/// A message to a webhook, in bytes: what does not fit goes with the next.
pub const MESSAGE_BYTES: usize = 256 * 1024;
/// Messages that one control plane delivers at once, each of at most [`MESSAGE_BYTES`]: further ones wait.
pub const DELIVERIES_AT_ONCE: usize = 256;
/// Of these, the ones to endpoints that answered quickly last time, as long as none takes longer now: such slots are always free soon.
pub const QUICK_DELIVERIES_AT_ONCE: usize = 128;
/// Of these, the ones of one tenant: slots are always left for others.
pub const QUICK_DELIVERIES_PER_TENANT: usize = 24;
/// Deliveries of one tenant, however long they take, while half of [`DELIVERIES_AT_ONCE`] or more are under way: what others have not begun is left to them.
pub const DELIVERIES_PER_TENANT: usize = QUICK_DELIVERIES_PER_TENANT + SLOW_DELIVERIES_PER_TENANT;
/// Deliveries at once to endpoints that took long last time: further ones wait.
pub const SLOW_DELIVERIES_AT_ONCE: usize = 32;
/// Of these, the ones of one tenant: slots are always left for others.
pub const SLOW_DELIVERIES_PER_TENANT: usize = 8;
/// An endpoint that takes longer than this for a message is slow, in milliseconds.
pub const QUICK_DELIVERY_MS: u64 = 2_000;
/// Tests of webhooks of one tenant that are under way at once: a further one is refused.
pub const WEBHOOK_TESTS_PER_TENANT: usize = 2;
/// Tests of webhooks of all tenants that are under way at once: a further one is refused.
pub const WEBHOOK_TESTS: usize = 8;
/// Attempts to deliver that are kept of one webhook: the oldest is dropped beyond.
pub const KEPT_DELIVERIES: u32 = 200;
/// Bytes of an endpoint's answer that are read, and forgotten: the connection is closed beyond.
pub const WEBHOOK_ANSWER_BYTES: usize = 4 * 1024;
/// Signatures of one message that are looked at: further ones are passed over.
pub const WEBHOOK_SIGNATURES: usize = 16;

/// An expression that says when a registry is read, in bytes: refused above.
pub const SCHEDULE_BYTES: usize = 128;
/// The longest interval of a schedule, in minutes: refused above.
pub const SCHEDULE_INTERVAL_MINUTES: u32 = 31 * 24 * 60;
/// The longest time by which a start may be put off at random, in seconds: refused above.
pub const SCHEDULE_JITTER_SECONDS: u32 = 6 * 60 * 60;
/// Windows in which no run of a registry is started: refused above.
pub const BLACKOUTS: usize = 32;
/// The longest time that one run may take, in seconds: refused above.
pub const RUN_SECONDS_MOST: u32 = 31 * 24 * 60 * 60;

/// What needs attention that one page of status names: the rest is counted.
pub const STATUS_ATTENTION: usize = 50;
/// Registries whose freshness is told in metrics: further ones are counted.
pub const METRICS_REGISTRIES: u32 = 10_000;

/// Connections to the people's listener at the same time; further ones wait to be accepted.
pub const HTTP_CONNECTIONS: usize = 1_024;
/// Of these, the ones from one source unless a setting says otherwise: dropped above. A proxy in front is one source.
pub const HTTP_CONNECTIONS_PER_SOURCE: usize = 256;
/// The most that this can be set to: some are always left for others, such as whoever looks past the proxy.
pub const HTTP_CONNECTIONS_PER_SOURCE_MOST: usize = 960;

/// Streams of changes that all have open at once, polls that wait included: further ones are refused. Each may hold a connection, and through a
/// proxy all are of one source: half of what one source may have is left for everything else.
pub const FEED_READERS: usize = HTTP_CONNECTIONS_PER_SOURCE / 2;
/// The same of one API token.
pub const FEED_READERS_PER_TOKEN: usize = 16;
/// The same of all tokens of one tenant, and less while there are others: none has more than are left.
pub const FEED_READERS_PER_TENANT: usize = FEED_READERS / 2;
/// Events that a stream of changes has in hand at once: with the bound of one event, of streams and of cursors that is what all may hold.
pub const FEED_STREAM_EVENTS: u32 = 100;
/// Seconds that a poll for changes waits at most: refused above. Less than a request may take.
pub const FEED_WAIT_SECONDS: u64 = 25;
/// Minutes after which a stream of changes ends, to be opened again where it stands: nothing of a connection lasts for ever.
pub const FEED_STREAM_MINUTES: u64 = 10;
/// Days for which history, or runs, are kept at most unless it is for ever: refused above.
pub const RETENTION_DAYS: u32 = 36_500;
/// Days for which runs that have ended are kept at least: a sensor that was away for less still finds its own.
pub const RUNS_DAYS_LEAST: u32 = 7;
/// Days for which runs that only looked at what push events named, and came to their end, are kept, whatever the tenant wants of other runs: there may
/// be one a second. What they learnt stays in the history.
pub const LOOKS_DAYS: u32 = 7;
