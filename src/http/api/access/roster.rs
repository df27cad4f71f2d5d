//! The callers of `api.callers`, with the tokens that some of them send: read anew every few seconds, so that callers may
//! come and go, and tokens be rotated, without a restart.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use recant_core::access::{CertificateNames, Grants, KnownBy, KubernetesUser, Scopes};
use recant_core::wording::short;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::{Caller, same};
use crate::secrets::Secrets;

/// Characters of an identity that others told.
const LONGEST_IDENTITY: usize = 256;
/// Between two readings.
const EVERY: Duration = Duration::from_secs(2);

/// Reads who may do what; why not, as a sentence without secrets.
pub type Load = Arc<dyn Fn() -> Result<Grants, String> + Send + Sync>;

/// Everybody who is known beside the two tokens of the settings.
#[derive(Debug)]
pub struct Roster {
    current: ArcSwap<Listed>,
}

#[derive(Default)]
struct Listed {
    grants: Grants,
    tokens: Vec<Sent>,
}

impl std::fmt::Debug for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listed")
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}

/// A token that a caller sends.
struct Sent {
    caller: Caller,
    secret: SecretString,
}

impl Roster {
    /// Reads it, and follows its changes until `stop`. What cannot be read changes nothing, and is said once; a caller
    /// whose token alone cannot be read keeps the last one.
    ///
    /// # Errors
    /// When it, or one of the tokens, cannot be read at the start.
    pub async fn follow(
        load: Load,
        secrets: Secrets,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, String> {
        let grants = read(&load).await?;
        let (listed, faults) = Listed::new(grants, &secrets, &Listed::default()).await;
        if !faults.is_empty() {
            return Err(faults.join("; "));
        }
        let roster = Arc::new(Self {
            current: ArcSwap::from_pointee(listed),
        });
        let followed = roster.clone();
        tokio::spawn(async move {
            let mut said = String::new();
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(EVERY) => {}
                }
                let said_now = followed.read_again(&load, &secrets).await;
                if said_now != said && !said_now.is_empty() {
                    tracing::error!("callers of the API port stay as they were: {said_now}");
                }
                said = said_now;
            }
        });
        Ok(roster)
    }

    /// What went wrong; empty: nothing did.
    async fn read_again(&self, load: &Load, secrets: &Secrets) -> String {
        let grants = match read(load).await {
            Ok(grants) => grants,
            Err(fault) => return fault,
        };
        let last = self.current.load_full();
        let changed = grants != last.grants;
        let (listed, faults) = Listed::new(grants, secrets, &last).await;
        if changed {
            let callers = listed.grants.0.len();
            tracing::info!("the callers of the API port were read again: there are {callers}");
        }
        self.current.store(Arc::new(listed));
        faults.join("; ")
    }

    /// Whose token this is. All are compared, whichever is right.
    pub(super) fn of_token(&self, given: &[u8]) -> Option<Caller> {
        let listed = self.current.load();
        listed.tokens.iter().fold(None, |found, sent| {
            let right = same(given, sent.secret.expose_secret().as_bytes());
            match found {
                None if right => Some(sent.caller.clone()),
                found => found,
            }
        })
    }

    pub(super) fn of_user(&self, user: &KubernetesUser) -> Option<Caller> {
        let found = self.current.load().grants.of_user(user)?;
        Some(Caller {
            identity: Some(short(&user.name, LONGEST_IDENTITY).into()),
            ..caller(found)
        })
    }

    pub(super) fn of_certificate(&self, names: &CertificateNames) -> Option<Caller> {
        let found = self.current.load().grants.of_certificate(names)?;
        Some(Caller {
            identity: Some(short(&names.to_string(), LONGEST_IDENTITY).into()),
            ..caller(found)
        })
    }
}

fn caller((name, scopes): (String, Scopes)) -> Caller {
    Caller {
        name: name.into(),
        scopes,
        identity: None,
    }
}

/// On a thread of its own: a file system may hang.
async fn read(load: &Load) -> Result<Grants, String> {
    let load = load.clone();
    let reading = tokio::task::spawn_blocking(move || load());
    match tokio::time::timeout(Duration::from_secs(5), reading).await {
        Ok(Ok(read)) => read,
        Ok(Err(_)) => Err("reading the callers failed, which is a fault of Recant".to_owned()),
        Err(_) => Err("the file of callers could not be read in time".to_owned()),
    }
}

impl Listed {
    /// With what went wrong.
    async fn new(grants: Grants, secrets: &Secrets, last: &Self) -> (Self, Vec<String>) {
        let mut tokens = Vec::new();
        let mut faults = Vec::new();
        for grant in &grants.0 {
            let KnownBy::Token(reference) = &grant.known_by else {
                continue;
            };
            let name = grant.name.as_str();
            let secret = match secrets.resolve(reference).await {
                Ok(secret) => Some(secret),
                Err(error) => {
                    faults.push(format!("the token of `{name}`: {error}"));
                    last.token_of(name, reference)
                }
            };
            if let Some(secret) = secret {
                let caller = caller((name.to_owned(), grant.scopes.clone()));
                tokens.push(Sent { caller, secret });
            }
        }
        (Self { grants, tokens }, faults)
    }

    /// Only where it came from the same place.
    fn token_of(
        &self,
        name: &str,
        reference: &recant_core::rule::SecretRef,
    ) -> Option<SecretString> {
        let same = |known: &KnownBy| matches!(known, KnownBy::Token(known) if known == reference);
        let mut grants = self.grants.0.iter();
        grants.find(|grant| grant.name == name && same(&grant.known_by))?;
        let mut tokens = self.tokens.iter();
        let sent = tokens.find(|sent| &*sent.caller.name == name)?;
        Some(sent.secret.clone())
    }
}
