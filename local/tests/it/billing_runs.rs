//! Billing runs: by operators over HTTP, at the command line, and of a process that is killed.

use std::{
    io::Read,
    process::Stdio,
    time::{Duration, Instant},
};

use lmo_shared::{clock::Clock, config::variable};

use crate::{
    crash::Random,
    operators::{Desk, deployment},
    support::{Setup, Value, json},
};

pub mod seed;

use seed::{assert_billed, month, tenants};

const RUNS: &str = "/api/admin/runs";

async fn desk_with(count: usize) -> Desk {
    let setup = deployment();
    tenants(&setup.data_dir(), count).await;
    Desk::of(setup).await
}

fn progress(output: &std::process::Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default())
        .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test]
async fn an_operator_begins_a_run_and_sees_it_through() {
    let (desk, month) = (desk_with(12).await, month().to_string());
    desk.send("GET", &format!("{RUNS}/{month}"), None).await.assert_error(404, "not_found");
    for (body, status, code) in [
        (json!({"period": &month[..4]}), 400, "invalid_request"),
        (json!({"period": "2026-10-01"}), 400, "invalid_request"),
        (json!({"period": month, "again": 1}), 400, "invalid_request"),
        (json!({"period": month, "parts": 0}), 400, "invalid_request"),
        (json!({"period": month, "parts": 257}), 400, "invalid_request"),
        (json!({"period": "2999-01"}), 409, "conflict"),
    ] {
        desk.send("POST", RUNS, Some(&body)).await.assert_error(status, code);
    }
    for path in ["2026-10-01", "nonsense", "RUN%232026-09"] {
        desk.send("GET", &format!("{RUNS}/{path}"), None).await.assert_error(404, "not_found");
    }
    let accepted = desk.send("POST", RUNS, Some(&json!({"period": month, "parts": 3}))).await;
    assert_eq!((accepted.status, &accepted.json()["parts"].as_array().unwrap().len()), (202, &3), "{}", accepted.body);
    let began = Instant::now();
    let done = loop {
        let run = desk.get(&format!("{RUNS}/{month}")).await;
        if run["status"] == "finished" {
            break run;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{run:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((&done["counts"]["finalised"], &done["open"]), (&json!(12), &json!([])), "{done:#}");
    // The month behind it was begun by the schedule.
    let first = desk.get(&format!("{RUNS}?limit=1")).await;
    let listed = desk.get(&format!("{RUNS}?limit=1&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((&listed["runs"][0]["period"], &listed["runs"][0]["parts"]), (&json!(month), &json!(3)), "{listed:#}");
    // Doing it again changes nothing.
    let again = desk.send("POST", RUNS, Some(&json!({"period": month}))).await;
    assert_eq!((again.status, again.json()["finished_at"].clone()), (202, done["finished_at"].clone()));
    let operated = desk.get("/api/admin/audit?limit=1").await;
    assert_eq!(operated["entries"][0]["action"], "run.begin", "{operated:#}");
}

#[tokio::test]
async fn the_command_line_prints_what_became_of_the_run() {
    let setup = Setup::new();
    tenants(&setup.data_dir(), 7).await;
    let month = month().to_string();
    let run = || setup.output(&["billing", "run", "--period", &month, "--parts", "2"]);
    let (first, second) = (run(), run());
    for output in [&first, &second] {
        let said = progress(output);
        assert!(output.status.success(), "{said:#}");
        assert_eq!((&said["status"], &said["counts"]["finalised"]), (&json!("finished"), &json!(7)), "{said:#}");
    }
    let bad = setup.output(&["billing", "run", "--period", "October"]);
    crate::cli::assert_one_line(&bad, &["--period", "October"]);
    let early = setup.output(&["billing", "run", "--period", "2999-01"]);
    crate::cli::assert_one_line(&early, &["2999-01", "not over"]);
}

#[test]
fn there_is_no_run_before_somebody_says_who_sells() {
    let none = Setup::new().output(&["billing", "run", "--period", "2026-10"]);
    crate::cli::assert_one_line(&none, &["billing settings"]);
}

/// The real program, killed as by a power cut.
#[tokio::test]
async fn a_run_that_is_killed_at_any_moment_bills_everybody_once() {
    let kills = variable("LMO_KILLS").map_or(25, |kills| kills.parse().unwrap());
    let (setup, month) = (Setup::new(), month().to_string());
    tenants(&setup.data_dir(), 500).await;
    let seed = Clock::System.now().0;
    let mut random = Random(seed);
    let mut killed = 0;
    for _ in 0..kills {
        let mut command = setup.command();
        command.args(["billing", "run", "--period", &month, "--parts", "4"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        random.pause(Duration::from_millis(400)).await;
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        if !said.is_empty() {
            break;
        }
    }
    assert!(killed > 3, "seed {seed}: only {killed} were killed before the run was finished");
    let output = setup.output(&["billing", "run", "--period", &month]);
    let said = progress(&output);
    assert!(output.status.success(), "seed {seed}: {said:#}");
    assert_eq!((&said["counts"]["finalised"], &said["status"]), (&json!(500), &json!("finished")), "seed {seed}");
    assert_billed(&setup.data_dir()).await;
}
