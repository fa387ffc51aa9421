//! Keys on a real disk: what each change leaves there, what a crash leaves, and who may read it.

use super::*;
use crate::keys::DnsObservation;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

const NOW: UnixTime = UnixTime(1_795_200_000);
const DAY: u64 = 86_400;

struct World {
    scratch: TempDir,
    store: KeyStore,
    domain: DomainName,
}

impl World {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let store = KeyStore::new(&scratch.path().join("state"));
        Self { scratch, store, domain: DomainName::parse("a.test").unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join("state/dkim").join(name)
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|entry| name(entry).into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn announce(&self, target: Target) -> Result<DomainKeys, KeyStoreError> {
        let fresh = FreshKeys::generate().unwrap();
        self.store.announce(&self.domain, target, fresh, &SelectorPrefix::default(), NOW)
    }

    /// One visit, `days` from now, by what the DNS shows at every selector.
    fn visit(&self, days: u64, dns: &DnsObservation) -> Visit {
        let keys = self.store.read(&self.domain).unwrap().unwrap();
        let observed = keys.keys().map(|(key, _)| (key.selector.clone(), dns.clone())).collect();
        let now = UnixTime(NOW.0 + days * DAY);
        self.store.visit(&self.domain, &observed, now, &Rules::default()).unwrap().unwrap()
    }
}

fn matches() -> DnsObservation {
    DnsObservation::Matches
}

fn state(visit: &Visit) -> Vec<&'static str> {
    visit.keys.generations().iter().map(|one| one.state.as_str()).collect()
}

#[test]
fn a_life_on_the_disk() {
    let world = World::new();
    assert_eq!(world.store.domains().unwrap(), []);
    assert_eq!(world.store.read(&world.domain).unwrap(), None);
    let keys = world.announce(Target::NewDomain).unwrap();
    assert_eq!(world.store.read(&world.domain).unwrap(), Some(keys));
    assert_eq!(world.store.domains().unwrap(), std::slice::from_ref(&world.domain));
    assert_eq!(world.files("a.test"), ["keys.toml", "wx202611e.pem", "wx202611r.pem"]);

    assert_eq!(state(&world.visit(0, &DnsObservation::Absent)), ["announced"]);
    assert_eq!(state(&world.visit(0, &matches())), ["active"]);
    assert_eq!(state(&world.visit(167, &matches())), ["active"]);
    assert_eq!(state(&world.visit(168, &matches())), ["active", "announced"]);
    assert_eq!(world.files("a.test").len(), 5);
    assert_eq!(world.visit(169, &matches()).plan.step, Some(Step::Notice));
    assert_eq!(state(&world.visit(171, &matches())), ["retiring", "active"]);
    assert_eq!(world.files("a.test").len(), 5);
    assert_eq!(state(&world.visit(185, &matches())), ["retired", "active"]);
    assert_eq!(world.files("a.test"), ["keys.toml", "wx202705e.pem", "wx202705r.pem"]);
    let tasks = world.visit(186, &matches()).plan.tasks;
    let tasks: Vec<_> = tasks.iter().map(ToString::to_string).collect();
    assert_eq!(tasks[0], "remove wx202611r._domainkey.a.test (retired): nothing is signed by it");
    assert_eq!(state(&world.visit(187, &DnsObservation::Absent)), ["active"]);
    let keys = world.store.read(&world.domain).unwrap().unwrap();
    let active = world.store.active_keys(&keys).unwrap();
    let names: Vec<_> = active.iter().map(|one| one.selector.to_string()).collect();
    assert_eq!(names, ["wx202705r", "wx202705e"]);
    assert!(world.store.remove(&world.domain).unwrap());
    assert!(!world.store.remove(&world.domain).unwrap());
    assert_eq!(world.files(""), [".lock"]);
}

#[test]
fn keys_are_for_their_owner_alone() {
    let world = World::new();
    world.announce(Target::NewDomain).unwrap();
    let mode = |name: &str| world.path(name).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(""), mode("a.test"), mode(".lock")), (0o700, 0o700, 0o600));
    for name in world.files("a.test") {
        assert_eq!(mode(&format!("a.test/{name}")), 0o600, "{name}");
    }
    assert_eq!(world.visit(0, &matches()).oddities, []);
    let path = world.path("a.test/wx202611r.pem");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(world.visit(0, &matches()).oddities, [Oddity::Exposed { path }]);
}

#[test]
fn refusals_change_nothing() {
    let world = World::new();
    let refused = |result: Result<DomainKeys, KeyStoreError>| result.unwrap_err().to_string();
    assert_eq!(refused(world.announce(Target::KnownDomain)), "a.test: has no keys");
    world.announce(Target::NewDomain).unwrap();
    let files = world.files("a.test");
    assert_eq!(refused(world.announce(Target::NewDomain)), "a.test: has keys already");
    assert_eq!(
        refused(world.announce(Target::KnownDomain)),
        "a.test: the next keys are made already: wx202611r and wx202611e"
    );
    assert_eq!(world.files("a.test"), files);
    world.visit(0, &matches());
    // Two pairs in a month have different names.
    let keys = world.announce(Target::KnownDomain).unwrap();
    assert_eq!(keys.announced().unwrap().names(), "wx202611-2r and wx202611-2e");

    let deep = DomainName::parse(&format!("{}a", "a.".repeat(124))).unwrap();
    let fresh = FreshKeys::generate().unwrap();
    let prefix = SelectorPrefix::default();
    let result = world.store.announce(&deep, Target::NewDomain, fresh, &prefix, NOW);
    assert!(matches!(result, Err(KeyStoreError::Name { .. })));
    assert!(!world.path(deep.as_str()).exists());
}

#[test]
fn keys_of_another_signer_keep_their_names() {
    let world = World::new();
    let one = |selector: &str, key_type| PrivateKey {
        selector: Selector::parse(selector).unwrap(),
        key: SigningKey::generate(key_type).unwrap(),
    };
    let import = |keys: &[PrivateKey]| {
        world.store.import(&world.domain, keys, NOW).map_err(|error| error.to_string())
    };
    assert!(import(&[]).unwrap_err().contains("expected at most one rsa and one ed25519"));
    let twice = [one("mail", KeyType::Rsa), one("mail2", KeyType::Rsa)];
    assert!(import(&twice).unwrap_err().contains("expected at most one rsa and one ed25519"));
    let keys = import(&[one("mail", KeyType::Rsa)]).unwrap();
    assert_eq!(keys.announced().unwrap().names(), "mail");
    assert_eq!(state(&world.visit(0, &matches())), ["active"]);
    let taken = [one("MAIL", KeyType::Rsa)];
    assert!(import(&taken).unwrap_err().contains("expected each once, found mail twice"));
    // From then on it is as with keys of our own.
    let announced = world.announce(Target::KnownDomain).unwrap();
    assert_eq!(announced.announced().unwrap().names(), "wx202611r and wx202611e");
}

#[test]
fn what_a_crash_leaves_is_a_file_too_many() {
    let world = World::new();
    // Before keys.toml: there are no keys, and the next try makes others.
    fs::create_dir_all(world.path("a.test")).unwrap();
    for name in ["wx202611r.pem", ".new-wx202611e.pem"] {
        fs::write(world.path("a.test").join(name), "half").unwrap();
    }
    assert_eq!(world.store.domains().unwrap(), []);
    let keys = world.announce(Target::NewDomain).unwrap();
    assert_eq!(keys.announced().unwrap().names(), "wx202611-2r and wx202611-2e");
    let stranger = Oddity::Stranger { path: world.path("a.test/wx202611r.pem") };
    assert_eq!(world.visit(0, &matches()).oddities, [stranger]);
    fs::remove_file(world.path("a.test/wx202611r.pem")).unwrap();

    // Between keys.toml and the deletion of retired keys.
    for day in [168, 169, 171] {
        world.visit(day, &matches());
    }
    let old = world.path("a.test/wx202611-2r.pem");
    let private = fs::read(&old).unwrap();
    world.visit(185, &matches());
    assert!(!old.exists());
    fs::write(&old, private).unwrap();
    fs::write(world.path("a.test/.new-keys.toml"), "half").unwrap();
    let visit = world.visit(185, &DnsObservation::Unknown { detail: String::new() });
    assert_eq!((visit.plan.step, visit.oddities), (None, vec![]));
    assert!(!old.exists());

    // Between the renaming of a folder and its deletion.
    fs::rename(world.path("a.test"), world.path(".gone-1")).unwrap();
    assert_eq!(world.store.domains().unwrap(), []);
    world.announce(Target::NewDomain).unwrap();
    assert!(world.store.remove(&world.domain).unwrap());
    world.store.tidy().unwrap();
    assert_eq!(world.files(""), [".lock"]);
}

/// An import that was cut off can be repeated; another key under the same name is not overwritten.
#[test]
fn files_of_nobody_are_not_overwritten() {
    let world = World::new();
    let key = SigningKey::generate(KeyType::Ed25519).unwrap();
    fs::create_dir_all(world.path("a.test")).unwrap();
    fs::write(world.path("a.test/mail.pem"), key.to_pem().unwrap()).unwrap();
    let selector = Selector::parse("mail").unwrap();
    let other = SigningKey::generate(KeyType::Ed25519).unwrap();
    let import = |key: SigningKey| {
        let private = [PrivateKey { selector: selector.clone(), key }];
        world.store.import(&world.domain, &private, NOW)
    };
    assert!(matches!(import(other), Err(KeyStoreError::FileThere { .. })));
    import(key).unwrap();
}

#[test]
fn damaged_files_are_named_and_left_alone() {
    let world = World::new();
    world.announce(Target::NewDomain).unwrap();
    let file = world.path("a.test/keys.toml");
    for (text, told) in [
        (&b"version = 1\nstate = 2\n"[..], "keys.toml: line 2, column 1: unknown field `state`"),
        (b"\xff", "keys.toml: expected UTF-8"),
        (b"", "keys.toml: line 1, column 1: missing field `version`"),
    ] {
        fs::write(&file, text).unwrap();
        let error = world.store.read(&world.domain).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
        let observed = Observations::new();
        assert!(world.store.visit(&world.domain, &observed, NOW, &Rules::default()).is_err());
        assert!(world.announce(Target::KnownDomain).is_err());
        assert_eq!(fs::read(&file).unwrap(), text);
    }
    assert_eq!(world.files("a.test").len(), 3);
    // It is listed, so that nobody overlooks it.
    assert_eq!(world.store.domains().unwrap(), std::slice::from_ref(&world.domain));
}

/// Many writers at once: each round of keys is made by one of them.
#[test]
fn one_maker_at_a_time() {
    let world = World::new();
    let made = |target| {
        thread::scope(|scope| {
            let tries: Vec<_> = (0..4).map(|_| scope.spawn(|| world.announce(target))).collect();
            let results = tries.into_iter().map(|one| one.join().unwrap());
            results.filter(Result::is_ok).count()
        })
    };
    assert_eq!(made(Target::NewDomain), 1);
    world.visit(0, &matches());
    assert_eq!(made(Target::KnownDomain), 1);
    assert_eq!(world.files("a.test").len(), 5);
    for day in [0, 2] {
        world.visit(day, &matches());
    }
    // Two daemons whose clocks strike at once.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| world.visit(300, &DnsObservation::Absent));
        }
    });
    let keys = world.store.read(&world.domain).unwrap().unwrap();
    let states: Vec<_> = keys.generations().iter().map(|one| one.state.as_str()).collect();
    assert_eq!(states, ["retiring", "active", "announced"]);
}

#[test]
fn what_is_not_ours_is_no_domain() {
    let world = World::new();
    world.announce(Target::NewDomain).unwrap();
    for folder in ["B.test", ".hidden", "no domain", "empty.test"] {
        fs::create_dir(world.path(folder)).unwrap();
    }
    fs::write(world.path("file.test"), "").unwrap();
    assert_eq!(world.store.domains().unwrap(), std::slice::from_ref(&world.domain));
    assert_eq!(world.store.read(&DomainName::parse("file.test").unwrap()).unwrap(), None);
}
