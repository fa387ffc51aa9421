//! The lines of Postfix's mail log that say what became of a letter.

/// What became of one letter to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The letter's name in the queue.
    pub queue_id: String,
    /// The recipient's address.
    pub to: String,
    /// `sent`, `deferred`, `bounced`, `expired`.
    pub status: String,
    /// The reason, without its parentheses.
    pub reason: String,
}

impl Delivery {
    /// Reads a line as `postfix/smtp` and `postfix/discard` write it; `None` for all others.
    ///
    /// `… postfix/smtp[7]: 4F2: to=<a@b>, relay=…, dsn=2.0.0, status=sent (250 2.0.0 Ok)`
    pub fn parse(line: &str) -> Option<Self> {
        let (_, line) = line.split_once("]: ")?;
        let (queue_id, line) = line.split_once(": to=<")?;
        let (to, line) = line.split_once(">, ")?;
        let (_, line) = line.split_once(" status=")?;
        let (status, reason) = line.split_once(" (").unwrap_or((line, ""));
        let reason = reason.strip_suffix(')').unwrap_or(reason);
        Some(Self {
            queue_id: queue_id.to_owned(),
            to: to.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
        })
    }

    /// The domain of the recipient.
    pub fn domain(&self) -> &str {
        self.to.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

#[cfg(test)]
mod tests {
    use super::Delivery;

    #[test]
    fn reads_what_became_of_a_letter() {
        let line = "Nov 21 19:38:18 sender postfix/smtp[7]: 4F2: to=<letter@none-healthy.test>, \
                    relay=mx.none-healthy.test[10.25.0.1]:25, delay=0.1, delays=0/0/0.1/0, \
                    dsn=2.0.0, status=sent (250 2.0.0 Ok)";
        let delivery = Delivery::parse(line).unwrap();
        assert_eq!(delivery.queue_id, "4F2");
        assert_eq!(delivery.domain(), "none-healthy.test");
        assert_eq!(delivery.status, "sent");
        assert_eq!(delivery.reason, "250 2.0.0 Ok");
    }

    #[test]
    fn passes_over_other_lines() {
        assert_eq!(Delivery::parse("Nov 21 19:38:18 sender postfix/master[1]: started"), None);
        let queued = "Nov 21 19:38:18 s postfix/qmgr[9]: 4F2: from=<a@b>, size=3, nrcpt=1";
        assert_eq!(Delivery::parse(queued), None);
    }
}
