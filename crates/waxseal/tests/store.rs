//! The store by itself: rows come back as they went in, and damage costs as little as it can.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::path::Path;

use mta_sts::{CachedPolicy, Policy, PolicyId};
use rusqlite::Connection;
use smtp_types::{DomainName, UnixTime};
use waxseal::store::{
    OpenNote, Store, StoreError, StoredPolicy, TlsBounds, TlsCounts, TlsFailureCounts,
    TlsPolicyCounts, TlsRecordSeen,
};

const NOW: u64 = 1_800_000_000;
const WEEK: u64 = 604_800;

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// A policy for a domain, fetched at `NOW` and good for a week.
fn policy(domain: &str) -> StoredPolicy {
    let text = format!("version: STSv1\nmode: enforce\nmx: *.{domain}\nmax_age: {WEEK}\n");
    StoredPolicy {
        domain: name(domain),
        cached: CachedPolicy {
            policy: Policy::parse(text.as_bytes()).unwrap(),
            id: PolicyId::parse("20270101T000000").unwrap(),
            fetched: UnixTime(NOW),
            issuer: Some("An \"Authority\" ✓".to_owned()),
        },
        last_used: UnixTime(NOW),
        refresh_at: UnixTime(NOW + 86_400),
        failures: 0,
        last_error: None,
    }
}

fn open(folder: &Path) -> (Store, Option<OpenNote>) {
    Store::open(folder).unwrap()
}

/// How many policies were carried over, if any were.
fn carried_over(note: Option<OpenNote>) -> Option<usize> {
    match note? {
        OpenNote::Mended { carried_over, .. } => Some(carried_over),
        OpenNote::Created => None,
    }
}

#[tokio::test]
async fn what_goes_in_comes_out() {
    let folder = tempfile::tempdir().unwrap();
    let failing = StoredPolicy {
        failures: u32::MAX,
        last_error: Some("status: expected 200, found 500\u{0}\n".to_owned()),
        last_used: UnixTime(0),
        ..policy("failing.test")
    };
    let bare = CachedPolicy { issuer: None, ..policy("bare.test").cached };
    let bare = StoredPolicy { cached: bare, ..policy("bare.test") };
    {
        let (store, note) = open(folder.path());
        assert!(matches!(note, Some(OpenNote::Created)));
        for policy in [&failing, &bare] {
            store.save(policy.clone()).await.unwrap();
            assert_eq!(store.load(policy.domain.clone()).await.unwrap().as_ref(), Some(policy));
        }
        assert_eq!(store.load(name("other.test")).await.unwrap(), None);
    }
    let (store, note) = open(folder.path());
    assert!(note.is_none());
    assert_eq!(store.load(name("failing.test")).await.unwrap(), Some(failing));
    assert_eq!(store.load(name("bare.test")).await.unwrap(), Some(bare));
    assert_eq!(store.count(1).await.unwrap(), (2, 1));
}

#[tokio::test]
async fn a_later_save_takes_the_place_of_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store.save(policy("a.test")).await.unwrap();
    let newer = StoredPolicy { failures: 2, ..policy("a.test") };
    store.save(newer.clone()).await.unwrap();
    assert_eq!(store.load(name("a.test")).await.unwrap(), Some(newer));
    assert_eq!(store.count(2).await.unwrap(), (1, 1));
}

#[tokio::test]
async fn due_are_those_that_are_used_bind_and_wait_longest() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let saved = [
        ("later.test", NOW + 200, NOW),
        ("first.test", NOW + 100, NOW),
        ("not-yet.test", NOW + 1000, NOW),
        ("unused.test", NOW + 100, NOW - 1),
    ];
    for (domain, refresh_at, last_used) in saved {
        let times = (UnixTime(refresh_at), UnixTime(last_used));
        let policy = StoredPolicy { refresh_at: times.0, last_used: times.1, ..policy(domain) };
        store.save(policy).await.unwrap();
    }
    let due = async |now, limit| {
        let due = store.due(UnixTime(now), UnixTime(NOW), limit).await.unwrap();
        due.iter().map(|policy| policy.domain.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(due(NOW, 10).await, [""; 0]);
    assert_eq!(due(NOW + 100, 10).await, ["first.test"]);
    assert_eq!(due(NOW + 500, 10).await, ["first.test", "later.test"]);
    assert_eq!(due(NOW + 500, 1).await, ["first.test"]);
    // What has expired is not refreshed but looked up.
    assert_eq!(due(NOW + WEEK, 10).await, [""; 0]);
    store.touch(vec![name("unused.test"), name("unknown.test")], UnixTime(NOW)).await.unwrap();
    assert_eq!(due(NOW + 500, 10).await, ["first.test", "unused.test", "later.test"]);
}

#[tokio::test]
async fn only_what_expired_before_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store.save(policy("a.test")).await.unwrap();
    assert_eq!(store.delete_expired(UnixTime(NOW + WEEK)).await.unwrap(), 0);
    assert_eq!(store.delete_expired(UnixTime(NOW + WEEK + 1)).await.unwrap(), 1);
    assert_eq!(store.load(name("a.test")).await.unwrap(), None);
}

#[tokio::test]
async fn the_copy_is_a_whole_database_and_is_written_only_after_changes() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("waxseal-copy.db");
    {
        let (store, _) = open(folder.path());
        store.save(policy("a.test")).await.unwrap();
        assert!(store.copy().await.unwrap());
        assert!(!store.copy().await.unwrap());
        store.touch(vec![name("a.test")], UnixTime(NOW + 1)).await.unwrap();
        assert!(store.copy().await.unwrap());
        let kept = store.load_from_copy(name("a.test")).await.unwrap().unwrap();
        assert_eq!(kept.last_used, UnixTime(NOW + 1));
    }
    let elsewhere = tempfile::tempdir().unwrap();
    fs::copy(&copy, elsewhere.path().join("waxseal.db")).unwrap();
    let (store, note) = open(elsewhere.path());
    assert!(note.is_none());
    assert_eq!(store.load(name("a.test")).await.unwrap().unwrap().cached, policy("a.test").cached);
}

/// Somebody empties or damages the file while the program runs: the copy is all that is left, and
/// must not be made anew from what is no more.
#[tokio::test]
async fn a_file_that_shrank_under_us_is_not_copied() {
    for damage in ["DELETE FROM policy WHERE domain = 'a.test'", "DROP TABLE policy"] {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(folder.path());
        store.save(policy("a.test")).await.unwrap();
        store.save(policy("b.test")).await.unwrap();
        assert!(store.copy().await.unwrap());
        let intruder = Connection::open(folder.path().join("waxseal.db")).unwrap();
        intruder.execute_batch(damage).unwrap();
        let _ = store.touch(vec![name("b.test")], UnixTime(NOW + 1)).await;
        store.copy().await.unwrap_err();
        assert_eq!(store.load_from_copy(name("a.test")).await.unwrap(), Some(policy("a.test")));
    }
}

#[tokio::test]
async fn many_saves_at_once_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (store, _) = open(folder.path());
        let saves = (0..500).map(|index| store.save(policy(&format!("d{index}.test"))));
        let saved = futures_util::future::join_all(saves).await;
        assert!(saved.iter().all(Result::is_ok));
    }
    assert_eq!(open(folder.path()).0.count(1).await.unwrap(), (500, 0));
}

#[tokio::test]
async fn one_process_for_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = open(folder.path());
    assert!(matches!(Store::open(folder.path()), Err(StoreError::InUse { .. })));
    drop(first);
    assert!(Store::open(folder.path()).is_ok());
}

// ---- damage ----------------------------------------------------------------------------------

const MANY: usize = 2_000;

/// A folder with many policies in the file, and only `copied` of them in its copy.
async fn with_many(copied: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    {
        let (store, _) = open(folder.path());
        let save = async |range: std::ops::Range<usize>| {
            let saves = range.map(|index| store.save(policy(&format!("d{index:05}.test"))));
            let saved = futures_util::future::join_all(saves).await;
            assert!(saved.iter().all(Result::is_ok));
        };
        save(0..copied).await;
        store.copy().await.unwrap();
        save(copied..MANY).await;
    }
    let path = folder.path().join("waxseal.db");
    // All of it in the file, as after a clean end.
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "journal_mode", "DELETE").unwrap();
    folder
}

/// Overwrites part of the file, opens it, and says how many policies are left.
async fn left_after(folder: &Path, damage: impl FnOnce(&mut [u8])) -> u64 {
    let path = folder.join("waxseal.db");
    let mut octets = fs::read(&path).unwrap();
    damage(&mut octets);
    fs::write(&path, octets).unwrap();
    let (store, note) = open(folder);
    let (count, _) = store.count(1).await.unwrap();
    assert_eq!(carried_over(note), Some(usize::try_from(count).unwrap()));
    count
}

#[tokio::test]
async fn a_damaged_page_costs_its_own_rows_and_the_copy_brings_them_back() {
    let folder = with_many(0).await;
    // A leaf with rows on it, as its first octet says: pages above hold hundreds together.
    let middle = |octets: &mut [u8]| {
        let half = octets.len() / 2 / 4096;
        let has_rows =
            |page: &&mut [u8]| page[0] == 0x0a && page.windows(5).any(|octets| octets == b"STSv1");
        octets.chunks_mut(4096).skip(half).find(has_rows).unwrap().fill(0xaa);
    };
    // Rows before the page are found from the front, those behind it from the back.
    let left = left_after(folder.path(), middle).await;
    assert!(left < 2_000 && left > 1_900, "{left}");
    let folder = with_many(MANY).await;
    assert_eq!(left_after(folder.path(), middle).await, 2_000);
}

#[tokio::test]
async fn a_damaged_header_costs_what_the_copy_does_not_know() {
    let folder = with_many(1_500).await;
    assert_eq!(left_after(folder.path(), |octets| octets[..16].fill(0)).await, 1_500);
    assert!(folder.path().join("waxseal-damaged-1.db").exists());
}

#[tokio::test]
async fn senseless_rows_are_damage() {
    let folder = with_many(0).await;
    let db = Connection::open(folder.path().join("waxseal.db")).unwrap();
    let change = "UPDATE policy SET body = replace(body, 'enforce', 'Enforce') WHERE domain = ?1";
    db.execute(change, ["d00007.test"]).unwrap();
    drop(db);
    assert_eq!(left_after(folder.path(), |_| ()).await, 1_999);
}

#[tokio::test]
async fn the_newer_of_two_rows_is_carried_over() {
    let folder = tempfile::tempdir().unwrap();
    let older = policy("a.test");
    let newer = CachedPolicy { fetched: UnixTime(NOW + 5), ..older.cached.clone() };
    let newer = StoredPolicy { cached: newer, ..older.clone() };
    {
        let (store, _) = open(folder.path());
        store.save(older).await.unwrap();
        store.save(policy("b.test")).await.unwrap();
        store.copy().await.unwrap();
        store.save(newer.clone()).await.unwrap();
    }
    let db = Connection::open(folder.path().join("waxseal.db")).unwrap();
    db.execute("UPDATE policy SET body = 'x' WHERE domain = 'b.test'", []).unwrap();
    drop(db);
    let (store, note) = open(folder.path());
    assert_eq!(carried_over(note), Some(2));
    assert_eq!(store.load(name("a.test")).await.unwrap(), Some(newer));
    assert_eq!(store.load(name("b.test")).await.unwrap(), Some(policy("b.test")));
}

#[tokio::test]
async fn damage_again_and_again_keeps_every_damaged_file() {
    let folder = with_many(MANY).await;
    for number in 1..=3 {
        assert_eq!(left_after(folder.path(), |octets| octets[..16].fill(0)).await, 2_000);
        assert!(folder.path().join(format!("waxseal-damaged-{number}.db")).exists());
    }
}

#[tokio::test]
async fn a_damaged_copy_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (store, _) = open(folder.path());
        store.save(policy("a.test")).await.unwrap();
    }
    for name in ["waxseal-copy.db", "waxseal-copy.db.new"] {
        fs::write(folder.path().join(name), "garbage").unwrap();
    }
    let (store, note) = open(folder.path());
    assert!(note.is_none());
    assert!(store.load_from_copy(name("a.test")).await.is_err());
    assert!(store.copy().await.unwrap());
    assert_eq!(store.load_from_copy(name("a.test")).await.unwrap(), Some(policy("a.test")));
}

#[tokio::test]
async fn two_damaged_files_are_a_new_beginning() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["waxseal.db", "waxseal-copy.db"] {
        fs::write(folder.path().join(name), "garbage".repeat(1000)).unwrap();
    }
    let (store, note) = open(folder.path());
    assert_eq!(carried_over(note), Some(0));
    store.save(policy("a.test")).await.unwrap();
}

/// Counts of TLS sessions with one policy and one failure.
fn tls_counts(day: u32, domain: &str, at: u64) -> TlsCounts {
    let detail = TlsFailureCounts {
        failure: "f1 validation-failure - - - - - x".to_owned(),
        coarse: "f1 validation-failure - - - - - -".to_owned(),
        sessions: 2,
    };
    let policy = TlsPolicyCounts {
        policy: format!("p1 sts {domain} - -"),
        coarse: format!("p1 sts {domain} - -"),
        successes: 3,
        failures: 2,
        details: vec![detail],
    };
    let record = TlsRecordSeen { text: format!("v=TLSRPTv1; rua={at}"), at: UnixTime(at) };
    TlsCounts { day, domain: name(domain), record: Some(record), policies: vec![policy] }
}

const ROOM: TlsBounds = TlsBounds { domains: 2, policies: 100, details: 500, rows: 1_000 };

#[tokio::test]
async fn tls_sessions_add_up_and_a_day_is_closed_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let later = tls_counts(7, "a.test", 200);
    assert_eq!(store.add_tls_counts(vec![later], ROOM).await.unwrap(), 0);
    let open_days = |last| store.open_tls_days(last, UnixTime(1_000), 3_600, 10);
    let before = open_days(7).await.unwrap();
    // An older record does not take the place of a newer one.
    let earlier = tls_counts(7, "a.test", 100);
    assert_eq!(store.add_tls_counts(vec![earlier], ROOM).await.unwrap(), 0);
    assert!(open_days(6).await.unwrap().is_empty());
    let [day] = &*open_days(7).await.unwrap() else { panic!("one day") };
    assert_eq!((day.sessions, day.changes), (10, 1));
    assert_eq!(day.record.as_ref().unwrap().text, "v=TLSRPTv1; rua=200");
    let [row] = &*store.tls_rows_of(7, name("a.test")).await.unwrap() else { panic!("one row") };
    assert_eq!((row.successes, row.failures, row.details[0].sessions), (6, 4, 4));

    // Whoever read it before the last change must read again.
    assert!(!store.close_tls_day(before[0].clone(), "made", vec![]).await.unwrap());
    assert!(store.close_tls_day(day.clone(), "made", vec![]).await.unwrap());
    assert!(!store.close_tls_day(day.clone(), "made", vec![]).await.unwrap());
    assert!(store.tls_rows_of(7, name("a.test")).await.unwrap().is_empty());
    // What comes for a closed day is told with the next.
    store.add_tls_counts(vec![tls_counts(7, "a.test", 300)], ROOM).await.unwrap();
    assert!(open_days(7).await.unwrap().is_empty());
    let [next] = &*open_days(9).await.unwrap() else { panic!("one day") };
    assert_eq!((next.day, next.sessions), (8, 5));
    store.postpone_tls_day(8, name("a.test"), UnixTime(2_000)).await.unwrap();
    assert!(open_days(9).await.unwrap().is_empty());
    store.delete_old_tls_days(9).await.unwrap();
    assert!(store.tls_rows_of(8, name("a.test")).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_day_of_tls_sessions_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let many: Vec<_> = ["a.test", "b.test", "c.test"].map(|one| tls_counts(1, one, 1)).into();
    // The third domain is one too many; the others go on counting.
    assert_eq!(store.add_tls_counts(many.clone(), ROOM).await.unwrap(), 5);
    assert_eq!(store.add_tls_counts(many.clone(), ROOM).await.unwrap(), 5);
    let tight = TlsBounds { policies: 0, details: 0, ..ROOM };
    let mut coarse = tls_counts(1, "a.test", 1);
    coarse.policies[0].policy = "p1 sts a.test - other".to_owned();
    coarse.policies[0].details[0].failure = "f1 validation-failure - - - - - y".to_owned();
    assert_eq!(store.add_tls_counts(vec![coarse], tight).await.unwrap(), 0);
    let [row] = &*store.tls_rows_of(1, name("a.test")).await.unwrap() else { panic!("one row") };
    assert_eq!((row.successes, row.failures, row.details.len()), (9, 6, 2));
    assert_eq!(row.details.iter().map(|detail| detail.sessions).sum::<u64>(), 6);
}
