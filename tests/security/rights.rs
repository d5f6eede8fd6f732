//! The rights in docs/security.md are enough, and not one is more than enough.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};

use crate::connecting::prepared;
use crate::run::base;
use crate::support::app::{App, Instance};
use crate::support::flows::Load;
use crate::support::kafka_acls::{Acl, allow};
use crate::support::kafka_client::{Reader, Topic, Writer};
use crate::support::kafka_secure::{POWERLESS, Secure};
use crate::support::model::{BYTES, Rule};
use crate::support::rules::rules;
use crate::support::{topics, wait};
use crate::table::{Need, rights};

/// For an application to do what it does, or to say why not.
const PATIENCE: Duration = Duration::from_mins(1);
/// Applications at a time: they wait more than they work.
const AT_A_TIME: usize = 6;
/// Few flows, so that each application has soon met all that it needs a right for.
const INPUT: &str = "rights";

/// A user whom nobody has allowed anything yet.
fn new_user() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(number < POWERLESS, "the broker knows {POWERLESS} users");
    format!("user-{number}")
}

/// The same application in the name of a user with these rights.
fn with<'c>(secure: &Secure, app: App<'c>, acls: &[Acl]) -> App<'c> {
    let user = new_user();
    allow(&secure.cluster, &user, acls);
    until_seen(secure, &user, acls);
    secure
        .through(app, "PLAIN")
        .set("kafka.sasl.username", user)
}

/// The controller has answered before the broker knows; all rights of one request come at once.
fn until_seen(secure: &Secure, user: &str, acls: &[Acl]) {
    let sees = |acl: &&Acl| acl.kind == "topic" && acl.operation != "DescribeConfigs";
    let topic = &acls.iter().find(sees).expect("it may see a topic").name;
    let client: BaseConsumer = secure.client(user).create().expect("a client");
    let every = Duration::from_millis(20);
    wait::until("the broker knows the rights", PATIENCE, every, || {
        let metadata = client.fetch_metadata(Some(topic), PATIENCE).ok()?;
        let error = metadata.topics().first()?.error();
        let refused = rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
        (error != Some(refused)).then_some(())
    });
}

fn all(rights: Vec<(Acl, Need)>) -> Vec<Acl> {
    rights.into_iter().map(|(acl, _)| acl).collect()
}

#[test]
fn the_rights_of_run_are_enough_to_give_what_the_model_says() {
    let secure = Secure::shared();
    let prepared = prepared(secure);
    let app = prepared.app(&secure.cluster, "allowed");
    topics::create_internal(&secure.cluster, &app.id);
    let acls = all(rights("run", &app.id, &prepared.topic));
    let app = with(secure, app, &acls);
    let (code, output) = app.command(&["check", "--connect", "--quiet"], PATIENCE);
    assert_eq!(code, Some(0), "{output}");
    assert!(!output.contains("the user needs"), "{output}");
    let instances = app.start_all(1);
    prepared.finish(&app, instances);
}

#[test]
fn the_rights_of_each_stage_are_enough_to_give_what_the_model_says() {
    let secure = Secure::shared();
    let prepared = prepared(secure);
    let id = "allowed-apart";
    topics::create_internal(&secure.cluster, id);
    let stage = |name: &str| {
        let acls = all(rights(name, id, &prepared.topic));
        with(secure, prepared.app(&secure.cluster, id), &acls)
    };
    let (count, detect) = (stage("count"), stage("detect"));
    let instances = vec![
        count.start_stage(0, "count"),
        detect.start_stage(1, "detect"),
    ];
    prepared.finish(&detect, instances);
}

#[test]
fn the_rights_of_create_are_enough_to_give_what_the_model_says() {
    let secure = Secure::shared();
    let prepared = prepared(secure);
    let app = prepared.app(&secure.cluster, "allowed-new");
    let mut acls = all(rights("run", &app.id, &prepared.topic));
    acls.extend(all(rights("create", &app.id, &prepared.topic)));
    let app = with(secure, app, &acls);
    let mut instance = app.start(0);
    instance.ready();
    prepared.finish(&app, vec![instance]);
}

/// One flow in one partition gives a dead letter, a window and an alert.
fn small(secure: &Secure) -> &'static [Rule] {
    static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
    RULES.get_or_init(|| {
        Topic::new(INPUT, 1).create(&secure.cluster);
        let records = Load::new(12, 500, 1, base()).generate();
        Writer::new(&secure.cluster, INPUT).write(records.iter().map(|record| &record.out));
        let mut rule = rules().remove(1);
        rule.filter = "bytes > 0";
        rule.thresholds = vec![(BYTES, vec![(0, 1)])];
        vec![rule]
    })
}

/// What a process says that has all rights of `column` but one: the error, and which right it names.
fn check_each(column: &'static str) {
    let secure = Secure::shared();
    let rules = small(secure);
    let of = |id: &str| {
        let mut found = Vec::new();
        if column == "create" {
            // The others it needs besides, and they are looked at in `run`.
            found.extend(
                rights("run", id, INPUT)
                    .into_iter()
                    .map(|(acl, _)| (acl, None)),
            );
        }
        let own = rights(column, id, INPUT).into_iter();
        found.extend(own.map(|(acl, need)| (acl, Some(need))));
        found
    };
    let number = of("any").iter().filter(|(_, need)| need.is_some()).count();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= number {
                        break;
                    }
                    let id = format!("without-{column}-{at}");
                    let mut acls = of(&id);
                    let own = acls.iter().position(|(_, need)| need.is_some());
                    let (missing, need) = acls.remove(own.expect("there are some") + at);
                    let acls: Vec<_> = acls.into_iter().map(|(acl, _)| acl).collect();
                    let app = App::new(&secure.cluster, &id, INPUT, rules);
                    let need = need.expect("it is one of its own");
                    if let Err(why) = without(secure, column, app, &acls, &missing, need) {
                        let mut wrong = wrong.lock().unwrap_or_else(PoisonError::into_inner);
                        wrong.push(why);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Runs the column's command with all rights but `missing`.
fn without(
    secure: &Secure,
    column: &str,
    app: App<'_>,
    acls: &[Acl],
    missing: &Acl,
    need: Need,
) -> Result<(), String> {
    if column != "create" {
        topics::create_internal_of(&secure.cluster, &app.id, 1);
    }
    // Detect has nothing to do without count, which may do what it wants.
    let feeder = (column == "detect").then(|| {
        let feeder = App::new(&secure.cluster, &app.id, INPUT, small_rules());
        feeder.start_stage(7, "count")
    });
    let app = with(secure, app, acls);
    let mut instance = match column {
        "count" | "detect" => app.start_stage(0, column),
        _ => app.start(0),
    };
    let operation = missing
        .operation
        .replace("DescribeConfigs", "Describe_Configs");
    let name = missing.name.trim_end_matches('*');
    let says = format!(
        "the user needs {} on {} {name}",
        operation.to_uppercase(),
        missing.kind
    );
    let ended = wait::until(
        &says,
        PATIENCE,
        Duration::from_millis(50),
        || match instance.process.ended() {
            Some(status) => Some(Some(status)),
            None if need == Need::May && is_ready(&instance) => Some(None),
            None => None,
        },
    );
    drop(feeder);
    let output = instance.process.output();
    let as_it_should = match (ended, need) {
        (Some(status), Need::Yes) => status.code() == Some(1),
        (None, Need::May) => true,
        _ => false,
    };
    let said = match need {
        Need::Yes => {
            let error = output.split_once("\nhotprefix: ");
            error.is_some_and(|(_, error)| error.contains(&says))
        }
        Need::May => output.contains(&says),
    };
    if as_it_should && said {
        return Ok(());
    }
    Err(format!(
        "{}: without {missing:?} it should say `{says}`, ended with {ended:?}:\n{output}",
        app.id
    ))
}

fn small_rules() -> &'static [Rule] {
    small(Secure::shared())
}

fn is_ready(instance: &Instance) -> bool {
    instance
        .get("/readyz")
        .is_some_and(|(status, _)| status == 200)
}

#[test]
fn run_names_each_right_that_is_missing() {
    check_each("run");
}

#[test]
fn count_names_each_right_that_is_missing() {
    check_each("count");
}

#[test]
fn detect_names_each_right_that_is_missing() {
    check_each("detect");
}

#[test]
fn creation_of_topics_names_each_right_that_is_missing() {
    check_each("create");
}

/// `tail`, `inspect` and `reset` end by themselves: with all rights of their column well, without one of them badly.
fn check_command(column: &str, command: &[&str]) {
    let secure = Secure::shared();
    let rules = small(secure);
    let fresh = |id: &str| {
        let app = App::new(&secure.cluster, id, INPUT, rules);
        let mut instance = app.start(0);
        instance.ready();
        let mut alerts = Reader::new(&secure.cluster, &app.topic("alerts"));
        alerts.until("there is an alert", PATIENCE, |read| !read.is_empty());
        instance.stop();
        app
    };
    // Refused, it changes nothing: one application serves all.
    let app = fresh(&format!("commanded-{}", column.replace(" --", "-")));
    let id = app.id.clone();
    let needed = all(rights(column, &id, INPUT));
    for (at, missing) in needed.iter().enumerate().filter(|_| needed.len() > 1) {
        let mut acls = needed.clone();
        acls.remove(at);
        let app = App::new(&secure.cluster, &id, INPUT, rules);
        let (code, output) = with(secure, app, &acls).command(command, PATIENCE);
        let says = format!(
            "the user needs {} on {} {}",
            missing.operation.to_uppercase(),
            missing.kind,
            missing.name
        );
        assert!(
            code == Some(1) && output.contains(&says),
            "{says}: {output}"
        );
    }
    let app = with(secure, app, &needed);
    let (code, output) = app.command(command, PATIENCE);
    assert_eq!(code, Some(0), "{output}");
}

#[test]
fn tail_needs_its_right_and_no_other() {
    check_command("tail", &["tail", "--from-beginning", "--count", "1"]);
    let secure = Secure::shared();
    let app = App::new(&secure.cluster, "commanded-tail", INPUT, small(secure));
    let acls = [Acl {
        operation: "Describe".to_owned(),
        kind: "topic".to_owned(),
        name: app.topic("alerts"),
    }];
    let (code, output) = with(secure, app, &acls).command(&["tail", "--from-beginning"], PATIENCE);
    let says = "the user needs READ on topic commanded-tail-alerts";
    assert!(code == Some(1) && output.contains(says), "{output}");
}

#[test]
fn tail_of_open_alerts_needs_its_right_and_no_other() {
    check_command("tail --active", &["tail", "--active"]);
}

#[test]
fn inspect_needs_its_right_and_no_other() {
    check_command("inspect", &["inspect", "--from-beginning"]);
    let secure = Secure::shared();
    let app = App::new(&secure.cluster, "commanded-inspect", INPUT, small(secure));
    let acls = [Acl {
        operation: "Describe".to_owned(),
        kind: "topic".to_owned(),
        name: INPUT.to_owned(),
    }];
    let (code, output) = with(secure, app, &acls).command(&["inspect"], PATIENCE);
    let says = format!("the user needs READ on topic {INPUT}");
    assert!(code == Some(1) && output.contains(&says), "{output}");
}

#[test]
fn reset_names_each_right_that_is_missing() {
    check_command("reset", &["reset", "--yes"]);
}
