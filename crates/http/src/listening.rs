use std::io;
use std::net::TcpListener;

use socket2::SockRef;

/// The most that the kernel keeps of answers that a client does not take, for each connection, in bytes. (Linux keeps twice as much, for its own
/// needs.) Left to itself it lets this grow to megabytes.
const SEND_BUFFER_BYTES: usize = 128 << 10;

/// A listening socket, beside the server that accepts on it. It stays open until both are dropped.
pub struct Listening(TcpListener);

impl Listening {
    /// Shares the socket, and bounds what the kernel keeps for each of its connections.
    ///
    /// # Errors
    /// [`io::Error`] when the socket cannot be used.
    pub(crate) fn share(listener: &TcpListener) -> io::Result<Self> {
        SockRef::from(listener).set_send_buffer_size(SEND_BUFFER_BYTES)?;
        Ok(Self(listener.try_clone()?))
    }

    /// Has the kernel ignore new clients, as if their first packets were lost: they come again, and find the socket closed. Those whom it has answered
    /// are accepted by the server, which closing the socket at once would not do. Does nothing where the system cannot.
    ///
    /// # Errors
    /// [`io::Error`] when the system refuses it.
    pub fn ignore_new_clients(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use socket2::SockFilter;

            /// Of a segment whose flags (byte 13) have SYN (2) keeps nothing, of others everything.
            const DROP_SYN: [SockFilter; 4] = [
                SockFilter::new(0x30, 0, 0, 13),
                SockFilter::new(0x45, 0, 1, 2),
                SockFilter::new(0x06, 0, 0, 0),
                SockFilter::new(0x06, 0, 0, u32::MAX),
            ];
            SockRef::from(&self.0).attach_filter(&DROP_SYN)?;
        }
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    #[test]
    fn new_clients_find_nobody_and_those_who_came_before_are_heard() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let listening = Listening::share(&listener).unwrap();
        // Answered by the kernel, and not accepted yet.
        let mut before = TcpStream::connect(address).unwrap();

        listening.ignore_new_clients().unwrap();
        assert!(TcpStream::connect_timeout(&address, Duration::from_millis(300)).is_err());
        before.write_all(b"still here").unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        let mut heard = [0; 10];
        accepted.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"still here");
    }

    #[test]
    fn what_the_kernel_keeps_for_a_client_is_bounded() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _listening = Listening::share(&listener).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!(SockRef::from(&accepted).send_buffer_size().unwrap() <= 2 * SEND_BUFFER_BYTES);
    }
}
