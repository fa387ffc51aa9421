//! What other people's test suites use: one line starts a socketmap server, and nothing else.

use crate::world::{Daemon, World, secure};

/// `serve` with the flags of the machine interface only.
fn serve(world: &World) -> Daemon {
    let mut command = world.waxseal(&["serve", "--socketmap", "127.0.0.1:0"]);
    Daemon::start(command.args(world.machine()), &world.state())
}

#[test]
fn every_form_of_a_key_gets_its_reply() {
    let world = World::new();
    world.publish("sts.test", "1", "enforce");
    world.publish("xn--dan-dma.test", "1", "enforce");
    world.publish("testing.test", "1", "testing");
    world.publish("none.test", "1", "none");
    world.publish_dane("dane.test");
    world.host("a_b.test");
    let daemon = serve(&world);
    let (sts, idn) = (secure("sts.test"), secure("xn--dan-dma.test"));
    let table = [
        ("sts.test", sts.as_str()),
        ("STS.Test.", &sts),
        ("dané.test", &idn),
        ("sts.test:25", &sts),
        ("[sts.test]", &sts),
        ("[sts.test]:587", &sts),
        (".sts.test", "NOTFOUND "),
        ("", "NOTFOUND "),
        ("[192.0.2.1]", "NOTFOUND "),
        ("192.0.2.1", "NOTFOUND "),
        ("[IPv6:2001:db8::1]", "NOTFOUND "),
        ("a_b.test", "NOTFOUND "),
        ("testing.test", "NOTFOUND "),
        ("none.test", "NOTFOUND "),
        ("nowhere.test", "NOTFOUND "),
        ("dane.test", "OK dane-only"),
        ("mail to all", "NOTFOUND "),
    ];
    for (key, reply) in table {
        assert_eq!(daemon.query(key), reply, "{key}");
    }
}

#[test]
fn map_names_choose_the_form_of_the_reply() {
    let world = World::new();
    world.publish("sts.test", "1", "enforce");
    world.publish("testing.test", "1", "testing");
    world.publish_dane("dane.test");
    let daemon = serve(&world);
    let plain = secure("sts.test");
    let full = format!(
        "{plain} policy_type=sts policy_domain=sts.test mx_host_pattern=mx.sts.test \
         {{ policy_string = version: STSv1 }} {{ policy_string = mode: enforce }} \
         {{ policy_string = mx: mx.sts.test }} {{ policy_string = max_age: 604800 }}"
    );
    for (map, key, reply) in [
        ("QUERY", "sts.test", plain.as_str()),
        ("QUERYwithTLSRPT", "sts.test", &full),
        ("querywithtlsrpt", "sts.test", &full),
        ("STS", "sts.test", &plain),
        ("postfix", "sts.test", &plain),
        ("QUERY", "dane.test", "OK dane-only"),
        ("QUERYwithTLSRPT", "dane.test", "OK dane-only"),
        ("STS", "dane.test", "NOTFOUND "),
        ("QUERYwithTLSRPT", "testing.test", "NOTFOUND "),
    ] {
        assert_eq!(daemon.ask(map, key), reply, "{map} {key}");
    }
}

#[test]
fn pipelined_questions_are_answered_in_order() {
    let world = World::new();
    world.publish("slow.test", "1", "enforce");
    world.publish("fast.test", "1", "enforce");
    let daemon = serve(&world);
    assert_eq!(daemon.query("fast.test"), secure("fast.test"));
    world.host.hold();
    let mut connection = daemon.connect();
    connection.send("QUERY", "slow.test");
    connection.send("QUERY", "fast.test");
    connection.send("QUERY", ".test");
    world.host.wait_for(2);
    world.host.release();
    assert_eq!(connection.receive().unwrap(), secure("slow.test"));
    assert_eq!(connection.receive().unwrap(), secure("fast.test"));
    assert_eq!(connection.receive().unwrap(), "NOTFOUND ");
}

#[test]
fn nothing_else_is_switched_on() {
    let world = World::new();
    let before = files(&world);
    let daemon = serve(&world);
    assert_eq!(daemon.query("nowhere.test"), "NOTFOUND ");
    assert_eq!(listeners(daemon.id()), [format!("127.0.0.1:{}", daemon.socketmap.unwrap().port())]);
    let banner = daemon.banner.text();
    assert!(!banner.contains("metrics") && !banner.contains("decisions"), "{banner}");
    assert!(daemon.terminate().success());
    assert_eq!(files(&world), before);
}

fn files(world: &World) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![world.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The addresses that a process listens on, TCP and unix.
fn listeners(process: u32) -> Vec<String> {
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|target| {
            Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let mut found = Vec::new();
    let tcp = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).unwrap();
    for line in tcp.lines().skip(1) {
        let words: Vec<_> = line.split_whitespace().collect();
        let (address, port) = words[1].split_once(':').unwrap();
        if words[3] == "0A" && sockets.iter().any(|inode| inode == words[9]) {
            let octets = u32::from_str_radix(address, 16).unwrap().to_le_bytes();
            let address = std::net::Ipv4Addr::from(octets);
            found.push(format!("{address}:{}", u16::from_str_radix(port, 16).unwrap()));
        }
    }
    let others = |file: &str, inode: usize, path: Option<usize>| -> Vec<String> {
        let text = std::fs::read_to_string(format!("/proc/{process}/net/{file}")).unwrap();
        let lines = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        let listening = lines.filter(|words| {
            let is_listener = match path {
                Some(_) => words[3] == "00010000",
                None => words[3] == "0A",
            };
            is_listener && sockets.iter().any(|known| known == words[inode])
        });
        listening.map(|words| words[path.unwrap_or(1)].to_owned()).collect()
    };
    found.extend(others("tcp6", 9, None));
    found.extend(others("unix", 6, Some(7)));
    found
}
