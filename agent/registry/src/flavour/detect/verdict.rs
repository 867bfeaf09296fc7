//! From signs to a recognition.

use ::http::HeaderMap;
use portolan_shared::model::{Confidence, Detection, Flavour};

use super::probe;
use super::signs::{self, Sign};
use crate::api::Greeting;
use crate::client::RegistryClient;

/// Which product received a stranger so. Asks at most one more question, if that leaves it open.
pub(in crate::flavour) async fn recognise(client: &RegistryClient, greeting: &Greeting) -> Detection {
    let mut signs = signs::of_greeting(greeting);
    let (flavour, confidence) = strongest(&signs);
    // GitLab names itself once the login is in, and then tells more than it would tell a stranger.
    let will_tell = flavour == Flavour::GitLab && confidence == Confidence::Medium;
    if confidence < Confidence::High && !will_tell {
        let asked = probe::ask(client, greeting, flavour).await;
        let asked = asked.map(|sign| match sign.flavour {
            // These two are asked about by the question that tells somebody else from them.
            Flavour::Distribution | Flavour::Generic => Sign {
                flavour: Flavour::Zot,
                ..sign
            },
            Flavour::OpenShift => Sign {
                flavour: Flavour::Pulp,
                ..sign
            },
            _ => sign,
        });
        signs.extend(asked);
    }
    let mut detection = detection(&signs);
    if detection.evidence.is_empty() {
        detection.evidence = vec!["no sign of a product that is known".to_owned()];
    }
    detection
}

/// The same recognition, with what the answer says that let the login in.
pub(in crate::flavour) fn admitted(known: &Detection, headers: &HeaderMap) -> Detection {
    let signs = signs::of_headers(headers);
    let (flavour, confidence) = strongest(&signs);
    if flavour != known.flavour && confidence < Confidence::High {
        return known.clone();
    }
    let told = detection(&signs);
    let mut evidence = told.evidence;
    if told.flavour == known.flavour {
        for sign in &known.evidence {
            if !evidence.contains(sign) {
                evidence.push(sign.clone());
            }
        }
    }
    let version = told.version.or_else(|| known.version.clone());
    let confidence = if told.flavour == known.flavour {
        told.confidence.max(known.confidence)
    } else {
        told.confidence
    };
    Detection::new(told.flavour, confidence, &evidence, version.as_deref())
}

/// The product with the strongest sign; of several the one with the most.
fn strongest(signs: &[Sign]) -> (Flavour, Confidence) {
    let mut best = (Flavour::Generic, Confidence::Low, 0_usize);
    for sign in signs {
        let of_it = signs.iter().filter(|other| other.flavour == sign.flavour);
        let weight = of_it.clone().map(|sign| sign.weight).max().unwrap_or(sign.weight);
        // The one sign of CNCF Distribution is everybody's.
        let count = match sign.flavour {
            Flavour::Distribution => 1,
            _ => 1 + of_it.count(),
        };
        if (weight, count) > (best.1, best.2) {
            best = (sign.flavour, weight, count);
        }
    }
    (best.0, best.1)
}

fn detection(signs: &[Sign]) -> Detection {
    let (flavour, mut confidence) = strongest(signs);
    let mut of_it: Vec<&Sign> = signs.iter().filter(|sign| sign.flavour == flavour).collect();
    of_it.sort_by_key(|sign| std::cmp::Reverse(sign.weight));
    // Several weak signs that agree are more than one.
    if confidence == Confidence::Low && of_it.len() > 1 {
        confidence = Confidence::Medium;
    }
    let version = of_it.iter().find_map(|sign| sign.version.clone());
    let evidence: Vec<String> = of_it.iter().map(|sign| sign.text.clone()).collect();
    Detection::new(flavour, confidence, &evidence, version.as_deref())
}
