//! Addresses on loopback that nobody else on the machine uses, other runs of these tests included.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context as _, Result};

/// A free port below the range from which the kernel takes the ports of outgoing connections: a port found by binding
/// port 0 is from that range, and may be taken by a connection before the child binds it.
pub(crate) fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 18_000;
    const COUNT: u16 = 12_000;
    let offset = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or(0);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (offset.wrapping_add(step) % COUNT);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no free port between {FIRST} and {}", FIRST + COUNT)
}

/// A /16 of loopback addresses for pods, held until this is dropped.
#[derive(Debug)]
pub(crate) struct PodNetwork {
    cidr: String,
    _claim: TcpListener,
}

impl PodNetwork {
    /// Takes the first /16 that no other run holds. The claim is a listening socket on its last address.
    pub(crate) fn claim() -> Result<Self> {
        (1..=250_u8)
            .find_map(|second| {
                let claim = TcpListener::bind((format!("127.{second}.255.254"), 7999)).ok()?;
                Some(Self {
                    cidr: format!("127.{second}.0.0/16"),
                    _claim: claim,
                })
            })
            .context("every 127.N.0.0/16 is taken by another run of these tests")
    }

    pub(crate) fn cidr(&self) -> &str {
        &self.cidr
    }
}
