//! `waxseal dkim`: a domain's keys from the first to the last day, as the one who runs the mail
//! server sees them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::verbs::golden;
use crate::world::{NOW, Said, World, run};

const DAY: u64 = 86_400;

/// The verb `days` from now.
fn dkim(world: &World, days: u64, arguments: &[&str]) -> Said {
    run(&mut command(world, days, arguments))
}

fn command(world: &World, days: u64, arguments: &[&str]) -> Command {
    let mut command = world.waxseal(&["dkim"]);
    command.args(arguments).arg("--state-dir").arg(world.state());
    command.arg("--config").arg(world.path("waxseal.toml"));
    if arguments.first() == Some(&"check") {
        command.args(["--resolver", &world.dns.address.to_string()]);
    }
    if ["add", "rotate", "check", "import"].iter().any(|verb| arguments.first() == Some(verb)) {
        command.args(["--at", &(NOW + days * DAY).to_string()]);
    }
    command
}

fn json_of(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err))
}

/// Publishes what `records` prints, as somebody would who copies it into forms.
fn publish(world: &World, domain: &str) {
    let document = json_of(&dkim(world, 0, &["records", domain, "--json"]));
    for generation in document["domains"][0]["generations"].as_array().unwrap() {
        for key in generation["keys"].as_array().unwrap() {
            let [name, value] = ["name", "value"].map(|field| key[field].as_str().unwrap());
            world.dns.say(&[&format!("{name} TXT {value}")]);
        }
    }
}

/// Keys are different each time: `p=` becomes a word, and strings of zone files become one.
fn masked(text: &str) -> String {
    let text = text.replace("\"\n  \"", "");
    let mut parts = text.split("; p=");
    let first = parts.next().unwrap_or_default().to_owned();
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    parts.fold(first, |masked, part| masked + "; p=KEY" + part.trim_start_matches(is_key))
}

#[test]
fn a_life_in_pictures() {
    let world = World::new();
    let show = |name: &str, said: &Said, code: i32| {
        assert_eq!(said.code, code, "{name}: {}{}", said.out, said.err);
        golden(&world, &format!("dkim-{name}"), &(masked(&said.out) + &said.err));
    };
    show("list-nothing", &dkim(&world, 0, &["list"]), 0);
    show("add", &dkim(&world, 0, &["add", "example.com", "Example.org."]), 0);
    show("check-unpublished", &dkim(&world, 0, &["check"]), 1);
    publish(&world, "example.com");
    let check = ["check", "example.com"];
    show("check-due", &dkim(&world, 0, &check), 0);
    show("check-apply", &dkim(&world, 0, &["check", "example.com", "--apply"]), 0);
    show("rotate", &dkim(&world, 20, &["rotate", "example.com", "--form"]), 0);
    show("list", &dkim(&world, 20, &["list"]), 0);
    publish(&world, "example.com");
    let apply = |days| dkim(&world, days, &["check", "example.com", "--apply"]);
    assert_eq!((apply(21).code, apply(23).code, apply(36).code), (0, 0, 0));
    assert_eq!(apply(37).code, 0);
    show("check-old", &apply(38), 1);
    show("records", &dkim(&world, 38, &["records", "example.com"]), 0);
    world.dns.say(&["wx202612r._domainkey.example.com TXT v=DKIM1; k=rsa; p=AAAA"]);
    show("check-urgent", &dkim(&world, 38, &check), 2);
    world.dns.fall_silent();
    world.settings("[dns]\ntimeout = \"100ms\"\ntries = 1\n");
    let silent = dkim(&world, 38, &check);
    assert_eq!(silent.code, 3, "{}{}", silent.out, silent.err);
    let refused = dkim(&world, 38, &["remove", "example.com"]);
    assert_eq!((refused.code, refused.out.as_str()), (64, ""));
    show("remove", &dkim(&world, 38, &["remove", "example.com", "--yes"]), 0);
    assert!(!world.state().join("dkim/example.com").exists());
}

/// What `records` prints is a zone file: `;` comments and entries with strings of 255 octets.
#[test]
fn records_are_a_zone_file() {
    let world = World::new();
    let made = dkim(&world, 0, &["add", "example.com"]);
    let shown = dkim(&world, 0, &["records"]);
    let document = json_of(&dkim(&world, 0, &["records", "--json"]));
    let keys = document["domains"][0]["generations"][0]["keys"].clone();
    for text in [made.out, shown.out] {
        let entries: Vec<_> = text.lines().filter(|line| !line.starts_with(';')).collect();
        let entries = entries.join("\n");
        let mut entries = entries.split("_domainkey").skip(1);
        for key in keys.as_array().unwrap() {
            let entry = entries.next().unwrap();
            let strings: Vec<_> = entry.split('"').skip(1).step_by(2).collect();
            assert!(strings.iter().all(|string| string.len() <= 255));
            assert_eq!(json!(strings), key["strings"]);
            assert_eq!(json!(strings.concat()), key["value"]);
        }
        assert_eq!(entries.next(), None);
    }
}

#[test]
fn lists_of_domains() {
    let world = World::new();
    fs::write(world.path("domains"), "# ours\na.test\n\n B.test # the other\na.test\n").unwrap();
    let said = dkim(&world, 0, &["add", "--file", "domains", "--json"]);
    let document = json_of(&said);
    let names = |document: &Value| -> Vec<String> {
        let domains = document["domains"].as_array().unwrap().iter();
        domains.map(|one| one["domain"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((said.code, names(&document)), (0, vec!["a.test".to_owned(), "b.test".to_owned()]));
    // Again: those that have keys are told, the others are made.
    let mut child = command(&world, 0, &["add", "c.test", "--file", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"a.test\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), names(&document)), (Some(1), vec!["c.test".to_owned()]));
    assert_eq!(document["errors"], json!(["a.test: has keys already"]));
    let all = json_of(&dkim(&world, 0, &["list", "--json"]));
    assert_eq!(names(&all), ["a.test", "b.test", "c.test"]);

    // Nothing is made if one name is wrong.
    fs::write(world.path("domains"), "d.test\nno domain\ne..test\n").unwrap();
    let said = dkim(&world, 0, &["add", "--file", "domains"]);
    assert_eq!((said.code, said.out.as_str()), (64, ""));
    assert!(said.err.contains("domains, line 2: \"no domain\": "), "{}", said.err);
    assert!(said.err.contains("domains, line 3: \"e..test\": "), "{}", said.err);
    assert_eq!(dkim(&world, 0, &["list", "d.test"]).code, 1);
}

#[test]
fn keys_of_another_signer() {
    let world = World::new();
    // RFC 8463 appendix A.2.
    fs::write(world.path("ed.key"), "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=\n").unwrap();
    let import = |more: &[&str]| dkim(&world, 0, &[&["import", "a.test"], more].concat());
    let said = import(&["--selector", "brisbane", "--key", "ed.key"]);
    assert_eq!(said.code, 0, "{}", said.err);
    golden(&world, "dkim-import", &(said.out + &said.err));
    world.dns.say(&["brisbane._domainkey.a.test TXT v=DKIM1; k=ed25519; \
                     p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="]);
    let document = json_of(&dkim(&world, 0, &["check", "--apply", "--json"]));
    let generation = &document["domains"][0]["generations"][0];
    assert_eq!(
        (&generation["state"], &document["domains"][0]["tasks"]),
        (&json!("active"), &json!([]))
    );
    let pem = fs::read_to_string(world.state().join("dkim/a.test/brisbane.pem")).unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));

    fs::write(world.path("none.key"), "-----BEGIN PRIVATE KEY-----\nsecret\n").unwrap();
    for (arguments, told) in [
        (&["--selector", "s", "--key", "none.key"][..], "none.key: expected PEM"),
        (&["--selector", "s", "--key", "not-there"], "not-there: No such file"),
        (&["--selector", "s s", "--key", "ed.key"], "--selector: column 2: expected"),
        (&["--selector", "s", "--selector", "t", "--key", "ed.key"], "found 2 and 1"),
        (&["--selector", "s"], "--key"),
    ] {
        let said = import(arguments);
        assert_eq!((said.code, said.out.as_str()), (64, ""), "{arguments:?}");
        assert!(said.err.contains(told) && !said.err.contains("secret"), "{}", said.err);
    }
}

/// Nothing that is printed, in whatever form, has anything of a private key in it.
#[test]
fn private_keys_are_never_shown() {
    let world = World::new();
    let mut printed = String::new();
    for arguments in [
        &["add", "a.test"][..],
        &["list", "--json"],
        &["records", "--form"],
        &["check", "--json"],
        &["rotate", "a.test"],
        &["check", "--apply"],
        &["remove", "a.test"],
    ] {
        let said = dkim(&world, 0, arguments);
        printed += &(said.out + &said.err);
    }
    let folder = world.state().join("dkim/a.test");
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        if path.extension().is_some_and(|extension| extension == "pem") {
            count += 1;
            let pem = fs::read_to_string(&path).unwrap();
            let lines = pem.lines().filter(|line| line.len() > 20 && !line.starts_with('-'));
            // The public half stands in RSA's private key as well, but not at the same place of
            // its base64 text; the prefix with the algorithm does not tell anything.
            for line in lines.skip(1) {
                assert!(!printed.contains(line), "{}", path.display());
            }
        }
    }
    assert_eq!(count, 2);
}

#[test]
fn what_is_broken_is_named_and_the_rest_goes_on() {
    let world = World::new();
    assert_eq!(dkim(&world, 0, &["add", "a.test", "b.test"]).code, 0);
    let file = world.state().join("dkim/a.test/keys.toml");
    fs::write(&file, "version = 1\nkeys = 2\n").unwrap();
    let said = dkim(&world, 0, &["list"]);
    assert_eq!(said.code, 2);
    assert!(said.out.starts_with("b.test\n"), "{}", said.out);
    let told = format!("{}: line 2, column 1: unknown field `keys`", file.display());
    assert!(said.err.contains(&told), "{}", said.err);
    let said = dkim(&world, 0, &["check", "--apply"]);
    assert_eq!(said.code, 2);
    assert_eq!(fs::read_to_string(&file).unwrap(), "version = 1\nkeys = 2\n");
    // It can still be removed.
    assert_eq!(dkim(&world, 0, &["remove", "a.test", "--yes"]).code, 0);
    assert_eq!(dkim(&world, 0, &["list"]).code, 0);

    fs::write(world.state().join("dkim/b.test/copy.pem"), "").unwrap();
    let said = dkim(&world, 0, &["list"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("copy.pem: belongs to no key"), "{}", said.err);
}

/// The daemon has the store; keys are files beside it.
#[test]
fn the_daemon_may_run() {
    let world = World::new();
    let daemon = world.serve();
    assert_eq!(dkim(&world, 0, &["add", "a.test"]).code, 0);
    assert_eq!(dkim(&world, 0, &["list"]).code, 0);
    drop(daemon);
}

#[test]
fn wrong_usage() {
    let world = World::new();
    for usage in [
        &["dkim"][..],
        &["dkim", "add"],
        &["dkim", "rotate"],
        &["dkim", "remove", "--yes"],
        &["dkim", "add", "a..test"],
        &["dkim", "import", "a.test"],
        &["dkim", "check", "--resolver", "nowhere"],
        &["dkim", "add", "--file", "not-there"],
    ] {
        let said = run(&mut world.waxseal(usage));
        assert_eq!((said.code, said.out.as_str()), (64, ""), "{usage:?}: {}", said.err);
    }
    for verb in ["add", "list", "records", "check", "rotate", "import", "remove"] {
        let said = run(&mut world.waxseal(&["dkim", verb, "--help"]));
        let long = said.out.lines().filter(|line| line.chars().count() > 80);
        assert_eq!(long.collect::<Vec<_>>(), [""; 0], "{verb}");
    }
}

/// `kill -9` in the middle of work, again and again: what is there is whole, and the work goes on.
#[test]
fn killed_while_keys_are_made() {
    let world = World::new();
    let domains: Vec<_> = (0..12).map(|number| format!("d{number}.test")).collect();
    let names: Vec<_> = domains.iter().map(String::as_str).collect();
    for kill_at in [1, 3, 6] {
        let mut child = command(&world, 0, &[&["add"], &names[..]].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let folder = world.state().join("dkim");
        let has_begun = || folder.join(format!("d{kill_at}.test")).exists();
        while !has_begun() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let said = dkim(&world, 0, &["list", "--json"]);
        assert!(said.code <= 1, "{}{}", said.out, said.err);
    }
    let said = dkim(&world, 0, &[&["add", "--json"], &names[..]].concat());
    assert!(said.code <= 1, "{}", said.err);
    let listed = json_of(&dkim(&world, 0, &["list", "--json"]));
    for domain in listed["domains"].as_array().unwrap() {
        let folder = world.state().join("dkim").join(domain["domain"].as_str().unwrap());
        for key in domain["generations"][0]["keys"].as_array().unwrap() {
            let pem = folder.join(format!("{}.pem", key["selector"].as_str().unwrap()));
            assert!(fs::read_to_string(pem).unwrap().ends_with("-----END PRIVATE KEY-----\n"));
        }
    }
    assert_eq!(listed["domains"].as_array().unwrap().len(), 12);
}

/// Root makes keys in the folder of the daemon's user: they belong to that user.
#[test]
fn keys_belong_to_the_owner_of_the_state_folder() {
    use std::os::unix::fs::MetadataExt;
    let world = World::new();
    fs::create_dir(world.state()).unwrap();
    // Without the right to give it away, it stays ours, and so do the keys.
    let _ = std::os::unix::fs::chown(world.state(), Some(12_345), Some(12_346));
    let owner = |path: &str| {
        let metadata = world.state().join(path).metadata().unwrap();
        (metadata.uid(), metadata.gid())
    };
    let expected = owner("");
    assert_eq!(dkim(&world, 0, &["add", "a.test"]).code, 0);
    for path in
        ["dkim", "dkim/.lock", "dkim/a.test", "dkim/a.test/keys.toml", "dkim/a.test/wx202611r.pem"]
    {
        assert_eq!(owner(path), expected, "{path}");
    }
}
