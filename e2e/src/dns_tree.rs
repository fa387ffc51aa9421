//! The lab's DNS as a whole: a signed root, a signed `test.`, and a zone for each case.
//!
//! The zones of a case come in two versions if its answers change between the healthy time and the
//! delivery. The first is served by the domain's own name server, the second by the forger, to
//! whom the path leads all questions once the attack has begun. The forger has no key: it gets the
//! zone as the owner signed it, and exchanges or drops what the case calls `bogus`.

use crate::addresses::{FORGER, ROGUE_ZONE, ROOT, TOP_LEVEL};
use crate::attack;
use crate::daemon::Daemon;
use crate::error::LabError;
use crate::name_servers::{Zone, authoritative};
use crate::network::Network;
use crate::signer::Signer;
use crate::zones::{Neighbor, Numbered, ROGUE_DOMAIN, rogue_zone, root_zone, top_level_zone};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// All zones: those of the parents, of the domains, and what the forger makes of some domains.
#[derive(Debug)]
pub struct DnsTree {
    parents: Vec<Zone>,
    honest: Vec<Zone>,
    forged: Vec<Zone>,
    /// The addresses of the servers for the honest zones.
    servers: Vec<Ipv4Addr>,
    /// The file with the root's public key.
    pub trust_anchor: PathBuf,
}

impl DnsTree {
    /// Makes the keys, and signs what shall be signed; keys and zones lie below `folder`.
    pub fn sign(
        folder: &Path,
        cases: &[Numbered],
        neighbors: &[Neighbor],
        receiver_key: &str,
    ) -> Result<Self, LabError> {
        let keys = folder.join("keys");
        fs::create_dir_all(&keys).map_err(LabError::io(keys.display().to_string()))?;
        let mut signer = Signer::new(&keys);
        let (mut ds, mut honest, mut forged) = (Vec::new(), Vec::new(), Vec::new());
        for numbered in cases {
            let domain = &numbered.case.domain;
            if numbered.is_signed() {
                ds.push(signer.make_key(domain)?);
            }
            let zone = |lines| {
                let text = numbered.zone(lines, receiver_key)?;
                if !numbered.is_signed() {
                    return Ok(text);
                }
                Ok(numbered.forge(&signer.sign(domain, &text)?, lines, receiver_key))
            };
            honest.push(Zone { name: domain.clone(), text: zone(numbered.dns_before())? });
            if attack::changes_dns(numbered) {
                forged.push(Zone { name: domain.clone(), text: zone(&numbered.case.dns)? });
            }
        }
        for neighbor in neighbors {
            let (name, mut text) = (neighbor.name.clone(), neighbor.zone());
            if neighbor.is_signed {
                ds.push(signer.make_key(&name)?);
                text = signer.sign(&name, &text)?;
            }
            honest.push(Zone { name, text });
        }
        honest.push(Zone { name: ROGUE_DOMAIN.to_owned(), text: rogue_zone(cases) });
        let (test_ds, _) = (signer.make_key("test")?, signer.make_key("")?);
        let top_level = signer.sign("test", &top_level_zone(cases, neighbors, &ds))?;
        let root = signer.sign("", &root_zone(&test_ds))?;
        let parents = vec![
            Zone { name: String::new(), text: root },
            Zone { name: "test".to_owned(), text: top_level },
        ];
        let own = cases.iter().map(|numbered| numbered.number.name_server());
        let others = neighbors.iter().map(|neighbor| neighbor.name_server);
        let servers = own.chain(others).chain([ROGUE_ZONE]).collect();
        Ok(Self { parents, honest, forged, servers, trust_anchor: signer.trust_anchor("") })
    }

    /// Starts the name servers, and waits until they answer.
    ///
    /// The parents have servers of their own, so that every question about a domain is asked at
    /// the address of that domain's server, which is where the forger waits.
    pub fn start(
        &self,
        network: &Network,
        folder: &Path,
        deadline: Instant,
    ) -> Result<Vec<Daemon>, LabError> {
        let start = |namespace, name: &str, listen: &[_], zones: &[Zone]| {
            authoritative(namespace, &folder.join(name), listen, zones, deadline)
        };
        Ok(vec![
            start(&network.world, "dns-parents", &[ROOT, TOP_LEVEL], &self.parents)?,
            start(&network.world, "dns-domains", &self.servers, &self.honest)?,
            start(&network.path, "dns-forger", &[FORGER], &self.forged)?,
        ])
    }
}
