//! The rules for Prometheus that operators are given: whether they can be read, and name what is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use axum::http::Method;
use serde_json::json;

use crate::shop::Shop;
use crate::status_metrics::scrape;
use crate::world::World;

const ALERTS: &str = include_str!("../../../deploy/control-plane/alerts.yml");

/// The metrics that are told, each with its labels.
type Told = BTreeMap<String, BTreeSet<String>>;

fn told(text: &str) -> Told {
    let mut all = Told::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split(',');
        let names = labels
            .filter_map(|label| label.split_once('='))
            .map(|(name, _)| name.to_owned());
        all.entry(name.to_owned()).or_default().extend(names);
    }
    all
}

/// The rules, each with what it says, in the part of YAML that the file keeps to: anything else is a panic.
fn rules(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut rules: Vec<BTreeMap<String, String>> = Vec::new();
    let mut section = String::new();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    for line in lines.filter(|line| !line.is_empty()) {
        let content = line.trim_start_matches(' ');
        match (line.len() - content.len(), content.split_once(": ")) {
            (0, None) if content == "groups:" => {}
            (2, Some(("- name", _))) => {}
            (4, None) if content == "rules:" => {}
            (6, Some(("- alert", name))) => rules.push(BTreeMap::from([("alert".to_owned(), scalar(name))])),
            (8, None) => section = content.strip_suffix(':').unwrap().to_owned(),
            (8, Some((key @ "expr", ">-"))) => section = key.to_owned(),
            (8, Some((key @ ("expr" | "for"), value))) => {
                rules.last_mut().unwrap().insert(key.to_owned(), scalar(value));
            }
            (10, _) if section == "expr" => {
                let expression = rules.last_mut().unwrap().entry(section.clone()).or_default();
                *expression = format!("{expression} {content}").trim_start().to_owned();
            }
            (10, Some((key, value))) => {
                let key = format!("{section}.{key}");
                rules.last_mut().unwrap().insert(key, scalar(value));
            }
            _ => panic!("{line:?}"),
        }
    }
    rules
}

fn scalar(text: &str) -> String {
    if text.starts_with('"') {
        return serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    let is_plain = !text.starts_with(['\'', '{', '[', '&', '*', '!', '|', '>', '%', '@', '`']);
    assert!(is_plain && !text.contains(": ") && !text.contains(" #"), "{text}");
    text.to_owned()
}

/// Reads the part of Prometheus's language that the rules keep to.
struct Expression<'t> {
    tokens: Vec<&'t str>,
    at: usize,
    told: &'t Told,
}

impl<'t> Expression<'t> {
    /// What is wrong with an expression, if anything is.
    fn check(text: &'t str, told: &'t Told) -> Result<(), String> {
        let token = regex::Regex::new(r#"[a-z_]+|[0-9.]+|"[^"]*"|[=!<>]=|[-+*/<>=(){},]"#).unwrap();
        let tokens: Vec<_> = token.find_iter(text).map(|found| found.as_str()).collect();
        let dense = |text: &str| text.replace(' ', "");
        if dense(&tokens.concat()) != dense(text) {
            return Err(format!("what no token is in {text}"));
        }
        let mut expression = Self { tokens, at: 0, told };
        expression.whole()?;
        match expression.next() {
            "" => Ok(()),
            rest => Err(format!("{rest} is too much")),
        }
    }

    fn peek(&self) -> &'t str {
        self.tokens.get(self.at).copied().unwrap_or_default()
    }

    fn next(&mut self) -> &'t str {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        match self.next() {
            found if found == token => Ok(()),
            found => Err(format!("{found:?} in place of {token}")),
        }
    }

    /// Operands with operators between them; gives the labels that are left of all of them.
    fn whole(&mut self) -> Result<BTreeSet<String>, String> {
        const OPERATORS: [&str; 13] = [
            "and", "or", "unless", "==", "!=", ">", "<", ">=", "<=", "+", "-", "*", "/",
        ];
        let mut labels = self.operand()?;
        while OPERATORS.contains(&self.peek()) {
            self.next();
            labels.extend(self.operand()?);
        }
        Ok(labels)
    }

    fn operand(&mut self) -> Result<BTreeSet<String>, String> {
        let token = self.next();
        if token.parse::<f64>().is_ok() {
            return Ok(BTreeSet::new());
        }
        match token {
            "(" => self.until_closed(),
            "time" => {
                self.expect("(")?;
                self.expect(")").map(|()| BTreeSet::new())
            }
            "absent" => {
                self.expect("(")?;
                self.until_closed()
            }
            "max" | "sum" if self.peek() == "by" => {
                self.next();
                self.expect("(")?;
                let mut by = vec![self.next()];
                while self.peek() == "," {
                    self.next();
                    by.push(self.next());
                }
                self.expect(")")?;
                self.expect("(")?;
                let of = self.until_closed()?;
                match by.iter().find(|label| !of.contains(**label)) {
                    Some(label) => Err(format!("nothing has the label {label}")),
                    None => Ok(of),
                }
            }
            "max" | "sum" => {
                self.expect("(")?;
                self.until_closed()
            }
            metric => self.series(metric),
        }
    }

    fn until_closed(&mut self) -> Result<BTreeSet<String>, String> {
        let labels = self.whole()?;
        self.expect(")").map(|()| labels)
    }

    fn series(&mut self, metric: &str) -> Result<BTreeSet<String>, String> {
        let Some(labels) = self.told.get(metric) else {
            return Err(format!("{metric} is not told"));
        };
        if self.peek() == "{" {
            self.next();
            let label = self.next();
            if !labels.contains(label) {
                return Err(format!("{metric} has no label {label}"));
            }
            self.expect("=")?;
            if !self.next().starts_with('"') {
                return Err(format!("no value of {label}"));
            }
            self.expect("}")?;
        }
        Ok(labels.clone())
    }
}

#[tokio::test]
async fn rules_for_alerts_can_be_read_and_name_what_is_told() {
    let world = World::new().await;
    Shop::open(&world).await;
    let schedule = json!({"schedule": {"expression": "every 6h"}});
    let path = "/api/v1/registries/gl";
    world
        .ask(&world.operator, Method::PATCH, path, Some(schedule))
        .await;
    let _loop = crate::clockwork::keep(&world.app);
    let gl = world.get(path).await.json()["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    world.planned(gl, None).await;
    let told = told(&scrape(&world).await);
    let rules = rules(ALERTS);
    assert!(rules.len() > 6, "{rules:?}");
    let names: BTreeSet<_> = rules.iter().map(|rule| &rule["alert"]).collect();
    assert_eq!(names.len(), rules.len());
    let length = regex::Regex::new("^[0-9]+[smhd]$").unwrap();
    for rule in &rules {
        let alert = &rule["alert"];
        assert_eq!(Expression::check(&rule["expr"], &told), Ok(()), "{alert}");
        assert!(length.is_match(&rule["for"]), "{alert}");
        assert!(
            ["warning", "critical"].contains(&rule["labels.severity"].as_str()),
            "{alert}"
        );
        for part in ["annotations.summary", "annotations.description"] {
            assert!(!rule[part].is_empty(), "{alert}");
            assert_eq!(rule[part].matches("{{").count(), rule[part].matches("}}").count());
        }
    }
    for (wrong, why) in [
        (
            "max by (tenant) (portolan_denials_age_seconds) > 1",
            "nothing has the label tenant",
        ),
        ("portolan_no_such_thing > 1", "portolan_no_such_thing is not told"),
        (
            "max(portolan_webhooks{kind=\"x\"}) > 0",
            "portolan_webhooks has no label kind",
        ),
        ("(portolan_denials_age_seconds > 1", "\"\" in place of )"),
        ("portolan_denials_age_seconds > 1)", ") is too much"),
        ("portolan_denials_age_seconds > ", " is not told"),
        (
            "portolan_denials_age_seconds ; 1",
            "what no token is in portolan_denials_age_seconds ; 1",
        ),
    ] {
        assert_eq!(Expression::check(wrong, &told), Err(why.to_owned()), "{wrong}");
    }
}

/// What Prometheus itself makes of them, where it is at hand.
#[test]
fn rules_for_alerts_fire_for_what_they_should_and_for_nothing_else() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = here.join("../deploy/control-plane/alerts.yml");
    let tests = here.join("tests/people/alerts.test.yml");
    for (verb, file) in [("check", rules), ("test", tests)] {
        let Ok(ran) = Command::new("promtool")
            .arg(verb)
            .arg("rules")
            .arg(&file)
            .output()
        else {
            return;
        };
        let said = [ran.stdout, ran.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        assert!(ran.status.success(), "{said:?}");
    }
}
