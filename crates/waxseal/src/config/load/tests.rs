use super::*;
use crate::config::{KEYS, ProbeName, Profile, Resolver, Trust, show};
use crate::listen::ListenAddress;
use proptest::prelude::*;
use std::time::Duration;
use transport_policy::MixedHosts;

fn read(text: &str) -> (Loaded, Vec<ConfigError>) {
    let mut loaded = Loaded::new(&Environment::default());
    let mut errors = loaded.read_file("w.toml", text.as_bytes());
    errors.extend(loaded.finish());
    (loaded, errors)
}

fn good(text: &str, is_so: fn(&Config) -> bool) {
    let (loaded, errors) = read(text);
    assert_eq!(errors, [], "{text}");
    assert!(is_so(&loaded.config), "{text}: {:#?}", loaded.config);
}

fn bad(text: &str, expected: &str) {
    let rendered: Vec<_> = read(text).1.iter().map(ToString::to_string).collect();
    assert_eq!(rendered.join("\n"), expected.trim_matches('\n'), "{text}");
}

#[test]
fn values() {
    good("", |c| c.socketmap.unix_mode == 0o666);
    good("profile = 'bsi'", |c| c.profile == Profile::Bsi);
    good("[dns]\ntimeout = \"500ms\"", |c| c.dns.timeout == Duration::from_millis(500));
    good("dns.tries = 0x5", |c| c.dns.tries == 5);
    good("dns = { trust = \"no\" }", |c| c.dns.trust == Trust::No);
    good("[dns]\nresolver = \"[::1]:53\"", |c| {
        c.dns.resolver == Resolver::Address("[::1]:53".parse().unwrap())
    });
    good("[dns]\nprobe_bogus = []\nprobe_signed = ['.', 'IANA.org.']", |c| {
        c.dns.probe_bogus.is_empty()
            && matches!(&c.dns.probe_signed[..], [ProbeName::Root, ProbeName::Domain(name)] if name.as_str() == "iana.org")
    });
    good("[socketmap]\nunix_mode = \"660\"", |c| c.socketmap.unix_mode == 0o660);
    good("[fetch]\nhttps_port = 8_443\nallow_private = true", |c| {
        c.fetch.https_port == 8443 && c.fetch.allow_private
    });
    good("[fetch]\nca = \"\"", |c| c.fetch.ca.is_none());
    good("[sender]\nmixed = \"dane\"\nrefresh = \"7d\"", |c| {
        c.sender.mixed == MixedHosts::Dane && c.sender.refresh == Duration::from_hours(168)
    });
    good("state_dir = '/s'\n[http]\napi = ['unix:STATE_DIR/x/y']", |c| {
        c.http.api == [ListenAddress::Unix("/s/x/y".into())]
            && c.socketmap.listen[1] == ListenAddress::Unix("/s/socketmap".into())
    });
    good("state_dir = '/s'\n[collect]\nsocket = ['unix:STATE_DIR/x', 'unix:/y']", |c| {
        c.collect.socket.len() == 2
            && c.collect.socket[0] == ListenAddress::Unix("/s/x".into())
            && c.collect.has_way_in()
            && c.collect.group == "postfix"
    });
    good("[collect]\ngroup = ''\nunix_mode = '0622'", |c| {
        c.collect.group.is_empty() && c.collect.unix_mode == 0o622 && !c.collect.has_way_in()
    });
    good("[socketmap]\nlisten = ['127.0.0.1:0']\n[http]\nlisten = ['127.0.0.1:0']", |c| {
        c.http.listen == c.socketmap.listen
    });
}

#[test]
fn what_is_not_toml() {
    bad(
        "[dns]\nresolver = 127.0.0.1\ntimeout = \"3s\n\n[http\n",
        r#"
error: this is not TOML: invalid float, expected nothing
  --> w.toml:2:17
   |
 2 | resolver = 127.0.0.1
   |                 ^^^^
  = texts stand in quotes: resolver = "127.0.0.1"
error: this is not TOML: invalid basic string, expected `"`
  --> w.toml:3:14
   |
 3 | timeout = "3s
   |              ^
error: this is not TOML: unclosed table, expected `]`
  --> w.toml:5:6
   |
 5 | [http
   |      ^
"#,
    );
}

#[test]
fn not_utf8() {
    let mut loaded = Loaded::new(&Environment::default());
    let errors = loaded.read_file("w.toml", b"[dns]\n# \xfc\n");
    assert_eq!(
        errors[0].to_string(),
        "error: this is not TOML: expected UTF-8, found other octets\n\
         \x20 --> w.toml:2:3\n\
         \x20  |\n\
         \x202 | # \u{fffd}\n\
         \x20  |   ^"
    );
}

#[test]
fn duplicates() {
    bad(
        "[dns]\ntries = 1\ntimeout = \"1s\"\n[http]\n[log]\nlevel = \"info\"\n level=\"warn\"\n[dns] # again\n",
        r#"
error: the key level stands here a second time, the first is in line 6
  --> w.toml:7:2
   |
 7 |  level="warn"
   |  ^^^^^
error: the table [dns] stands here a second time, the first is in line 1
  --> w.toml:8:2
   |
 8 | [dns] # again
   |  ^^^
"#,
    );
}

#[test]
fn unknown_keys() {
    bad(
        r#"resolver = "127.0.0.1"
[dns]
time_out = "3s"
xyzzy = 1
[fetch]
allow-private = true
[senders]
deadline = "1s"
"#,
        r#"
error: resolver: there is no such key
  --> w.toml:1:1
   |
 1 | resolver = "127.0.0.1"
   | ^^^^^^^^
  = did you mean dns.resolver?
error: dns.time_out: there is no such key
  --> w.toml:3:1
   |
 3 | time_out = "3s"
   | ^^^^^^^^
  = did you mean dns.timeout?
error: dns.xyzzy: there is no such key
  --> w.toml:4:1
   |
 4 | xyzzy = 1
   | ^^^^^
error: fetch.allow-private: there is no such key
  --> w.toml:6:1
   |
 6 | allow-private = true
   | ^^^^^^^^^^^^^
  = did you mean fetch.allow_private?
error: senders: there is no such key
  --> w.toml:7:2
   |
 7 | [senders]
   |  ^^^^^^^
  = did you mean sender?
"#,
    );
}

#[test]
fn types_and_ranges() {
    bad(
        r#"http = 8643
profile = 7
state_dir = "state"
[dns]
timeout = 2
tries = 6
resolver = "ns1.example.com"
probe_signed = ["."]
probe_bogus = ["-bad-.test", ".", "."]
[socketmap]
idle_timeout = "90s"
unix_mode = 0o666
max_connections = -1
listen = ["127.0.0.1:8642", "localhost", "unix:socketmap"]
[fetch]
allow_private = "yes"
ca = ["/a.pem"]
https_port = 99999999999999999999999
[line]
listen = "127.0.0.1:4242"
"#,
        r#"
error: http: expected a table, [http], found the number 8643
  --> w.toml:1:8
   |
 1 | http = 8643
   |        ^^^^
error: profile: expected "standard" or "bsi", found the number 7
  --> w.toml:2:11
   |
 2 | profile = 7
   |           ^
error: state_dir: expected an absolute path, found "state"
  --> w.toml:3:13
   |
 3 | state_dir = "state"
   |             ^^^^^^^
error: dns.timeout: expected a duration from "100ms" to "30s", found the number 2
  --> w.toml:5:11
   |
 5 | timeout = 2
   |           ^
error: dns.tries: expected a whole number from 1 to 5, found the number 6
  --> w.toml:6:9
   |
 6 | tries = 6
   |         ^
error: dns.resolver: expected "system" or an IP address with or without a port, found "ns1.example.com"
  --> w.toml:7:12
   |
 7 | resolver = "ns1.example.com"
   |            ^^^^^^^^^^^^^^^^^
error: dns.probe_bogus: expected a domain name, or ".", found "-bad-.test"
  --> w.toml:9:16
   |
 9 | probe_bogus = ["-bad-.test", ".", "."]
   |                ^^^^^^^^^^^^
error: dns.probe_bogus: expected each item once, found "."
  --> w.toml:9:35
   |
 9 | probe_bogus = ["-bad-.test", ".", "."]
   |                                   ^^^
error: socketmap.idle_timeout: expected a duration from "101s" to "1d", found "90s"
  --> w.toml:11:16
   |
11 | idle_timeout = "90s"
   |                ^^^^^
  = Postfix keeps an idle connection for up to 100s, and defers mail if it was closed before
error: socketmap.unix_mode: expected permission bits as text, such as "0660", found the number 0o666
  --> w.toml:12:13
   |
12 | unix_mode = 0o666
   |             ^^^^^
error: socketmap.max_connections: expected a whole number from 1 to 100000, found the number -1
  --> w.toml:13:19
   |
13 | max_connections = -1
   |                   ^^
error: socketmap.listen: expected an IP address with a port, or "unix:" and an absolute path or one below STATE_DIR/, found "localhost"
  --> w.toml:14:29
   |
14 | listen = ["127.0.0.1:8642", "localhost", "unix:socketmap"]
   |                             ^^^^^^^^^^^
error: socketmap.listen: expected an IP address with a port, or "unix:" and an absolute path or one below STATE_DIR/, found "unix:socketmap"
  --> w.toml:14:42
   |
14 | listen = ["127.0.0.1:8642", "localhost", "unix:socketmap"]
   |                                          ^^^^^^^^^^^^^^^^
error: fetch.allow_private: expected true or false, found "yes"
  --> w.toml:16:17
   |
16 | allow_private = "yes"
   |                 ^^^^^
error: fetch.ca: expected an absolute path, or "" for none, found a list
  --> w.toml:17:6
   |
17 | ca = ["/a.pem"]
   |      ^^^^^^^^^^
error: fetch.https_port: expected a port from 1 to 65535, found the number 99999999999999999999999
  --> w.toml:18:14
   |
18 | https_port = 99999999999999999999999
   |              ^^^^^^^^^^^^^^^^^^^^^^^
error: line.listen: expected a list of listen addresses, found "127.0.0.1:4242"
  --> w.toml:20:10
   |
20 | listen = "127.0.0.1:4242"
   |          ^^^^^^^^^^^^^^^^
"#,
    );
}

#[test]
fn listeners_do_not_get_in_each_others_way() {
    bad(
        "[socketmap]\nlisten = ['0.0.0.0:8643']\n[http]\napi = ['unix:/s']\n\
         [line]\nlisten = ['unix:/s', '127.0.0.1:8643']\n",
        r#"
error: socketmap.listen: expected an address that http.listen does not use (127.0.0.1:8643), found "0.0.0.0:8643"
  --> w.toml:2:10
   |
 2 | listen = ['0.0.0.0:8643']
   |          ^^^^^^^^^^^^^^^^
error: line.listen: expected an address that http.api does not use (unix:/s), found "unix:/s"
  --> w.toml:6:10
   |
 6 | listen = ['unix:/s', '127.0.0.1:8643']
   |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
error: line.listen: expected an address that socketmap.listen does not use (0.0.0.0:8643), found "127.0.0.1:8643"
  --> w.toml:6:10
   |
 6 | listen = ['unix:/s', '127.0.0.1:8643']
   |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
error: line.listen: expected an address that http.listen does not use (127.0.0.1:8643), found "127.0.0.1:8643"
  --> w.toml:6:10
   |
 6 | listen = ['unix:/s', '127.0.0.1:8643']
   |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
"#,
    );
}

#[test]
fn a_socket_path_has_an_end() {
    let path = format!("/var/lib/waxseal/{}", "x".repeat(90));
    let text = format!("[line]\nlisten = ['unix:{path}']\n");
    good(&text, |c| c.line.listen.len() == 1);
    let rendered = read(&text.replace("/var/lib/waxseal/", "STATE_DIR/y")).1[0].to_string();
    assert!(rendered.starts_with(
        "error: line.listen: expected a socket path of at most 107 octets, found \"unix:/var/"
    ));
}

#[test]
fn later_origins_win_and_are_named() {
    let environment =
        Environment { state_directory: Some("/var/lib/waxseal".into()), ..Environment::default() };
    let mut loaded = Loaded::new(&environment);
    let text = "[dns]\nresolver = \"127.0.0.1\"\ntries = 3\n";
    assert_eq!(loaded.read_file("/etc/w.toml", text.as_bytes()), []);
    let resolver = Key::find("dns.resolver").unwrap();
    assert_eq!(loaded.set_typed(resolver, &["127.0.0.9".to_owned()]), []);
    assert_eq!(loaded.finish(), []);
    let shown = anstream::adapter::strip_str(&show(&loaded)).to_string();
    let lines: Vec<_> = shown.lines().collect();
    for line in [
        "# /etc/w.toml, the environment and the command line",
        "state_dir = \"/var/lib/waxseal\"               # $STATE_DIRECTORY",
        "[dns]",
        "resolver = \"127.0.0.9:53\"                    # --resolver",
        "tries = 3                                    # /etc/w.toml:3",
        "timeout = \"2s\"                               # default",
        "    \"unix:/var/lib/waxseal/socketmap\",",
    ] {
        assert!(lines.contains(&line), "{line}\n{shown}");
    }
    // What is shown can be read again.
    let (again, errors) = read(&shown);
    assert_eq!(errors, []);
    assert_eq!(again.config, loaded.config);
    assert_eq!(again.origins.len(), KEYS.len());
}

#[test]
fn warnings() {
    let (loaded, errors) = read(
        "[socketmap]\nlisten = ['0.0.0.0:8642', '[::1]:8642']\n[fetch]\nallow_private = true\n",
    );
    assert_eq!(errors, []);
    assert_eq!(
        loaded.warnings(),
        [
            "socketmap.listen: 0.0.0.0:8642 can be reached from other machines, and nobody who \
             asks there has to say who they are; use loopback, or a network of its own",
            "fetch.allow_private: policy hosts may have private addresses; this is for tests",
        ]
    );
    assert_eq!(read("").0.warnings(), [""; 0]);
}

/// What the BSI's guidelines expect of a gate, key by key.
#[test]
fn warnings_of_the_bsi_profile() {
    let keys = |text: &str| -> Vec<String> {
        let warnings = read(text).0.warnings();
        warnings.iter().map(|text| text.split(": ").next().unwrap().to_owned()).collect()
    };
    let gate = "[gate]\nlisten = ['127.0.0.1:8644']\n";
    assert_eq!(keys(gate), [""; 0]);
    let bsi = format!("profile = 'bsi'\n{gate}");
    assert_eq!(keys(&bsi), ["gate.not_strict", "reports.from"]);
    let reports = "[reports]\nfrom = 'dmarc@reports.example.com'\n";
    for word in ["leave", "refuse"] {
        assert_eq!(keys(&format!("{bsi}not_strict = '{word}'\n{reports}")), [""; 0]);
    }
}

/// `Timeout.command` and `Timeout.datablock` of sendmail are an hour each, and a message that
/// comes to Postfix for half an hour is half an hour of silence for the milter.
#[test]
fn the_milter_waits_longer_than_any_client_may_be_silent() {
    assert!(Config::default().gate.idle_timeout > Duration::from_hours(2));
}

/// Text that looks like a file of settings now and then.
fn text() -> impl Strategy<Value = String> {
    let keys: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    let piece = prop_oneof![
        4 => proptest::sample::select(keys).prop_map(str::to_owned),
        4 => " ?[=\\[\\].,{}\n\"'#] ?",
        2 => "\"(127\\.0\\.0\\.1|unix:/a|[0-9]{1,3}(ms|s|m|h|d)|STATE_DIR/|yes|no)\"",
        1 => "[0-9]{1,30}",
        1 => any::<String>(),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn never_panics(text in text()) {
        for error in read(&text).1 {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn never_panics_on_octets(octets in any::<Vec<u8>>()) {
        let _ = Loaded::new(&Environment::default()).read_file("w.toml", &octets);
    }
}
