//! How long instances live, and how the host ends.

use std::time::{Duration, Instant};

use crate::fixture::{Host, wait_for};

#[test]
fn an_instance_answers_128_requests_and_no_more() {
    let host = Host::start();
    let mut client = host.client();
    let seen: Vec<u32> = (0..130).map(|_| client.get("/seen").body.parse().expect("a number")).collect();
    assert_eq!(seen[..128], (1..=128).collect::<Vec<_>>());
    assert_eq!(seen[128..], [1, 2], "a new instance took its place");
}

#[test]
fn an_instance_answers_requests_side_by_side() {
    let host = Host::start();
    assert_eq!(host.get("/seen").body, "1");
    let start = Instant::now();
    let mut seen: Vec<u32> = std::thread::scope(|scope| {
        let requests: Vec<_> =
            (0..8).map(|_| scope.spawn(|| host.get("/sleep/300").body.parse().expect("a number"))).collect();
        requests.into_iter().map(|request| request.join().expect("it answers")).collect()
    });
    assert!(start.elapsed() < Duration::from_millis(8 * 300), "one after the other would take longer");
    seen.sort_unstable();
    assert!(seen.iter().any(|&seen| seen > 1), "some were put to an instance that had others: {seen:?}");
}

#[test]
fn an_instance_that_had_no_work_for_a_second_is_gone() {
    let host = Host::start();
    assert_eq!(host.get("/seen").body, "1");
    assert_eq!(host.get("/seen").body, "2");
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(host.get("/seen").body, "1");
}

#[test]
fn a_task_that_runs_on_after_the_response_keeps_its_instance() {
    let host = Host::start();
    let start = Instant::now();
    assert_eq!(host.get("/later/1500").body, "1");
    assert!(start.elapsed() < Duration::from_millis(1000), "the response does not wait for the task");
    wait_for(|| (host.ask("/store/get", "later") != "Ok(None)").then_some(()), "the task writes its key");
}

#[test]
fn a_trap_is_a_500_and_the_next_request_finds_a_new_instance() {
    let host = Host::start();
    assert_eq!(host.get("/seen").body, "1");
    let mut client = host.client();
    let answer = client.get("/trap");
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    assert_eq!(client.get("/seen").body, "1", "on the same connection");
}

#[test]
fn a_host_that_is_told_to_stop_finishes_what_is_under_way() {
    let mut host = Host::start();
    let mut slow = host.client();
    slow.send(b"GET /sleep/500 HTTP/1.1\r\nhost: test\r\n\r\n");
    host.get("/later/700");
    let state = host.folder.path().join(".spin");
    host.terminate();
    assert_eq!(slow.answer(true).status, 200);
    assert_eq!(host.wait().code(), Some(0));
    let again = Host::start_with(&crate::fixture::manifest(&[]), |host| {
        host.arg("--state-dir").arg(state);
    });
    assert_eq!(
        again.ask("/store/get", "later"),
        "Ok(Some([100, 111, 110, 101]))",
        "the task after the response ended too"
    );
}

#[test]
fn a_host_that_is_told_to_stop_does_not_wait_for_ever() {
    let mut host = Host::start();
    let mut slow = host.client();
    slow.send(b"GET /sleep/60000 HTTP/1.1\r\nhost: test\r\n\r\n");
    // An idle connection that is kept alive must not hold the host up either.
    let mut idle = host.client();
    idle.get("/hello");
    let start = Instant::now();
    host.terminate();
    assert_eq!(host.wait().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
