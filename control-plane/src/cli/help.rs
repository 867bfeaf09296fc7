//! The exit codes in every command's help.
//!
//! They are appended to what a command's own file says, from one table: so that none is forgotten, and all say the same.

use clap::{Command, CommandFactory as _};

use super::{Cli, Exit};

/// What every command over the API can end with.
const ALWAYS: &[Exit] = &[
    Exit::Done,
    Exit::Failed,
    Exit::Usage,
    Exit::Denied,
    Exit::Unavailable,
];

/// What it can end with besides, by its words.
const BESIDES: &[(&str, &[Exit])] = &[
    ("login", &[]),
    ("whoami", &[]),
    ("status", &[Exit::Attention]),
    ("sensor invite", &[Exit::Conflict]),
    ("sensor list", &[]),
    ("sensor show", &[Exit::NotFound]),
    ("sensor invitation list", &[]),
    ("sensor invitation revoke", &[Exit::NotFound]),
    ("sensor suspend", &[Exit::NotFound, Exit::Conflict]),
    ("sensor resume", &[Exit::NotFound, Exit::Conflict]),
    ("sensor approve", &[Exit::NotFound, Exit::Conflict]),
    ("sensor revoke", &[Exit::NotFound]),
    ("sensor delete", &[Exit::NotFound, Exit::Conflict]),
    (
        "registry add",
        &[Exit::Conflict, Exit::Unsound, Exit::Unanswered, Exit::Untrusted],
    ),
    ("registry list", &[]),
    ("registry show", &[Exit::NotFound]),
    (
        "registry set",
        &[
            Exit::NotFound,
            Exit::Conflict,
            Exit::Unsound,
            Exit::Unanswered,
            Exit::Untrusted,
        ],
    ),
    (
        "registry test",
        &[Exit::NotFound, Exit::Unsound, Exit::Unanswered],
    ),
    ("registry pause", &[Exit::NotFound, Exit::Conflict]),
    ("registry resume", &[Exit::NotFound, Exit::Conflict]),
    ("registry remove", &[Exit::NotFound]),
    ("webhook add", &[Exit::Conflict]),
    ("webhook list", &[]),
    ("webhook show", &[Exit::NotFound]),
    ("webhook set", &[Exit::NotFound, Exit::Conflict]),
    ("webhook remove", &[Exit::NotFound]),
    ("webhook pause", &[Exit::NotFound]),
    ("webhook resume", &[Exit::NotFound, Exit::Conflict]),
    ("webhook rotate", &[Exit::NotFound]),
    ("webhook test", &[Exit::NotFound, Exit::Undelivered]),
    ("webhook deliveries", &[Exit::NotFound]),
    ("schedule preview", &[Exit::NotFound]),
    ("credential list", &[]),
    ("credential show", &[Exit::NotFound]),
    ("credential revert", &[Exit::NotFound, Exit::Conflict]),
    ("credential remove", &[Exit::NotFound]),
    (
        "sync",
        &[
            Exit::NotFound,
            Exit::Conflict,
            Exit::RunPartial,
            Exit::RunFailed,
            Exit::RunCancelled,
            Exit::Detached,
        ],
    ),
    ("run list", &[Exit::NotFound]),
    ("run show", &[Exit::NotFound]),
    (
        "run watch",
        &[
            Exit::NotFound,
            Exit::RunPartial,
            Exit::RunFailed,
            Exit::RunCancelled,
            Exit::Detached,
        ],
    ),
    ("run cancel", &[Exit::NotFound, Exit::Conflict]),
    ("repository list", &[Exit::NotFound]),
    ("repository show", &[Exit::NotFound, Exit::Conflict]),
    ("tag list", &[Exit::NotFound, Exit::Conflict]),
    ("image show", &[Exit::NotFound, Exit::Conflict]),
    ("history", &[Exit::NotFound, Exit::Conflict]),
    ("diff", &[Exit::NotFound]),
    ("changes", &[Exit::NotFound]),
    ("where", &[Exit::NotFound]),
    ("token create", &[]),
    ("token list", &[]),
    ("token revoke", &[Exit::NotFound]),
    ("settings retention", &[]),
    ("audit list", &[]),
    ("audit verify", &[Exit::Tampered]),
    ("audit export", &[]),
];

/// The command line with its whole help.
#[must_use]
pub fn command_line() -> Command {
    BESIDES.iter().fold(Cli::command(), |command, (words, besides)| {
        let words: Vec<_> = words.split(' ').collect();
        append(command, &words, besides)
    })
}

fn append(command: Command, words: &[&str], besides: &[Exit]) -> Command {
    let Some((first, rest)) = words.split_first() else {
        let own = command
            .get_after_help()
            .map(|text| format!("{text}\n\n"))
            .unwrap_or_default();
        return command.after_help(format!("{own}{}", paragraph(besides)));
    };
    // All of them, to keep their order.
    command.mut_subcommands(|inner| {
        if inner.get_name() == *first {
            append(inner, rest, besides)
        } else {
            inner
        }
    })
}

fn paragraph(besides: &[Exit]) -> String {
    let mut exits: Vec<_> = ALWAYS.iter().chain(besides).collect();
    exits.sort_by_key(|exit| exit.code());
    let mut text = "Exit codes:".to_owned();
    for exit in exits {
        let meaning = match exit {
            Exit::Done if besides.contains(&Exit::RunPartial) => "done; if the run was waited for: complete",
            exit => exit.meaning(),
        };
        text.push_str(&format!("\n {:>3}  {meaning}", exit.code()));
    }
    text
}
