//! `hotprefix health`
//!
//! For container engines, whose health check is a command inside an image that has no other program.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use super::{CliError, HealthArgs, Output};

/// Reasons for not being ready are a few lines; more than this is somebody else's answer.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Asks the process that runs with the same configuration, or at `--address`, whether it is ready, or alive.
///
/// Every failure is exit code 1, also a configuration that is not valid: engines keep 2 for themselves.
pub fn health(args: &HealthArgs) -> Result<(), CliError> {
    let address = match &args.address {
        Some(address) => address.clone(),
        None => reachable(configured(args)?).to_string(),
    };
    let path = if args.live { "/livez" } else { "/readyz" };
    let failed = |what: String| CliError::Failed(format!("http://{address}{path}: {what}"));
    let answer = ask(&address, path, Duration::from_secs(args.timeout))
        .map_err(|e| failed(e.to_string()))?;
    match parse(&answer) {
        Some((200, body)) => Output::stdout().text(body),
        Some((503, body)) => {
            let reasons: Vec<_> = body.lines().collect();
            Err(failed(format!("not ready: {}", reasons.join("; "))))
        }
        Some((status, _)) => Err(failed(format!(
            "status {status}; hotprefix would say 200 or 503"
        ))),
        None => Err(failed("the answer is not HTTP/1".to_owned())),
    }
}

fn configured(args: &HealthArgs) -> Result<SocketAddr, CliError> {
    let loaded = args.config.load_without_rules();
    let loaded = loaded.map_err(|e| CliError::Failed(e.to_string()))?;
    let refused = |what: &str| {
        let valid = "an address, or --address, would be valid";
        CliError::Failed(format!("http.listen is {what}; {valid}"))
    };
    match loaded.config.http.listen {
        None => Err(refused("off: nobody answers")),
        Some(address) if address.port() == 0 => Err(refused("any free port: nobody knows which")),
        Some(address) => Ok(address),
    }
}

/// Where a server that listens on `listen` is reached from its own host.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn ask(address: &str, path: &str, timeout: Duration) -> io::Result<String> {
    let deadline = Instant::now() + timeout;
    exchange(address, path, deadline).map_err(|e| match e.kind() {
        // What the system calls a read that took too long differs.
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            let what = format!("no answer within {} s", timeout.as_secs());
            io::Error::new(io::ErrorKind::TimedOut, what)
        }
        _ => e,
    })
}

fn exchange(address: &str, path: &str, deadline: Instant) -> io::Result<String> {
    let mut stream = connect(address, deadline)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while answer.len() < LONGEST_ANSWER {
        // A read may bring a byte, and the next one another.
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut chunk)? {
            0 => break,
            n => answer.extend_from_slice(&chunk[..n]),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// To the first of a name's addresses that takes the connection.
fn connect(address: &str, deadline: Instant) -> io::Result<TcpStream> {
    let mut refused = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for one in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&one, left(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Never zero, which the system would take for no limit.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// Status and body.
fn parse(answer: &str) -> Option<(u16, &str)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut words = head.split_ascii_whitespace();
    words.next().filter(|w| w.starts_with("HTTP/1."))?;
    Some((words.next()?.parse().ok()?, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcard_is_asked_on_loopback_and_another_address_as_it_is() {
        for (listen, asked) in [
            ("0.0.0.0:9464", "127.0.0.1:9464"),
            ("[::]:9464", "[::1]:9464"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }

    #[test]
    fn answer_is_http_or_nothing() {
        let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 9\r\n\r\nstarting\n";
        assert_eq!(parse(answer), Some((503, "starting\n")));
        for answer in [
            "",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 ok\r\n\r\n",
            "HTTP/1.1 200",
        ] {
            assert_eq!(parse(answer), None, "{answer}");
        }
    }
}
