//! An address whose target changes while connections stay open.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// An address that leads to one server and then to another, while connections to the first stay open: a name in DNS, a
/// Kubernetes service, a proxy.
pub struct Switch {
    /// Where clients connect.
    pub address: SocketAddr,
    leads_to: Arc<Mutex<SocketAddr>>,
}

impl Switch {
    /// Leads to this port of this machine.
    pub fn to(port: u16) -> Switch {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let leads_to = Arc::new(Mutex::new(SocketAddr::from(([127, 0, 0, 1], port))));
        let target = Arc::clone(&leads_to);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(*target.lock().expect("a target"));
                let Ok(server) = server else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().expect("a stream"), to.try_clone().expect("a stream"));
                    std::thread::spawn(move || carry(from, to));
                }
            }
        });
        Switch { address, leads_to }
    }

    /// Leads new connections to this port.
    pub fn turn_to(&self, port: u16) {
        self.leads_to.lock().expect("a target").set_port(port);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
}
