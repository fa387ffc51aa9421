//! placeholder
use e2e::error::LabError;
use e2e::gate::smtp::Envelope;
use e2e::gate::{GateLab, world};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the lab could not be run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<usize, LabError> {
    let start = Instant::now();
    let key = world::key()?;
    let mut lab =
        GateLab::build(world::records(&key), world::LOCAL_VERDICTS, Instant::now() + LIMIT)?;
    lab.start_waxseal()?;
    println!("the lab stands after {:.1} s", start.elapsed().as_secs_f32());
    let envelope =
        Envelope { helo: "mail.strict.test", mail_from: "author@strict.test", to: "a@ours.test" };
    let letter = world::signed(&key, world::STRICT, &world::letter(world::STRICT, "a"));
    let reply = lab.hand_over(world::STRICT.server, &envelope, &letter)?;
    println!("{reply:?}");
    if let Some(id) = reply.queue_id() {
        println!("{:?}", lab.place(id)?);
        for letter in lab.mailbox("a@ours.test")? {
            println!("{}\n\n{}", letter.fields.join("\n"), String::from_utf8_lossy(&letter.body));
        }
    }
    println!("{}", lab.log().last(40).join("\n"));
    println!("{}", lab.postfix.log().last(40).join("\n"));
    Ok(0)
}
