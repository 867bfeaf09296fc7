//! What is printed at the end.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crate::runner::{Finished, Outcome};

/// Lines of a failed check that are shown; all of them stay in its log.
const SHOWN_LINES: usize = 400;

/// Prints the table, then the output of each failed check, then the counts. Gives the exit code.
pub(crate) fn print(results: &[Finished<'_>]) -> ExitCode {
    println!("\n{:<12} {:<8} {:>9}  what it proves", "check", "result", "time");
    for result in results {
        let word = match &result.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::Skipped(_) => "skipped",
        };
        let note = match &result.outcome {
            Outcome::Skipped(reason) => format!(" ({reason})"),
            Outcome::Passed | Outcome::Failed => tests_in(&result.log)
                .filter(|_| result.check.name == "test")
                .map(|tests| format!(" ({tests})"))
                .unwrap_or_default(),
        };
        let seconds = format!("{:.1} s", result.took.as_secs_f64());
        println!(
            "{:<12} {word:<8} {seconds:>9}  {}{note}",
            result.check.name, result.check.proves
        );
    }
    for result in results.iter().filter(|result| result.outcome == Outcome::Failed) {
        println!("\n---- {}: {}", result.check.name, result.check.command_line());
        print_end_of(&result.log);
    }
    let count =
        |wanted: fn(&Outcome) -> bool| results.iter().filter(|result| wanted(&result.outcome)).count();
    let passed = count(|outcome| *outcome == Outcome::Passed);
    let failed = count(|outcome| *outcome == Outcome::Failed);
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    let took: Duration = results.iter().map(|result| result.took).sum();
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; 0 filtered out; finished in {:.2}s",
        took.as_secs_f64()
    );
    println!("{passed} passed, {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print_end_of(log: &Path) {
    let output = fs::read(log).unwrap_or_default();
    let output = String::from_utf8_lossy(&output);
    let lines: Vec<&str> = output.lines().collect();
    let left_out = lines.len().saturating_sub(SHOWN_LINES);
    if left_out > 0 {
        println!("({left_out} lines before these are in {})", log.display());
    }
    for line in &lines[left_out..] {
        println!("{line}");
    }
}

/// The sum of the result lines of all test programs.
fn tests_in(log: &Path) -> Option<String> {
    let output = fs::read_to_string(log).ok()?;
    let (passed, failed, ignored) = sum_of_results(&output)?;
    Some(format!(
        "{passed} tests passed, {failed} failed, {ignored} ignored"
    ))
}

fn sum_of_results(output: &str) -> Option<(u64, u64, u64)> {
    let mut sums = None;
    for line in output.lines().filter(|line| line.starts_with("test result: ")) {
        let number_before = |word: &str| -> u64 {
            line.split([';', '.'])
                .filter_map(|part| part.trim().strip_suffix(word))
                .find_map(|number| number.trim().parse().ok())
                .unwrap_or(0)
        };
        let (passed, failed, ignored) = sums.unwrap_or((0, 0, 0));
        sums = Some((
            passed + number_before("passed"),
            failed + number_before("failed"),
            ignored + number_before("ignored"),
        ));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_the_results_of_all_test_programs() {
        let output = "\
            running 3 tests\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test result: FAILED. 40 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s\n";
        assert_eq!(sum_of_results(output), Some((43, 2, 1)));
        assert_eq!(sum_of_results("error: could not compile"), None);
    }
}
