//! The thread that receives datagrams, and does nothing else.
//!
//! Whoever sends them (libtlsrpt in Postfix) never waits: a datagram that finds the kernel's queue
//! full is lost. That queue is short, so this thread takes each datagram out at once, copies it to
//! the [`Ring`], and never parses, counts, logs or waits for a lock that anybody holds for long.
//! Nothing that comes can end it: garbage is somebody else's task, and an error of the system makes
//! it try again.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tlsrpt::MAX_DATAGRAM;

use super::counters::{CollectCount, CollectCounters};
use super::ring::{Push, Ring};
use crate::listen::DatagramSocket;

/// How long to wait when the system does not hand over a datagram.
const AFTER_FAILURE: Duration = Duration::from_millis(20);

/// Where the length of the kernel's queues is read.
const QUEUE_LENGTH: &str = "/proc/sys/net/unix/max_dgram_qlen";

/// Below this, an ordinary burst of mail loses datagrams.
const SHORT_QUEUE: u64 = 128;

/// The thread, running.
pub(super) struct Receiving {
    thread: JoinHandle<()>,
    /// Closed to tell the thread that it should end.
    wake: UnixStream,
}

impl Receiving {
    /// Starts to receive.
    ///
    /// # Errors
    /// If the system does not give a thread.
    pub(super) fn start(
        socket: DatagramSocket,
        ring: Arc<Ring>,
        counters: Arc<CollectCounters>,
    ) -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        let thread = thread::Builder::new()
            .name("tlsrpt".to_owned())
            .spawn(move || receive(&socket, &woken, &ring, &counters))?;
        Ok(Self { thread, wake })
    }

    /// Receives what is there already, and ends.
    pub(super) fn finish(self) {
        drop(self.wake);
        let _ = self.thread.join();
    }
}

fn receive(socket: &DatagramSocket, woken: &UnixStream, ring: &Ring, counters: &CollectCounters) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    let mut is_ending = false;
    loop {
        // TRUNC makes the length the real one, also of what did not fit.
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        match recv(socket.socket(), buffer.as_mut_slice(), flags) {
            Ok((_, length)) => {
                counters.add(CollectCount::Datagrams, 1);
                match buffer.get(..length).map(|datagram| ring.push(datagram)) {
                    Some(Push::Taken) => {}
                    Some(Push::Full) => counters.add(CollectCount::RingFull, 1),
                    None => counters.add(CollectCount::TooLarge, 1),
                }
            }
            Err(Errno::AGAIN) if is_ending => return,
            Err(Errno::AGAIN) => is_ending = wait(socket, woken),
            Err(Errno::INTR) => {}
            Err(_) if is_ending => return,
            Err(_) => {
                counters.add(CollectCount::ReceiveFailures, 1);
                thread::sleep(AFTER_FAILURE);
            }
        }
    }
}

/// Waits for a datagram or the end. Returns whether it is the end.
fn wait(socket: &DatagramSocket, woken: &UnixStream) -> bool {
    let mut waiting =
        [PollFd::new(socket.socket(), PollFlags::IN), PollFd::new(woken, PollFlags::IN)];
    if poll(&mut waiting, None).is_err() {
        // Interrupted, or out of memory for a moment.
        thread::sleep(AFTER_FAILURE);
        return false;
    }
    let [_, woken] = waiting;
    !woken.revents().is_empty()
}

/// What to tell the operator if the kernel's queues are short.
pub(super) fn queue_warning() -> Option<String> {
    let text = std::fs::read_to_string(QUEUE_LENGTH).ok()?;
    short_queue(text.trim().parse().ok()?)
}

fn short_queue(length: u64) -> Option<String> {
    (length < SHORT_QUEUE).then(|| {
        format!(
            "collect.socket: the kernel keeps {length} datagrams, so bursts of TLS sessions get \
             lost on their way; run: sysctl -w net.unix.max_dgram_qlen=512, put \
             net.unix.max_dgram_qlen = 512 into a file in /etc/sysctl.d, and restart waxseal, for \
             a socket keeps the length that it was made with"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::ring::Batch;
    use crate::listen::{ListenAddress, bind_datagrams};
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn short_queues_are_told() {
        assert!(short_queue(10).unwrap().contains("sysctl -w net.unix.max_dgram_qlen=512"));
        assert!(short_queue(127).is_some());
        assert_eq!(short_queue(128), None);
    }

    #[test]
    fn what_was_sent_before_the_end_is_received() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("s");
        let socket = bind_datagrams(&ListenAddress::Unix(path.clone()), 0o600).unwrap();
        let (ring, counters) = (Arc::new(Ring::default()), Arc::new(CollectCounters::default()));
        let receiving = Receiving::start(socket, Arc::clone(&ring), Arc::clone(&counters)).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        for number in 0..500_u32 {
            sender.send_to(&number.to_be_bytes(), &path).unwrap();
        }
        sender.send_to(&[], &path).unwrap();
        receiving.finish();
        ring.close();
        let (mut numbers, mut batch) = (Vec::new(), Batch::default());
        while let Some(taken) = ring.take(batch) {
            let read = |datagram: &[u8]| datagram.try_into().map_or(u32::MAX, u32::from_be_bytes);
            numbers.extend(taken.iter().map(read));
            batch = taken;
        }
        assert_eq!(numbers, (0..500).chain([u32::MAX]).collect::<Vec<_>>());
        assert_eq!(counters.get(CollectCount::Datagrams), 501);
        assert!(!path.exists());
    }

    #[test]
    fn a_datagram_that_does_not_fit_is_counted_and_nothing_else() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("s");
        let socket = bind_datagrams(&ListenAddress::Unix(path.clone()), 0o600).unwrap();
        let (ring, counters) = (Arc::new(Ring::default()), Arc::new(CollectCounters::default()));
        let receiving = Receiving::start(socket, Arc::clone(&ring), Arc::clone(&counters)).unwrap();
        let sender = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::DGRAM, None);
        let sender = sender.unwrap();
        sender.set_send_buffer_size(1024 * 1024).unwrap();
        let to = socket2::SockAddr::unix(&path).unwrap();
        let sent = sender.send_to(&vec![b' '; MAX_DATAGRAM + 1], &to);
        sender.send_to(b"x", &to).unwrap();
        receiving.finish();
        // Where the system sends so much at all.
        assert_eq!(counters.get(CollectCount::TooLarge), u64::from(sent.is_ok()));
        ring.close();
        assert_eq!(ring.take(Batch::default()).unwrap().iter().count(), 1);
    }
}
