//! Handing a letter to the mail server: one SMTP session for one letter.
//!
//! The mail server is the operator's own and knows how to deliver; here it only has to take the
//! letter. Which step it refuses says whom that concerns: a recipient that it refuses for good is
//! not asked again for a while, a return path that it refuses is a fault of ours, to be mended.

use std::net::SocketAddr;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use smtp_types::{DomainName, EmailAddress};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::return_path::printable;

/// How long a session may take by default. RFC 5321 §4.5.3.2.6 grants ten minutes for the last reply alone, to
/// servers that deliver meanwhile; one on this machine only puts the letter into its queue.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// How long the mail server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// How long it may take to say goodbye; nothing depends on it.
const GOODBYE: Duration = Duration::from_secs(1);

/// A letter to be handed over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Submission<'s> {
    /// To which server.
    pub(super) server: SocketAddr,
    /// Who says hello.
    pub(super) hello: &'s DomainName,
    /// The return path.
    pub(super) return_path: &'s EmailAddress,
    /// To whom.
    pub(super) recipient: &'s EmailAddress,
    /// All octets, with CRLF line ends.
    pub(super) message: &'s [u8],
    /// How long all of it may take.
    pub(super) patience: Duration,
}

/// Why a letter was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// Nothing now: the mail server is not there, or does not want us.
    Server(String),
    /// Not this letter now.
    Later(String),
    /// Not this letter before that much time has passed.
    After {
        /// Why.
        error: String,
        /// The time.
        pause: Duration,
    },
    /// Not this letter, in a way that may be a mistake, to be mended soon.
    Doubtful(String),
    /// Never this letter.
    Letter(String),
    /// Never anything to this recipient.
    Recipient(String),
}

/// Hands the letter over.
pub(super) async fn submit(submission: Submission<'_>) -> Result<(), NotTaken> {
    match timeout(submission.patience, dialogue(submission)).await {
        Ok(Ok(mut connection)) => {
            let _ = timeout(GOODBYE, connection.quit()).await;
            Ok(())
        }
        Ok(Err(not_taken)) => Err(not_taken),
        Err(_) => {
            let seconds = submission.patience.as_secs();
            Err(NotTaken::Server(format!("the mail server took more than {seconds} s")))
        }
    }
}

/// Up to the word of the mail server that it has taken the letter.
async fn dialogue(submission: Submission<'_>) -> Result<AsyncSmtpConnection, NotTaken> {
    let Submission { server, hello, return_path, recipient, message, .. } = submission;
    let no_server = |step: &str, error: &dyn std::fmt::Display| {
        NotTaken::Server(format!("{step}: {}", printable(&error.to_string())))
    };
    let connected = timeout(CONNECT, TcpStream::connect(server)).await;
    let stream = match connected {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(no_server(&format!("{server}"), &error)),
        Err(_) => return Err(no_server(&format!("{server}"), &"no answer")),
    };
    let hello = ClientId::Domain(hello.as_str().to_owned());
    let connected = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await;
    let mut connection = connected.map_err(|error| no_server("hello", &said(&error)))?;
    let parameters = parameters(&connection, return_path, recipient)?;
    let address = |address: &EmailAddress| {
        let local_part = address.local_part();
        Address::new(local_part, address.domain().as_str())
            .map_err(|error| NotTaken::Recipient(printable(&format!("{address}: {error}"))))
    };
    let (from, to) = (address(return_path)?, address(recipient)?);
    let sent = connection.command(Mail::new(Some(from), parameters)).await;
    sent.map_err(|error| no_server("MAIL", &said(&error)))?;
    let sent = connection.command(Rcpt::new(to, Vec::new())).await;
    sent.map_err(|error| refused("RCPT", &error, NotTaken::Recipient))?;
    let sent = connection.command(Data).await;
    sent.map_err(|error| refused("DATA", &error, NotTaken::Letter))?;
    // The end of the last line is written with the dot behind it.
    let message = message.strip_suffix(b"\r\n").unwrap_or(message);
    let sent = connection.message(message).await;
    sent.map_err(|error| refused("end of data", &error, NotTaken::Letter))?;
    Ok(connection)
}

/// SMTPUTF8 (RFC 6531 §3.4) if an address needs it. Letters are ASCII otherwise.
fn parameters(
    connection: &AsyncSmtpConnection,
    return_path: &EmailAddress,
    recipient: &EmailAddress,
) -> Result<Vec<MailParameter>, NotTaken> {
    let is_ascii = |address: &EmailAddress| address.local_part().is_ascii();
    if is_ascii(return_path) && is_ascii(recipient) {
        return Ok(Vec::new());
    }
    if connection.server_info().supports_feature(Extension::SmtpUtfEight) {
        return Ok(vec![MailParameter::SmtpUtfEight]);
    }
    Err(NotTaken::Letter("an address needs SMTPUTF8, which the mail server does not offer".into()))
}

fn refused(step: &str, error: &Error, for_good: fn(String) -> NotTaken) -> NotTaken {
    let text = format!("{step}: {}", printable(&said(error)));
    if error.is_permanent() { for_good(text) } else { NotTaken::Later(text) }
}

/// The reply, or what else went wrong.
fn said(error: &Error) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    match (error.status(), source) {
        (Some(code), Some(text)) => format!("{code} {text}"),
        (Some(code), None) => code.to_string(),
        (None, Some(text)) => text,
        (None, None) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that says these lines, each after it was told something, and then nothing. Returns
    /// what came of a letter to `recipient`, and what the server heard.
    async fn said(recipient: &str, replies: &[&str]) -> (Result<(), NotTaken>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        let hearing = async {
            let (stream, _) = listener.accept().await.unwrap();
            let (input, mut output) = stream.into_split();
            let (mut lines, mut heard) = (BufReader::new(input).lines(), String::new());
            for reply in replies {
                output.write_all(format!("{reply}\r\n").as_bytes()).await.unwrap();
                while let Ok(Some(line)) = lines.next_line().await {
                    heard.push_str(&line);
                    heard.push('\n');
                    // Within a message only the dot is answered.
                    if line == "." || !reply.starts_with("354") {
                        break;
                    }
                }
            }
            // Held open, and silent.
            let _ = lines.next_line().await;
            heard
        };
        let address = |text: &str| EmailAddress::parse(text).unwrap();
        let (return_path, recipient) = (address("d+x@us.test"), address(recipient));
        let submission = Submission {
            server,
            hello: return_path.domain(),
            return_path: &return_path,
            recipient: &recipient,
            message: b"Subject: x\r\n\r\n.\r\n",
            patience: Duration::from_secs(1),
        };
        tokio::join!(submit(submission), hearing)
    }

    const GREETING: [&str; 2] = ["220 hi", "250 mx.test"];

    #[tokio::test]
    async fn a_letter() {
        let replies = [&GREETING[..], &["250 ok", "250 ok", "354 go", "250 ok"]].concat();
        let (result, heard) = said("rua@a.test", &replies).await;
        assert_eq!(result, Ok(()));
        let expected = "EHLO us.test\nMAIL FROM:<d+x@us.test>\nRCPT TO:<rua@a.test>\nDATA\n\
                        Subject: x\n\n..\n.\nQUIT\n";
        assert_eq!(heard, expected);
    }

    #[tokio::test]
    async fn replies_and_what_they_mean() {
        let ok = ["250 ok", "250 ok", "354 go"];
        for (replies, expected) in [
            (vec!["554 go away"], "Server(\"hello: 554 go away\")"),
            (vec!["garbage"], "Server(\"hello: "),
            (vec!["220 hi", "250 mx.test", "550 not you"], "Server(\"MAIL: 550 not you\")"),
            ([&GREETING[..], &["250 ok", "450 later"]].concat(), "Later(\"RCPT: 450 later\")"),
            ([&GREETING[..], &["250 ok", "550 who?"]].concat(), "Recipient(\"RCPT: 550 who?\")"),
            ([&GREETING[..], &ok[..2], &["554 no"]].concat(), "Letter(\"DATA: 554 no\")"),
            ([&GREETING[..], &ok, &["552 big"]].concat(), "Letter(\"end of data: 552 big\")"),
            ([&GREETING[..], &ok, &["451 full"]].concat(), "Later(\"end of data: 451 full\")"),
            // It hangs, at any step.
            (vec![], "Server(\"the mail server took more than "),
            (GREETING.to_vec(), "Server(\"the mail server took more than "),
            ([&GREETING[..], &ok].concat(), "Server(\"the mail server took more than "),
        ] {
            let (result, _) = said("rua@a.test", &replies).await;
            let found = format!("{:?}", result.unwrap_err());
            assert!(found.starts_with(expected), "{found} {expected}");
        }
    }

    /// RFC 6531 §3.4: such an address goes only where it is understood.
    #[tokio::test]
    async fn an_address_beyond_ascii() {
        let (result, heard) = said("rüa@a.test", &GREETING).await;
        let Err(NotTaken::Letter(error)) = result else { panic!("{result:?}") };
        assert!(error.contains("SMTPUTF8"), "{error}");
        assert!(!heard.contains("MAIL"), "{heard}");
        let replies = ["220 hi", "250-mx.test\r\n250 SMTPUTF8", "250 ok", "550 no"];
        let (_, heard) = said("rüa@a.test", &replies).await;
        assert!(heard.contains("MAIL FROM:<d+x@us.test> SMTPUTF8\n"), "{heard}");
    }
}
