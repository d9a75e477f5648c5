//! The key-value stores.

use crate::fixture::{Host, manifest};

#[test]
fn what_is_put_in_a_store_is_found_in_it() {
    let host = Host::start();
    assert_eq!(host.ask("/store/get", "a"), "Ok(None)");
    assert_eq!(host.ask("/store/set", "a=1"), "Ok(())");
    assert_eq!(host.ask("/store/get", "a"), "Ok(Some([49]))");
    host.ask("/store/set", "b=2");
    assert_eq!(host.ask("/store/keys", ""), "[\"a\", \"b\"]");
    assert_eq!(host.ask("/bucket/many", "a"), "Ok([(\"a\", Some([49]))])", "a key that is not there is left out");
    assert_eq!(host.ask("/store/delete", "a"), "Ok(())");
    assert_eq!(host.ask("/store/exists", "a"), "Ok(false)");
    assert_eq!(host.ask("/bucket/keys", ""), "Ok([\"b\"])", "both interfaces are on one store");
}

#[test]
fn an_increment_counts_in_eight_bytes_with_the_lowest_first() {
    let host = Host::start();
    assert_eq!(host.ask("/bucket/increment", "n=258"), "Ok(258)");
    assert_eq!(host.ask("/store/get", "n"), "Ok(Some([2, 1, 0, 0, 0, 0, 0, 0]))");
    assert_eq!(host.ask("/bucket/increment", "n=-259"), "Ok(-1)");
    host.ask("/store/set", "n=text");
    assert!(host.ask("/bucket/increment", "n=1").contains("not a number of eight bytes"));
    assert_eq!(host.ask("/bucket/increment", "m=1"), "Ok(1)", "the store still works");
}

#[test]
fn a_swap_fails_when_the_value_changed_and_hands_out_a_fresh_one() {
    let host = Host::start();
    assert_eq!(host.ask("/bucket/swap", "k=1"), "Ok(None) swapped Ok(Some([49]))");
    assert_eq!(host.ask("/bucket/swap", "k=2"), "Ok(Some([49])) swapped Ok(Some([50]))");
    assert_eq!(host.ask("/bucket/swap", "k=3,between"), "Ok(Some([50])) failed, then true Ok(Some([51]))");
    // Where nothing was seen there is nothing to compare: it overwrites what came in between.
    assert_eq!(host.ask("/bucket/swap", "new=4,between"), "Ok(None) swapped Ok(Some([52]))");
}

#[test]
fn two_hosts_share_a_store_and_it_outlives_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = || {
        Host::start_with(&manifest(&[]), |host| {
            host.arg("--state-dir").arg(folder.path());
        })
    };
    let hosts = [start(), start()];
    std::thread::scope(|scope| {
        for host in &hosts {
            scope.spawn(|| (0..20).for_each(|_| assert!(host.ask("/bucket/increment", "n=1").starts_with("Ok("))));
        }
    });
    drop(hosts);
    assert_eq!(start().ask("/bucket/increment", "n=0"), "Ok(40)");
    assert!(folder.path().join("sqlite_key_value.db").exists(), "the name that Spin gives the file");
}
