//! The commands of a machine that is a sensor, and those that need none.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use portolan_shared::process::{Clock as _, Shutdown, SystemClock, SystemRng, Tasks};

use super::arguments::Output;
use super::egress::doors;
use super::exit::{DONE, FAILED, Failed, REFUSED, REVOKED, USAGE, keyring_code, say};
use crate::doctor::{DoctorArguments, DoctorError, Style, examine};
use crate::settings::{Environment, Settings};
use crate::wiring::{
    Agent, AgentEnd, AgentError, AgentParts, RevokedWait, Starter, WaitEnd, follow_signals, status,
};

pub(super) async fn run_agent(settings: Settings, environment: Environment) -> Result<u8, Failed> {
    let starter = Starter::of(&environment, std::process::id(), io::stderr().is_terminal());
    let shutdown = Shutdown::new();
    let tasks = Tasks::new(shutdown.clone());
    let built = Agent::build(AgentParts {
        settings: settings.clone(),
        environment,
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
        tasks: tasks.clone(),
    });
    let (handle, agent) = match built.await {
        Ok(built) => built,
        Err(error) => return wait_if_revoked(error, &settings, starter, tasks).await,
    };
    let signals = follow_signals(move || handle.reload_policy(), shutdown)
        .map_err(|error| Failed::because(FAILED, &error))?;
    tasks.spawn("signals", signals);
    let end = agent.run().await;
    tasks.ended().await;
    match end {
        AgentEnd::Revoked => Err(Failed(
            REVOKED,
            "this sensor was revoked by its control plane".to_owned(),
        )),
        AgentEnd::Stopped if tasks.any_failed() => Err(Failed(
            FAILED,
            "a part of the agent failed; see the log".to_owned(),
        )),
        AgentEnd::Stopped => Ok(DONE),
    }
}

/// A start that failed ends; one that only found its sensor revoked, and is repeated whatever it ends with, waits.
async fn wait_if_revoked(
    error: AgentError,
    settings: &Settings,
    starter: Starter,
    tasks: Tasks,
) -> Result<u8, Failed> {
    let wait = RevokedWait::instead_of(error, settings, starter, Arc::new(SystemClock), tasks.clone())
        .await
        .map_err(|error| {
            let code = match &error {
                AgentError::Keyring(error) => keyring_code(error),
                AgentError::Policy(_) => USAGE,
                AgentError::Uplink(_)
                | AgentError::Audit(_)
                | AgentError::Listen { .. }
                | AgentError::Notify(_) => FAILED,
            };
            Failed::because(code, &error)
        })?;
    // Nothing is done, so there is no policy to read again.
    let signals =
        follow_signals(|| {}, tasks.shutdown().clone()).map_err(|error| Failed::because(FAILED, &error))?;
    tasks.spawn("signals", signals);
    let end = wait.run().await;
    tasks.ended().await;
    match end {
        // Whoever stops it knows what it waited for, and asked for no more.
        WaitEnd::Stopped => Ok(DONE),
        WaitEnd::Replaced => Err(Failed(
            FAILED,
            "another sensor was enrolled here: start the agent again".to_owned(),
        )),
    }
}

pub(super) async fn show_status(settings: &Settings, output: Output) -> Result<u8, Failed> {
    let report = status(&settings.data_dir, &settings.policy, SystemClock.now())
        .await
        .map_err(|error| Failed::because(keyring_code(&error), &error))?;
    let text = match output {
        Output::Text => report.to_string().trim_end().to_owned(),
        Output::Json => {
            serde_json::to_string_pretty(&report).map_err(|error| Failed::because(FAILED, &error))?
        }
    };
    say(&text)?;
    Ok(if report.ready { DONE } else { FAILED })
}

pub(super) async fn doctor(
    arguments: &DoctorArguments,
    settings: &Settings,
    environment: &Environment,
) -> Result<u8, Failed> {
    let style = Style::of_output(environment);
    let doors = doors(settings);
    match examine(
        arguments,
        settings,
        environment,
        io::stdin(),
        io::stdout(),
        style,
        doors,
    )
    .await
    {
        Ok(true) => Ok(DONE),
        Ok(false) => Ok(REFUSED),
        Err(error @ DoctorError::Consultation(_)) => Err(Failed::because(USAGE, &error)),
        Err(error) => Err(Failed::because(FAILED, &error)),
    }
}
