//! half-close: saying that no more comes, and listening on.

use crate::lab::ground::{comes_true, ending, pair, rest};
use crate::lab::{Claim, Experiment, Finding, Seen, Trial};
use crate::socket::{TcpState, half_close, send, state};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "half-close",
    question: "Can a peer that was told that no more comes still answer?",
    claims: &[
        Claim {
            says: "After shutdown(Write) the peer sees the end, and its answer still arrives.",
            expected: "the end, and the answer",
            control: "the socket is closed, too",
            check: is_answered,
        },
        Claim {
            says: "Between the two ends the one that was shut down is in FIN_WAIT2 and its peer in CLOSE_WAIT.",
            expected: "FIN_WAIT2 and CLOSE_WAIT",
            control: "nothing is shut down",
            check: is_half_closed,
        },
        Claim {
            says: "The half that was shut down sends no more: EPIPE.",
            expected: "EPIPE",
            control: "the other end sends",
            check: is_refused,
        },
    ],
    explanation: "A TCP connection is two streams, one each way, and each ends by itself. shutdown(Write) puts a FIN behind the last byte: the \
        peer's receive returns 0 bytes when it has read all before it. The other direction goes on, for as long as the peer likes.\n\n\
        This is how a client says \"that was the whole request\" where nothing in the message tells its length, and how a server says \"that was the \
        whole answer\" before it waits for the client to go. A close instead ends both directions: nobody is left to receive, and bytes that arrive \
        after it are answered with a reset.\n\n\
        So in a program an end that was received says only that no more comes. Answer what is open, and then close.",
    sources: &["shutdown(2)", "tcp(7)", "RFC 9293, 3.6 and 3.6.1 (half-closed connections)", "RFC 1122, 4.2.2.13"],
};

fn is_answered(trial: &mut Trial) -> Finding {
    let (client, server) = pair(|_, _| Ok(()))?;
    send(&client, b"question")?;
    half_close(&client)?;
    let client = trial.turn(Some(client), None);
    let (_, end) = rest(&server);
    trial.state("the server at the client's end", &server);
    send(&server, b"answer")?;
    let (answer, fate) = match &client {
        Some(client) => {
            half_close(&server)?;
            (rest(client).0, "arrived".to_owned())
        }
        None => {
            let mut met = None;
            comes_true(|| {
                met = server.take_error()?;
                Ok(met.is_some())
            })?;
            (Vec::new(), format!("met {}", ending(met.and_then(|error| error.raw_os_error()))))
        }
    };
    let found = format!("the server saw {}, its answer {fate}", ending(end));
    Ok(Seen { found, holds: end.is_none() && answer == b"answer" })
}

fn is_half_closed(trial: &mut Trial) -> Finding {
    let (client, server) = pair(|_, _| Ok(()))?;
    trial.state("the client before", &client);
    if trial.turn(true, false) {
        half_close(&client)?;
        comes_true(|| Ok(state(&client)?.state == TcpState::FinWait2))?;
    }
    trial.state("the client after", &client);
    trial.state("the server after", &server);
    let (ours, theirs) = (state(&client)?.state, state(&server)?.state);
    Ok(Seen {
        found: format!("{ours} and {theirs}"),
        holds: (ours, theirs) == (TcpState::FinWait2, TcpState::CloseWait),
    })
}

fn is_refused(trial: &mut Trial) -> Finding {
    let (client, server) = pair(|_, _| Ok(()))?;
    half_close(&client)?;
    let errno = send(trial.turn(&client, &server), b"more").err().and_then(|error| error.raw_os_error());
    let found = errno.map_or("sent".into(), |errno| ending(Some(errno)));
    Ok(Seen { found, holds: errno == Some(libc::EPIPE) })
}
