//! The real socketmap server, with a memory that holds every domain, as the sender role has it: a
//! bounded cache, and with each reply the time until which it is fresh.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::waxseal::answer::{Answers, Replies, SocketmapCounters, SocketmapSettings, socketmap};
use ::waxseal::listen::{ListenAddress, bind};
use quick_cache::sync::Cache;
use smtp_types::NextHop;
use tokio::sync::watch;

use crate::table::{Mix, domain, replies};

struct Memory(Cache<Box<str>, Kept>);

#[derive(Clone)]
struct Kept {
    replies: Replies,
    fresh_until: Instant,
}

impl Answers for Memory {
    fn fresh(&self, key: &str) -> Option<Replies> {
        let kept = self.0.get(key)?;
        (Instant::now() < kept.fresh_until).then_some(kept.replies)
    }

    async fn look_up(&self, _: NextHop) -> Replies {
        Replies::no_policy()
    }
}

/// Serves until the process ends.
pub(crate) async fn serve(domains: usize, mix: Mix) -> Result<(), Box<dyn Error>> {
    // As many as there are, and room for the unevenness of the shards.
    let memory = Memory(Cache::new(domains + domains / 4));
    let fresh_until = Instant::now() + Duration::from_secs(3600);
    for index in 0..domains {
        let kept = Kept { replies: replies(index, mix)?, fresh_until };
        memory.0.insert(domain(index).into_boxed_str(), kept);
    }
    let missing = (0..domains).filter(|index| memory.fresh(&domain(*index)).is_none()).count();
    if missing > 0 {
        return Err(format!("{missing} of {domains} domains did not stay in memory").into());
    }
    let address = ListenAddress::Tcp("127.0.0.1:0".parse()?);
    let listener = bind(&address, 0o666).map_err(|fault| format!("{fault:?}"))?;
    let ListenAddress::Tcp(address) = listener.local_address()? else {
        return Err("expected a TCP socket".into());
    };
    println!("{address}");
    let (_stop, stopped) = watch::channel(false);
    let counters = Arc::new(SocketmapCounters::default());
    let settings = SocketmapSettings::default();
    socketmap::serve(vec![listener], Arc::new(memory), settings, counters, stopped).await;
    Ok(())
}
