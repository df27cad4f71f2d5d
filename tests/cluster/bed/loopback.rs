//! Addresses and ports on loopback that nobody else on the machine uses, other runs of these tests included.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context as _, Result};

/// The first port that is given away. All are below the range from which the kernel takes the ports of outgoing
/// connections: one found by binding port 0 may be taken by a connection before the child binds it.
const FIRST_PORT: u16 = 18_000;

/// How many ports a run has: two runs that start together must not find the same one free.
const PORTS: u16 = 48;

/// This run's share of loopback, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Loopback {
    /// The N of 127.N.0.0/16, from 1.
    number: u8,
    next: AtomicU16,
    _claim: TcpListener,
}

impl Loopback {
    /// Takes the first share that no other run holds. The claim is a listening socket on the share's last address.
    pub(crate) fn claim() -> Result<Self> {
        (1..=250)
            .find_map(|number| {
                let claim = TcpListener::bind((format!("127.{number}.255.254"), 7999)).ok()?;
                Some(Self {
                    number,
                    next: AtomicU16::new(0),
                    _claim: claim,
                })
            })
            .context("every 127.N.0.0/16 is taken by another run of these tests")
    }

    /// The addresses for pods.
    pub(crate) fn pods(&self) -> String {
        format!("127.{}.0.0/16", self.number)
    }

    /// A port of 127.0.0.1 on which nobody listens.
    pub(crate) fn free_port(&self) -> Result<u16> {
        let first = FIRST_PORT + u16::from(self.number - 1) * PORTS;
        (0..PORTS)
            .map(|_| first + self.next.fetch_add(1, Ordering::Relaxed) % PORTS)
            .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
            .with_context(|| format!("no free port between {first} and {}", first + PORTS - 1))
    }
}
