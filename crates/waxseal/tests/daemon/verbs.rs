//! The other verbs, as people and scripts call them.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use serde_json::{Value, json};

use crate::world::{NOW, Said, World, codes, policy, run, secure};

fn json_of(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err))
}

// ---- explain ---------------------------------------------------------------------------------

/// `explain` with eyes of its own.
fn explain(world: &World, arguments: &[&str]) -> Said {
    let mut command = world.waxseal(&["explain"]);
    command.arg("--config").arg(world.path("waxseal.toml"));
    run(command.args(world.machine()).args(arguments))
}

#[test]
fn explain_asks_the_daemon_for_it_remembers() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let daemon = world.serve();
    assert_eq!(daemon.query("a.test"), secure("a.test"));
    world.dns.remove("_mta-sts.a.test TXT");
    let mut command = world.waxseal(&["explain", "a.test", "--json", "--state-dir"]);
    let said = run(command.arg(world.state()));
    let document = json_of(&said);
    assert_eq!((said.code, &document["source"]), (0, &json!("daemon")));
    assert_eq!(document["decision"], "secure");
    assert_eq!(document["facts"]["remembered"]["binds"], true);
    assert!(document["facts"]["remembered"]["age"].as_u64().unwrap() < 60);
    assert_eq!(document["replies"]["QUERY"], secure("a.test"));
    assert_eq!(codes(&document["facts"]["disagreements"]), ["record-gone"]);
    let mut command = world.waxseal(&["explain", "a.test", "--state-dir"]);
    let said = run(command.arg(world.state()));
    assert_eq!(said.code, 0);
    assert!(said.out.contains("by the running daemon"), "{}", said.out);
    assert!(said.out.contains("record-gone"), "{}", said.out);
    // Whoever shows it another world does not mean the daemon's.
    let document = json_of(&explain(&world, &["a.test", "--json"]));
    assert_eq!(
        (&document["source"], &document["decision"]),
        (&json!("own look-up"), &json!("none"))
    );
    drop(daemon);
}

#[test]
fn explain_is_not_held_up_by_the_socket_of_a_daemon_that_was_killed() {
    let world = World::new();
    let daemon = world.serve();
    let socket = daemon.api.clone();
    daemon.kill();
    assert!(socket.exists());
    world.settings(&format!("[dns]\nresolver = \"{}\"\n", world.dns.address));
    let mut command = world.waxseal(&["explain", "nowhere.test", "--json", "--state-dir"]);
    command.arg(world.state()).arg("--config").arg(world.path("waxseal.toml"));
    assert_eq!(json_of(&run(&mut command))["source"], "own look-up");
}

#[test]
fn explain_looks_up_itself_without_a_daemon() {
    let world = World::new();
    world.publish("a.test", "1", "enforce");
    let said = explain(&world, &["A.Test.", "--json"]);
    let document = json_of(&said);
    assert_eq!((said.code, &document["source"]), (0, &json!("own look-up")));
    assert_eq!(document["next_hop"], "a.test");
    assert_eq!(document["schema"], 1);
    assert_eq!(document["facts"]["remembered"], Value::Null);
    assert!(document["look_ups"].as_array().unwrap().len() >= 3);
    assert!(!world.state().exists());
}

#[test]
fn explain_exits_by_the_verdict_and_with_json_by_success() {
    let world = World::new();
    world.publish("secure.test", "1", "enforce");
    world.publish_dane("dane.test");
    world.host("none.test");
    world.dns.fail("defer.test MX");
    for (domain, decision, code) in [
        ("secure.test", "secure", 0),
        ("dane.test", "dane-only", 0),
        ("none.test", "none", 1),
        ("defer.test", "defer", 3),
    ] {
        assert_eq!(explain(&world, &[domain]).code, code, "{domain}");
        let said = explain(&world, &[domain, "--json"]);
        assert_eq!((said.code, &json_of(&said)["decision"]), (0, &json!(decision)));
    }
    for input in ["[192.0.2.1]", "a b", ".test"] {
        assert_eq!(explain(&world, &[input]).code, 1, "{input:?}");
    }
    for usage in [vec![], vec!["a.test", "--at", "today"]] {
        assert_eq!(explain(&world, &usage).code, 64, "{usage:?}");
    }
}

/// A silent resolver costs a few seconds at most, and there is a verdict.
#[test]
fn explain_in_silence() {
    let world = World::new();
    world.dns.fall_silent();
    let start = std::time::Instant::now();
    let said = explain(&world, &["a.test", "--json"]);
    assert_eq!((said.code, &json_of(&said)["decision"]), (0, &json!("defer")));
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

/// The text for people, as it stands in `golden/`. With `UPDATE=1` the files are written anew.
#[test]
fn explain_reads_well_in_80_columns() {
    let world = World::new();
    world.publish("sts.test", "20260101T000000", "enforce");
    world.publish("testing.test", "1", "testing");
    world.publish_dane("dane.test");
    world.publish_dane("mixed.test");
    world.publish("mixed.test", "1", "enforce");
    world.dns.say(&["mixed.test MX 10 mx.mixed.test", "mixed.test MX 20 mx2.mixed.test"]);
    world.dns.say(&["mx2.mixed.test A 192.0.2.2"]);
    world.dns.say(&["sts.test A 192.0.2.3"]);
    world.dns.fail("bogus.test MX");
    world.dns.say(&["null.test MX 0 ."]);
    world.publish("unfetchable.test", "1", "enforce");
    world.host.page(
        "unfetchable.test",
        crate::world::Page { status: 301, content_type: "text/plain", body: String::new() },
    );
    let long = format!("{0}.{0}.{0}.test", "a-long-label".repeat(4));
    world.publish(&long, "1", "enforce");
    let cases = [
        ("sts", "sts.test"),
        ("testing", "testing.test"),
        ("dane", "dane.test"),
        ("mixed", "mixed.test"),
        ("bogus", "bogus.test"),
        ("null-mx", "null.test"),
        ("smart-host", "[sts.test]:587"),
        ("unfetchable", "unfetchable.test"),
        ("nowhere", "nowhere.test"),
        ("long", &long),
    ];
    for (name, next_hop) in cases {
        let said = explain(&world, &[next_hop, "--at", &NOW.to_string()]);
        golden(&world, &format!("explain-{name}"), &said.out);
    }
    let said = explain(&world, &["sts.test", "--look-ups", "--at", &NOW.to_string()]);
    let lines = said.out.lines().filter(|line| line.chars().count() > 80);
    assert_eq!(lines.collect::<Vec<_>>(), [""; 0]);
}

/// Compares with a file, ports replaced by words.
pub(crate) fn golden(world: &World, name: &str, text: &str) {
    for line in text.lines() {
        // One word that is longer than a line cannot be broken.
        let is_one_word = line.split_whitespace().any(|word| word.len() > 60);
        assert!(line.chars().count() <= 80 || is_one_word, "{name}: {line}");
        assert!(!line.contains('\u{1b}'), "{name}: {line:?}");
    }
    let port = |port: u16| format!(":{port}");
    let text = text.replace(&port(world.dns.address.port()), ":DNS");
    let text = text.replace(&port(world.host.port), ":HTTPS");
    let path = format!("{}/tests/daemon/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{path} (UPDATE=1 writes it anew)");
}

// ---- lint ------------------------------------------------------------------------------------

fn lint(world: &World, kind: &str, text: &[u8], more: &[&str]) -> Said {
    let path = world.path("text");
    fs::write(&path, text).unwrap();
    run(world.waxseal(&["lint", kind, "text"]).args(more))
}

#[test]
fn lint_judges_each_kind() {
    let world = World::new();
    let digest = "ab".repeat(32);
    let tlsa = format!("3 1 1 {digest}\n");
    let short = "3 1 1 abcd\n";
    let good_policy = policy("a.test", "enforce", 604_800);
    let table: [(&str, &str, i32, bool); 13] = [
        ("mta-sts-record", "v=STSv1; id=20260101T000000\n", 0, true),
        ("mta-sts-record", "v=STSv1; id=20260101T000000;", 0, true),
        ("mta-sts-record", "v=STSv1; id=1; id=2", 1, true),
        ("mta-sts-record", "v=STSv1; id=2026-01-01", 2, false),
        ("mta-sts-policy", &good_policy, 0, true),
        ("mta-sts-policy", "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 60\n", 1, true),
        ("mta-sts-policy", "version: STSv1\nmode: enforce\nmax_age: 604800\n", 2, false),
        ("tlsrpt-record", "v=TLSRPTv1; rua=mailto:reports@a.test\n", 0, true),
        ("tlsrpt-record", "v=TLSRPTv1; rua=ftp://a.test\n", 2, false),
        ("tlsrpt-record", "v=TLSRPTv1\n", 2, false),
        ("tlsa-record", &tlsa, 0, true),
        ("tlsa-record", short, 2, false),
        ("tlsa-record", "", 2, false),
    ];
    for (kind, text, code, valid) in table {
        let said = lint(&world, kind, text.as_bytes(), &[]);
        assert_eq!(said.code, code, "{kind} {text:?}: {}", said.out);
        assert!(said.out.lines().all(|line| line.chars().count() <= 120), "{}", said.out);
        let said = lint(&world, kind, text.as_bytes(), &["--json"]);
        let document = json_of(&said);
        assert_eq!((said.code, &document["valid"]), (0, &json!(valid)), "{kind} {text:?}");
        for finding in document["findings"].as_array().unwrap() {
            assert!(finding["code"].is_string() && finding["message"].is_string(), "{finding}");
            let severity = finding["severity"].as_str().unwrap();
            assert!(["error", "warning", "notice"].contains(&severity), "{finding}");
            assert!(finding["line"].as_u64().unwrap() >= 1, "{finding}");
            assert!(finding["column"].as_u64().unwrap() >= 1, "{finding}");
            assert!(finding["clause"].as_str().unwrap().starts_with("RFC "), "{finding}");
            assert_eq!(finding.as_object().unwrap().len(), 6, "{finding}");
        }
        let worst = document["findings"].as_array().unwrap().iter();
        let has_error = worst.filter(|one| one["severity"] == "error").count() > 0;
        assert_eq!(has_error, !valid, "{kind} {text:?}");
    }
}

#[test]
fn lint_names_the_place() {
    let world = World::new();
    let text = "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 1d\n";
    let said = lint(&world, "mta-sts-policy", text.as_bytes(), &[]);
    assert!(said.out.starts_with("text:4:10: error: max_age: "), "{}", said.out);
    let document = json_of(&lint(&world, "mta-sts-policy", text.as_bytes(), &["--json"]));
    let finding = &document["findings"][0];
    assert_eq!((&finding["line"], &finding["column"]), (&json!(4), &json!(10)));
}

#[test]
fn lint_reads_standard_input() {
    let world = World::new();
    let mut child = world
        .waxseal(&["lint", "mta-sts-record", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"v=STSv1; id=1").unwrap();
    let output = child.wait_with_output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &document["valid"]), (Some(0), &json!(true)));
}

#[test]
fn lint_of_what_cannot_be_judged() {
    let world = World::new();
    for arguments in [["mta-sts-policy", "not-there"], ["mta-sts-policy", "."]] {
        for more in [&[][..], &["--json"]] {
            let said = run(world.waxseal(&["lint"]).args(arguments).args(more));
            assert_eq!((said.code, said.out.as_str()), (1, ""), "{}", said.err);
            assert!(said.err.starts_with(&format!("waxseal: {}: ", arguments[1])), "{}", said.err);
        }
    }
    let huge = vec![b'x'; 3_000_000];
    let said = lint(&world, "mta-sts-policy", &huge, &["--json"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.contains("expected at most"), "{}", said.err);
    // An endless one ends as well.
    let said = run(&mut world.waxseal(&["lint", "tlsa-record", "/dev/zero"]));
    assert_eq!(said.code, 1);
    for usage in [vec!["lint"], vec!["lint", "spam", "x"], vec!["lint", "mta-sts-record"]] {
        assert_eq!(run(&mut world.waxseal(&usage)).code, 64, "{usage:?}");
    }
}

/// Octets of every kind: a verdict or a refusal, and nothing that harms a terminal.
#[test]
fn lint_of_garbage() {
    let world = World::new();
    let mut garbage: Vec<u8> = (0..=255).collect();
    garbage.extend(b"\x1b]0;title\x07\x1b[2J\n: : :\nv=STSv1; \x1b[31m=\x1b\n3 1 1 \x1b[31m\n");
    for kind in ["mta-sts-record", "mta-sts-policy", "tlsrpt-record", "tlsa-record"] {
        for text in [&garbage[..], &garbage[32..127], &garbage[256..], &garbage[277..]] {
            let said = lint(&world, kind, text, &[]);
            assert_eq!(said.code, 2, "{kind}: {}", said.out);
            let control = |c: char| c.is_control() && c != '\n';
            assert!(!said.out.contains(control), "{kind}: {:?}", said.out);
            assert_eq!(json_of(&lint(&world, kind, text, &["--json"]))["valid"], false);
        }
    }
}

// ---- dane verify -----------------------------------------------------------------------------

/// A server's certificate for `mx.a.test` below an authority, in files.
struct Chain {
    server_spki: Vec<u8>,
    authority_spki: Vec<u8>,
}

fn chain(world: &World) -> Chain {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
    let authority_key = KeyPair::generate().unwrap();
    let authority_spki = rcgen::PublicKeyData::subject_public_key_info(&authority_key);
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let mut params = CertificateParams::new(["mx.a.test".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    let key = KeyPair::generate().unwrap();
    let server_spki = rcgen::PublicKeyData::subject_public_key_info(&key);
    let server = params.signed_by(&key, &issuer).unwrap();
    fs::write(world.path("chain.pem"), server.pem() + &authority.pem()).unwrap();
    fs::write(world.path("server.pem"), server.pem()).unwrap();
    fs::write(world.path("authority.pem"), authority.pem()).unwrap();
    Chain { server_spki, authority_spki }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// By way of a cipher suite that hashes so.
fn sha256(octets: &[u8]) -> Vec<u8> {
    let suite = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    suite.tls13().unwrap().common.hash_provider.hash(octets).as_ref().to_vec()
}

fn verify(world: &World, tlsa: &str, more: &[&str]) -> Said {
    fs::write(world.path("tlsa"), tlsa).unwrap();
    let mut command = world.waxseal(&["dane", "verify", "--host", "mx.a.test", "--tlsa", "tlsa"]);
    command.args(["--at", &NOW.to_string()]);
    run(command.args(more))
}

#[test]
fn dane_verify_judges_real_chains() {
    let world = World::new();
    let Chain { server_spki, authority_spki } = chain(&world);
    let (server, authority) = (hex(&server_spki), hex(&sha256(&authority_spki)));
    let (end, anchor) = (format!("3 1 0 {server}\n"), format!("2 1 1 {authority}\n"));
    let key = format!("2 1 0 {}\n", hex(&authority_spki));
    let other = format!("3 1 1 {}\n", "ab".repeat(32));
    let unusable = format!("0 1 0 {server}\n1 1 0 {server}\n3 1 9 {server}\n");
    let whole = &["--chain", "chain.pem"][..];
    let alone = &["--chain", "server.pem"][..];
    let completed = &["--chain", "server.pem", "--ca", "authority.pem"][..];
    let table = [
        (end.clone(), whole, "pass", Some(0), 0),
        (end.clone(), alone, "pass", Some(0), 0),
        (anchor.clone(), whole, "pass", Some(1), 0),
        (anchor.clone(), completed, "pass", Some(1), 0),
        (anchor, alone, "fail", None, 2),
        // RFC 7671 §5.2.3: a record with the whole key needs no certificate in the chain.
        (key, alone, "pass", Some(1), 0),
        (other.clone(), whole, "fail", None, 2),
        (other.clone() + &end, whole, "pass", Some(0), 0),
        (unusable.clone(), whole, "unusable", None, 2),
        (unusable + &end, whole, "pass", Some(0), 0),
    ];
    for (tlsa, chain, result, depth, code) in table {
        let said = verify(&world, &tlsa, chain);
        assert_eq!(said.code, code, "{tlsa}{}{}", said.out, said.err);
        assert!(said.out.starts_with(result), "{}", said.out);
        let said = verify(&world, &tlsa, &[chain, &["--json"]].concat());
        let document = json_of(&said);
        assert_eq!((said.code, &document["result"]), (0, &json!(result)), "{tlsa}");
        assert_eq!(document.get("depth"), depth.map(|depth| json!(depth)).as_ref(), "{tlsa}");
    }
}

/// RFC 7672 §3.1.1: expiry and names do not matter for usage 3. §3.1.2: they do for usage 2.
#[test]
fn dane_verify_checks_names_and_times_by_the_usage() {
    let world = World::new();
    let Chain { server_spki, authority_spki } = chain(&world);
    let result = |tlsa: String, host: &str, at: &str, more: &[&str]| {
        fs::write(world.path("tlsa"), tlsa).unwrap();
        let mut command = world.waxseal(&["dane", "verify", "--tlsa", "tlsa", "--json"]);
        command.args(["--chain", "chain.pem", "--host", host, "--at", at]).args(more);
        json_of(&run(&mut command))["result"].as_str().unwrap().to_owned()
    };
    let end = || format!("3 1 0 {}", hex(&server_spki));
    let anchor = || format!("2 1 0 {}", hex(&authority_spki));
    let (now, later) = (NOW.to_string(), "4000000000");
    assert_eq!(result(end(), "other.test", later, &[]), "pass");
    assert_eq!(result(anchor(), "mx.a.test", &now, &[]), "pass");
    assert_eq!(result(anchor(), "mx.a.test", later, &[]), "fail");
    assert_eq!(result(anchor(), "other.test", &now, &[]), "fail");
    assert_eq!(result(anchor(), "other.test", &now, &["--domain", "mx.a.test"]), "pass");
}

#[test]
fn dane_verify_of_what_cannot_be_judged() {
    let world = World::new();
    chain(&world);
    let good = format!("3 1 1 {}", "ab".repeat(32));
    for (tlsa, chain, told) in [
        ("3 1 1 xyz", "chain.pem", "tlsa"),
        (&good, "not-there.pem", "not-there.pem: "),
        (&good, "tlsa", "found none"),
        (&good, "/dev/null", "found none"),
    ] {
        for more in [&[][..], &["--json"]] {
            let said = verify(&world, tlsa, &[&["--chain", chain], more].concat());
            assert_eq!((said.code, said.out.as_str()), (1, ""), "{tlsa} {chain} {}", said.err);
            assert!(said.err.contains(told), "{}", said.err);
        }
    }
    for usage in [vec!["dane"], vec!["dane", "verify"], vec!["dane", "verify", "--host", "a"]] {
        assert_eq!(run(&mut world.waxseal(&usage)).code, 64, "{usage:?}");
    }
}

// ---- usage and settings ----------------------------------------------------------------------

#[test]
fn wrong_usage_is_64_and_help_is_0() {
    let world = World::new();
    for usage in [
        &[][..],
        &["dance"],
        &["serve", "--socketmap", "nowhere"],
        &["serve", "--resolver", "dns.example"],
        &["serve", "--https-port", "0"],
        &["serve", "extra"],
        &["serve", "--ca", "not-there.pem"],
        &["serve", "--config", "not-there.toml"],
        &["config"],
        &["config", "check", "--config", "not-there.toml"],
    ] {
        let said = run(&mut world.waxseal(usage));
        assert_eq!(said.code, 64, "{usage:?}: {}{}", said.out, said.err);
        assert!(said.out.is_empty() && !said.err.is_empty(), "{usage:?}: {}", said.out);
    }
    for usage in [&["--help"][..], &["--version"], &["serve", "--help"], &["help", "lint"]] {
        let said = run(&mut world.waxseal(usage));
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{usage:?}");
        let long = said.out.lines().filter(|line| line.chars().count() > 80);
        assert_eq!(long.collect::<Vec<_>>(), [""; 0], "{usage:?}");
    }
}

#[test]
fn all_that_is_wrong_with_the_settings_is_told_at_once() {
    let world = World::new();
    world.settings("[sender]\ndeadline = \"1 week\"\n[dns]\ntries = 9\ntimout = \"2s\"\n");
    let checked =
        run(world.waxseal(&["config", "check", "--config", "waxseal.toml"]).arg("--json"));
    assert_eq!(checked.code, 64);
    let errors = json_of(&checked)["errors"].clone();
    let lines: Vec<_> =
        errors.as_array().unwrap().iter().map(|error| error["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 4, 5]);
    let path = world.path("waxseal.toml");
    let said = run(world.waxseal(&["config", "check", "--config"]).arg(path));
    assert_eq!(said.code, 64);
    // The daemon says the same, and does not start half.
    let serve = run(world.command(&[]).arg("--quiet"));
    assert_eq!((serve.code, &serve.err), (64, &said.err));
    assert!(said.err.contains("sender.deadline") && said.err.contains("3 errors"), "{}", said.err);
    assert!(!world.state().exists());
}

#[test]
fn a_closed_pipe_is_no_error() {
    let world = World::new();
    let mut command = Command::new("sh");
    command.args(["-c", "\"$0\" config sample | head -n 1", env!("CARGO_BIN_EXE_waxseal")]);
    let said = run(command.current_dir(world.folder.path()));
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

#[test]
fn the_banner_fits_in_80_columns() {
    let world = World::new();
    world.dns.stop_validating();
    let daemon = world.serve();
    let banner = daemon.banner.text();
    let long =
        |line: &&str| line.chars().count() > 80 && !line.contains("/tmp") && line.contains(' ');
    assert_eq!(banner.lines().filter(long).collect::<Vec<_>>(), [""; 0]);
}
