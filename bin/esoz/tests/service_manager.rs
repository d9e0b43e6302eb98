//! What a service manager hears from the program: a socket of the test is in the place of systemd's.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use esoz_testkit::wait::wait_for_blocking;
use rustix::process::{Pid, Signal, kill_process};

const DEADLINE: Duration = Duration::from_secs(30);

/// A server, and what it reports.
struct Service {
    server: Child,
    socket: UnixDatagram,
}

impl Service {
    fn start(folder: &Path) -> Self {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let server = Command::new(env!("CARGO_BIN_EXE_esoz"))
            .arg("serve")
            .env_clear()
            .env("ESOZ_HTTP__BIND", "127.0.0.1:0")
            .env("ESOZ_HTTP__WORKERS", "2")
            .env("ESOZ_HTTP__MAX_CONNECTIONS", "100")
            .env("ESOZ_SQLITE__PATH", folder.join("esoz.sqlite"))
            .env("ESOZ_PATIENT__KEY", "a secret that only tests know")
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "600000")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { server, socket }
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.server.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// The next message.
    fn message(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer.get(..length).unwrap().to_vec()).unwrap()
    }

    /// The next message that is not one to the watchdog.
    fn state(&self) -> String {
        loop {
            let message = self.message();
            if message != "WATCHDOG=1\n" {
                return message;
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_start_the_watchdog_a_reload_and_a_stop_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(folder.path());

    // ready: it listens and answers
    let ready = service.state();
    let address = ready.strip_prefix("READY=1\nSTATUS=listening on http://").unwrap().trim_end();
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    // the watchdog is fed, again and again
    for _ in 0..3 {
        assert_eq!(service.message(), "WATCHDOG=1\n");
    }

    // reload
    service.signal(Signal::HUP);
    let reloading = service.state();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(service.state(), ready);

    // stop
    service.signal(Signal::TERM);
    let stopping = service.state();
    assert!(stopping.starts_with("STOPPING=1\nSTATUS="), "{stopping}");
    let status = wait_for_blocking("the end of the server", DEADLINE, || service.server.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}
