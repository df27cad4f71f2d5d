//! The seam `Notifier` of one process. Its address is a secret that the real reader of secrets brings, so that what
//! errors say of it ends where errors end: in the journal.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use recant::notify::{Attempt, Notifier, NotifyError};
use recant::secrets::{SecretError, SecretReader, Secrets};
use recant_core::ids::ChannelName;
use recant_core::notice::Notice;
use recant_core::rule::SecretRef;
use secrecy::{ExposeSecret as _, SecretString};

use crate::incarnation::Incarnation;
use crate::scenario::Point;
use crate::world::Sim;

/// Must be nowhere but in the reader (P10).
pub(crate) const SECRET: &str = "hunter2-T0PSECRET";

/// A Kubernetes Secret that holds an address, or what is none.
#[derive(Debug)]
struct Reader {
    garbled: bool,
}

#[async_trait]
impl SecretReader for Reader {
    async fn read(
        &self,
        _namespace: Option<&str>,
        _name: &str,
        _key: &str,
    ) -> Result<SecretString, SecretError> {
        let scheme = if self.garbled {
            "not-an-address:"
        } else {
            "https://"
        };
        Ok(SecretString::from(format!(
            "{scheme}hooks.example/{SECRET}"
        )))
    }
}

#[derive(Debug)]
pub(crate) struct SimNotifier {
    pub(crate) sim: Arc<Sim>,
    pub(crate) process: Arc<Incarnation>,
    pub(crate) channel: ChannelName,
}

/// What goes wrong with one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Unreachable,
    Failing,
    /// It arrives, and there is no answer.
    NoAnswer,
    /// It hangs; whether it arrives.
    Hangs(bool),
    /// The Secret holds no address.
    Garbled,
    Refused,
}

impl SimNotifier {
    fn draw(&self) -> Fault {
        let mut world = self.sim.world();
        if world.now < world.channels_down_until {
            return Fault::Unreachable;
        }
        let odds = world.scenario.odds.message;
        if !world.goes_wrong(odds) {
            return Fault::None;
        }
        match world.random.between(0, 11) {
            0..=2 => Fault::Unreachable,
            3 | 4 => Fault::Failing,
            5..=7 => Fault::NoAnswer,
            8 => Fault::Hangs(true),
            9 => Fault::Hangs(false),
            10 => Fault::Garbled,
            _ => Fault::Refused,
        }
    }

    fn arrives(&self, notice: &Notice, attempt: Attempt) {
        let repeat = attempt == Attempt::MayBeRepeat;
        let line = format!(
            "{} tells {} ({:?}{}): {}",
            self.process,
            self.channel,
            notice.kind,
            if repeat { ", perhaps again" } else { "" },
            notice.headline
        );
        self.sim.note(&line);
        // What was stopped on its way to a receiver goes on when the process does, whoever acts by then.
        let sure = self.process.holds() && !self.process.was_frozen();
        let check = self
            .sim
            .world()
            .oracle
            .told(notice, &self.channel, repeat || !sure, sure);
        self.sim.hold(check);
    }
}

#[async_trait]
impl Notifier for SimNotifier {
    async fn send(&self, notice: &Notice, attempt: Attempt) -> Result<(), NotifyError> {
        self.sim.arrive(&self.process, Point::BeforeMessage);
        self.process.pass().await;
        let fault = self.draw();
        let secrets = Secrets::in_cluster(Arc::new(Reader {
            garbled: fault == Fault::Garbled,
        }));
        let place = SecretRef::KubernetesSecret {
            name: "channels".to_owned(),
            key: self.channel.to_string(),
            namespace: None,
        };
        let address = secrets.resolve(&place).await?;
        if !address.expose_secret().starts_with("https://") {
            let place = recant::secrets::place(&place);
            return Err(NotifyError::Address { place });
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
        self.process.pass().await;
        let host = "hooks.example".to_owned();
        match fault {
            Fault::Garbled | Fault::Unreachable => {
                let reason = "connection refused".to_owned();
                return Err(NotifyError::Unreachable { host, reason });
            }
            Fault::Failing => {
                return Err(NotifyError::Failing {
                    host,
                    status: 503,
                    retry_after: None,
                });
            }
            Fault::Refused => {
                return Err(NotifyError::Refused {
                    host,
                    status: 404,
                    answer: "no such channel".to_owned(),
                });
            }
            Fault::Hangs(false) => return std::future::pending().await,
            Fault::None | Fault::NoAnswer | Fault::Hangs(true) => {}
        }
        self.arrives(notice, attempt);
        self.sim.arrive(&self.process, Point::AfterMessage);
        self.process.pass().await;
        match fault {
            Fault::NoAnswer => Err(NotifyError::NoAnswer {
                host,
                reason: "the connection was cut".to_owned(),
            }),
            Fault::Hangs(_) => std::future::pending().await,
            Fault::None | Fault::Unreachable | Fault::Failing | Fault::Garbled | Fault::Refused => {
                Ok(())
            }
        }
    }
}
