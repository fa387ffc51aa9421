//! Both ends of TLS reports (RFC 8460): the Waxseal beside the sending Postfix, which counts and
//! reports, and another one in the world, which the receiving domains want their reports to come to.
//!
//! ```text
//!   sender                                 world
//!   Postfix ── datagrams ── Waxseal        ┌ Postfix ── LMTP ──┐
//!      └─────── report mails ──────────────┘                   ├── Waxseal
//!   Waxseal ─── reports by POST ────────── web server ─────────┘
//! ```
//!
//! Two more domains: `sender.test`, from which reports go out, and `rua.test`, to which they go. Its
//! mail server has TLSA records that do not fit its certificate, so usual mail to it waits, and
//! reports must come through all the same (RFC 8460 §3).

use crate::addresses::SENDER;
use crate::certificates::Validity;
use crate::command::succeed;
use crate::daemon::Daemon;
use crate::error::LabError;
use crate::gate::zone::txt;
use crate::lab::{Lab, SESSION_SOCKET, write};
use crate::name_servers::resolver;
use crate::post_front::PostFront;
use crate::waxseal::PORT;
use crate::zones::{Neighbor, Numbered};
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// The address that report mails go to.
pub const RUA: &str = "tls@rua.test";

const REPORTS_FROM: &str = "reports.sender.test";
const WEB_SERVER: (&str, Ipv4Addr, u16) = ("web.rua.test", Ipv4Addr::new(10, 44, 1, 1), 8443);
const MAIL_SERVER: Ipv4Addr = Ipv4Addr::new(10, 25, 1, 1);
/// Where the Waxseal of the world takes mail, as `postfix/receiver.main.cf` says, and posts.
const LMTP: &str = "127.0.0.1:8645";
const POSTS: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 8646);
const NO_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// By which way a domain wants its reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To a mail address.
    Mail,
    /// By a POST to a web server.
    Https,
    /// By each of them.
    Both,
}

/// Makes the settings of both, the keys and the records: what [`Lab::build_with`] wants to know.
pub fn prepare(
    folder: &Path,
    cases: &mut [Numbered],
    binary: &Path,
    way: impl Fn(&Numbered) -> Way,
) -> Result<Vec<Neighbor>, LabError> {
    let names: Vec<String> =
        cases.iter().map(|numbered| format!("\"{}\"", numbered.case.domain)).collect();
    write(&folder.join("sender.toml"), &sender_settings(folder))?;
    write(&folder.join("receiver.toml"), &receiver_settings(folder, &names))?;
    for state in ["state", "receiver-state"] {
        let state = folder.join(state);
        fs::create_dir_all(&state).map_err(LabError::io(state.display().to_string()))?;
    }
    let verb = |file: &str, verb: &[&str]| {
        let mut command = Command::new(binary);
        command.args(verb).arg("--config").arg(folder.join(file));
        succeed(command)
    };
    verb("sender.toml", &["dkim", "add", REPORTS_FROM])?;
    let keys = verb("sender.toml", &["dkim", "records", "--json"])?;
    for numbered in cases {
        let address = verb("receiver.toml", &["reports", "address", &numbered.case.domain])?;
        let (host, _, port) = WEB_SERVER;
        let path = address.lines().next().unwrap_or_default();
        let (mail, https) = (format!("mailto:{RUA}"), format!("https://{host}:{port}{path}"));
        let rua = match way(numbered) {
            Way::Mail => mail,
            Way::Https => https,
            Way::Both => format!("{mail},{https}"),
        };
        numbered.tlsrpt = format!("v=TLSRPTv1; rua={rua}");
    }
    Ok(vec![to(), from(&keys)])
}

/// Where reports go.
fn to() -> Neighbor {
    let (web_server, web_address, _) = WEB_SERVER;
    Neighbor {
        name: "rua.test".to_owned(),
        name_server: Ipv4Addr::new(10, 53, 0, 4),
        is_signed: true,
        records: vec![
            "rua.test. 300 IN MX 10 mx.rua.test.".to_owned(),
            format!("mx.rua.test. 300 IN A {MAIL_SERVER}"),
            format!("_25._tcp.mx.rua.test. 300 IN TLSA 3 1 1 {NO_KEY}"),
            format!("{web_server}. 300 IN A {web_address}"),
            // Reports about the sessions of reports would go to the same address.
            txt("_smtp._tls.rua.test", &format!("v=TLSRPTv1; rua=mailto:{RUA}")),
        ],
    }
}

/// Where they come from; `keys` is what `waxseal dkim records --json` says.
fn from(keys: &str) -> Neighbor {
    let document: Value = serde_json::from_str(keys).unwrap_or_default();
    let domains = document["domains"].as_array().into_iter().flatten();
    let generations = domains.flat_map(|one| one["generations"].as_array()).flatten();
    let keys = generations.flat_map(|one| one["keys"].as_array()).flatten();
    let keys = keys.filter_map(|key| Some(txt(key["name"].as_str()?, key["value"].as_str()?)));
    let mut records = vec![
        format!("{REPORTS_FROM}. 300 IN A {SENDER}"),
        txt(REPORTS_FROM, &format!("v=spf1 ip4:{SENDER} -all")),
        txt(&format!("_dmarc.{REPORTS_FROM}"), "v=DMARC1; p=reject"),
    ];
    records.extend(keys);
    Neighbor {
        name: "sender.test".to_owned(),
        name_server: Ipv4Addr::new(10, 53, 0, 5),
        is_signed: false,
        records,
    }
}

fn sender_settings(folder: &Path) -> String {
    let place = |name: &str| folder.join(name).display().to_string();
    let (state, ca) = (place("state"), place("ca.pem"));
    let socket = place(&format!("sender/shared/{SESSION_SOCKET}"));
    format!(
        r#"state_dir = "{state}"
[dns]
resolver = "127.0.0.1:53"
[socketmap]
listen = ["127.0.0.1:{PORT}"]
[fetch]
ca = "{ca}"
https_port = 443
allow_private = true
[collect]
socket = ["unix:{socket}"]
unix_mode = "0666"
group = ""
[reports]
from = "reports@{REPORTS_FROM}"
organization = "Sender of the lab"
submit = "127.0.0.1:25"
"#
    )
}

fn receiver_settings(folder: &Path, domains: &[String]) -> String {
    let state = folder.join("receiver-state").display().to_string();
    let (domains, (posts, port)) = (domains.join(", "), POSTS);
    format!(
        r#"state_dir = "{state}"
[dns]
resolver = "127.0.0.1:53"
[socketmap]
listen = []
[intake]
lmtp = ["{LMTP}"]
https = ["{posts}:{port}"]
recipients = ["{RUA}"]
domains = [{domains}, "rua.test"]
"#
    )
}

/// The world's side: its resolver, the web server and the other Waxseal.
#[derive(Debug)]
pub struct Intake {
    /// The program.
    pub waxseal: Daemon,
    /// The web server in front of it.
    pub front: Arc<PostFront>,
    _resolver: Daemon,
}

impl Intake {
    /// Starts all of it, with the time of day in seconds since 1970.
    pub fn start(lab: &Lab, binary: &Path, now: u64) -> Result<Self, LabError> {
        let world = &lab.network.world;
        let (resolver_folder, deadline) = (lab.folder.join("resolver-world"), lab.deadline());
        let resolver = resolver(world, &resolver_folder, &lab.trust_anchor, deadline)?;
        let (name, address, port) = WEB_SERVER;
        let identity = lab.authority.issue(&[name.to_owned()], Validity::Always)?;
        let at = SocketAddr::from((address, port));
        let config = identity.server_config()?;
        let front = PostFront::start(world, at, config, SocketAddr::from(POSTS))?;
        let config = lab.folder.join("receiver.toml").display().to_string();
        let (program, now) = (binary.display().to_string(), now.to_string());
        let arguments = ["serve", "--config", &config, "--at", &now];
        let waxseal = Daemon::start(world, &program, &arguments)?;
        waxseal.log.wait_for_text(LMTP, deadline)?;
        Ok(Self { waxseal, front, _resolver: resolver })
    }
}
