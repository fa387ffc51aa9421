//! The whole lab: builds it, turns from the healthy time to the attack, and takes it down.

use crate::addresses::CaseNumber;
use crate::attack;
use crate::case::{HttpsAnswer, Obstacle};
use crate::certificates::{Authority, Identity, Validity};
use crate::daemon::{Daemon, Log};
use crate::dns_tree::DnsTree;
use crate::error::LabError;
use crate::name_servers::resolver;
use crate::namespace::remove_leftovers;
use crate::network::Network;
use crate::policy_host::PolicyHosts;
use crate::postfix::{Instance, Postfix, RECEIVER, SENDER};
use crate::rogue::Rogue;
use crate::waxseal::{Waxseal, target_folder};
use crate::zones::{Neighbor, Numbered};
use crate::{packages, report_socket, tree};
use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The socket of `smtp_tlsrpt_socket_name`.
pub const SESSION_SOCKET: &str = "tlsrpt";

/// A running lab. Its parts end in the order of the fields: first the programs, last the network.
#[derive(Debug)]
pub struct Lab {
    /// The program under test.
    pub waxseal: Option<Waxseal>,
    /// The sending Postfix.
    pub sender: Postfix,
    /// The receiving Postfix.
    pub receiver: Postfix,
    /// The attacker's mail server.
    pub rogue: Arc<Rogue>,
    /// What the sending Postfix says for TLS reports, a datagram to a line; see
    /// [`Lab::keep_sessions`].
    pub reports: Log,
    /// The arguments with which Waxseal is started.
    pub arguments: Vec<String>,
    honest_hosts: Arc<PolicyHosts>,
    resolver: Option<Daemon>,
    /// Held for their ends: they are never spoken to.
    _name_servers: Vec<Daemon>,
    /// The three machines.
    pub network: Network,
    /// The cases that the lab was built for.
    pub cases: Vec<Numbered>,
    /// Where the files of this run are.
    pub folder: PathBuf,
    /// The file with the root's public key.
    pub trust_anchor: PathBuf,
    /// Whom the sender trusts.
    pub authority: Authority,
    deadline: Instant,
    /// Held as long as the lab stands: only one can, since its names are the machine's.
    _lock: File,
}

impl Lab {
    /// Builds the lab for `cases`, in its healthy time, without Waxseal.
    /// All of the run must be over within `limit`, to which waiting for another lab does not count.
    pub fn build(cases: Vec<Numbered>, limit: Duration) -> Result<Self, LabError> {
        Self::build_with("run", cases, |_, _| Ok(Vec::new()), limit)
    }

    /// The same with other domains beside the cases, and its files in `target/e2e/NAME`. That folder
    /// is there, and empty, when `neighbors` is called, which may change what the cases publish.
    pub fn build_with(
        name: &str,
        mut cases: Vec<Numbered>,
        neighbors: impl FnOnce(&Path, &mut [Numbered]) -> Result<Vec<Neighbor>, LabError>,
        limit: Duration,
    ) -> Result<Self, LabError> {
        packages::require()?;
        let tree = tree::require()?;
        let lock = lock()?;
        let deadline = Instant::now() + limit;
        remove_leftovers()?;
        let folder = empty_folder(name)?;
        let neighbors = neighbors(&folder, &mut cases)?;
        let network = Network::build()?;

        let authority = Authority::create()?;
        write(&folder.join("ca.pem"), &authority.pem())?;
        let names: Vec<String> = cases.iter().map(Numbered::receiver_name).collect();
        let receiver_identity = authority.issue(&names, Validity::Always)?;

        let dns = DnsTree::sign(&folder, &cases, &neighbors, &receiver_identity.key_digest())?;
        let name_servers = dns.start(&network, &folder, deadline)?;
        let resolver_folder = folder.join("resolver");
        let resolver = resolver(&network.sender, &resolver_folder, &dns.trust_anchor, deadline)?;

        let honest_hosts = honest_hosts(&network, &authority, &cases)?;
        false_hosts(&network, &authority, &cases)?;
        let disguises = cases
            .iter()
            .map(|numbered| Ok((numbered.number, attack::disguise(numbered, &authority)?)));
        let rogue = Rogue::start(&network.path, disguises.collect::<Result<_, LabError>>()?)?;

        let start = |namespace, name: &str, (main_cf, master_cf), certificate| {
            let instance = Instance { main_cf, master_cf, files: &[certificate] };
            Postfix::start(namespace, &tree, &folder.join(name), &instance, deadline)
        };
        let chain = receiver_identity.key_and_chain_pem();
        let receiver = start(&network.world, "receiver", RECEIVER, ("receiver.pem", &chain))?;
        let ca = authority.pem();
        let sender = start(&network.sender, "sender", SENDER, ("ca.pem", &ca))?;
        Ok(Self {
            waxseal: None,
            reports: Log::default(),
            arguments: Waxseal::arguments(&folder.join("state"), &folder.join("ca.pem")),
            sender,
            receiver,
            rogue,
            honest_hosts,
            resolver: Some(resolver),
            _name_servers: name_servers,
            network,
            cases,
            folder,
            trust_anchor: dns.trust_anchor,
            authority,
            deadline,
            _lock: lock,
        })
    }

    /// From now on keeps what the sending Postfix says for TLS reports.
    pub fn keep_sessions(&mut self) -> Result<(), LabError> {
        self.reports = report_socket::listen(&self.session_folder(), SESSION_SOCKET)?;
        Ok(())
    }

    /// The folder of the socket to which the sending Postfix tells its TLS sessions; the name of the
    /// socket is [`SESSION_SOCKET`].
    pub fn session_folder(&self) -> PathBuf {
        self.folder.join("sender/shared")
    }

    /// Starts Waxseal; its state lies in the same folder each time.
    pub fn start_waxseal(&mut self, binary: &Path) -> Result<(), LabError> {
        let state = self.folder.join("state");
        fs::create_dir_all(&state).map_err(LabError::io(state.display().to_string()))?;
        let sender = &self.network.sender;
        self.waxseal = Some(Waxseal::start(sender, binary, &self.arguments, self.deadline)?);
        Ok(())
    }

    /// Until when the run must be over.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Ends the healthy time: the attacker takes its place on the path, the world says what the
    /// cases want it to say at delivery, and the sender's resolver has forgotten what it knew.
    pub fn attack(&mut self) -> Result<(), LabError> {
        attack::begin(&self.network.path, &self.cases)?;
        let now = self.cases.iter().map(|numbered| (numbered, numbered.case.https.clone()));
        self.honest_hosts.exchange(documents(now));
        // The old one must have left its port before the new one comes.
        self.resolver = None;
        let folder = self.folder.join("resolver");
        let sender = &self.network.sender;
        self.resolver = Some(resolver(sender, &folder, &self.trust_anchor, self.deadline)?);
        Ok(())
    }
}

fn honest_hosts(
    network: &Network,
    authority: &Authority,
    cases: &[Numbered],
) -> Result<Arc<PolicyHosts>, LabError> {
    let names: Vec<String> = cases.iter().map(Numbered::policy_host_name).collect();
    let config = authority.issue(&names, Validity::Always)?.server_config()?;
    let certificates = cases.iter().map(|numbered| (numbered.number, Arc::clone(&config)));
    let before = cases.iter().map(|numbered| {
        let earlier = numbered.case.earlier.as_ref().map(|earlier| earlier.https.clone());
        (numbered, earlier.unwrap_or_else(|| numbered.case.https.clone()))
    });
    PolicyHosts::start(&network.world, certificates.collect(), documents(before))
}

fn false_hosts(
    network: &Network,
    authority: &Authority,
    cases: &[Numbered],
) -> Result<Arc<PolicyHosts>, LabError> {
    let mut certificates = HashMap::new();
    for numbered in cases {
        let identity = match numbered.case.https.as_ref().and_then(|https| https.obstacle) {
            None | Some(Obstacle::Unreachable) => continue,
            Some(Obstacle::CertificateName) => {
                authority.issue(&[numbered.rogue_name()], Validity::Always)?
            }
            Some(Obstacle::CertificateUntrusted) => {
                Identity::self_signed(&[numbered.policy_host_name()])?
            }
        };
        certificates.insert(numbered.number, identity.server_config()?);
    }
    let said = cases.iter().map(|numbered| (numbered, numbered.case.https.clone()));
    PolicyHosts::start(&network.path, certificates, documents(said))
}

fn documents<'a>(
    said: impl Iterator<Item = (&'a Numbered, Option<HttpsAnswer>)>,
) -> HashMap<CaseNumber, HttpsAnswer> {
    said.filter_map(|(numbered, https)| Some((numbered.number, https?))).collect()
}

/// Where the lab keeps its files: zones, keys, logs of this run. They stay for a look afterwards.
pub(crate) fn empty_folder(name: &str) -> Result<PathBuf, LabError> {
    let folder = target_folder()?.join("e2e").join(name);
    let shown = folder.display().to_string();
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(LabError::io(shown.clone()))?;
    }
    fs::create_dir_all(&folder).map_err(LabError::io(shown))?;
    Ok(folder)
}

pub(crate) fn lock() -> Result<File, LabError> {
    let path = "/run/waxseal-e2e.lock";
    let file = File::create(path).map_err(LabError::io(path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => eprintln!("another lab stands; waiting for its end"),
        Err(TryLockError::Error(error)) => return Err(LabError::io(path)(error)),
    }
    file.lock().map_err(LabError::io(path))?;
    Ok(file)
}

pub(crate) fn write(path: &Path, text: &str) -> Result<(), LabError> {
    fs::write(path, text).map_err(LabError::io(path.display().to_string()))
}
