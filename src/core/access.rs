//! Who may do what at the API port: scopes, and the callers that they are given to.
//!
//! How a caller proves who it is (a token that was compared, a token that Kubernetes reviewed, a certificate that was
//! verified) is found out elsewhere; here is only what that identity may do.

use std::collections::BTreeSet;
use std::fmt;

use crate::rule::SecretRef;

/// What a path of the API port does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Reads verdicts.
    Read,
    /// Reports something that is taken into account.
    Hooks,
    /// Acts on workloads: rolls back, approves, silences.
    Act,
    /// Changes what Recant itself works with, or what it asks of others.
    Administer,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 4] = [Self::Read, Self::Hooks, Self::Act, Self::Administer];

    /// As it is written in settings and documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Hooks => "hooks",
            Self::Act => "act",
            Self::Administer => "administer",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What somebody may do. No scope holds another one: what is not given may not be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Everything.
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether this is among them.
    pub fn hold(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl fmt::Display for Scopes {
    /// `read, hooks`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(|scope| scope.word()).collect();
        match words.as_slice() {
            [] => f.write_str("nothing"),
            words => f.write_str(&words.join(", ")),
        }
    }
}

/// By what a caller is known. All comparisons are of the whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownBy {
    /// It sends this token.
    Token(SecretRef),
    /// Kubernetes says that a token is one of this user, as `system:serviceaccount:monitoring:prometheus`.
    User(String),
    /// Kubernetes says that the user is in this group.
    Group(String),
    /// Its certificate, signed by an authority that is trusted, has this common name.
    CommonName(String),
    /// Its certificate has this DNS name among its alternative names.
    Dns(String),
    /// Its certificate has this URI among its alternative names, as `spiffe://cluster.local/ns/shop/sa/ci`.
    Uri(String),
}

/// Somebody who may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// For logs, metrics and the journal; never a secret.
    pub name: String,
    pub known_by: KnownBy,
    pub scopes: Scopes,
}

/// Who Kubernetes says that a token belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KubernetesUser {
    pub name: String,
    pub groups: Vec<String>,
}

/// The names in a client's certificate, which was verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateNames {
    /// All of its subject.
    pub common_names: Vec<String>,
    pub dns: Vec<String>,
    pub uris: Vec<String>,
}

impl fmt::Display for CertificateNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            common_names,
            dns,
            uris,
        } = self;
        let kinds = [("commonName", common_names), ("dns", dns), ("uri", uris)];
        let named: Vec<String> = kinds
            .into_iter()
            .flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind} `{name}`")))
            .collect();
        match named.as_slice() {
            [] => f.write_str("no name"),
            named => f.write_str(&named.join(", ")),
        }
    }
}

/// Everybody who may do something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(pub Vec<Grant>);

impl Grants {
    /// What this user may do: the name of the first grant that fits, with the scopes of all that do.
    pub fn of_user(&self, user: &KubernetesUser) -> Option<(String, Scopes)> {
        self.fitting(|known_by| match known_by {
            KnownBy::User(name) => *name == user.name,
            KnownBy::Group(group) => user.groups.contains(group),
            KnownBy::Token(_) | KnownBy::CommonName(_) | KnownBy::Dns(_) | KnownBy::Uri(_) => false,
        })
    }

    /// What the holder of this certificate may do, in the same way.
    pub fn of_certificate(&self, names: &CertificateNames) -> Option<(String, Scopes)> {
        self.fitting(|known_by| match known_by {
            // More than one common name is a certificate that means to be somebody else, too.
            KnownBy::CommonName(name) => names.common_names == [name.as_str()],
            KnownBy::Dns(name) => names.dns.contains(name),
            KnownBy::Uri(name) => names.uris.contains(name),
            KnownBy::Token(_) | KnownBy::User(_) | KnownBy::Group(_) => false,
        })
    }

    fn fitting(&self, fits: impl Fn(&KnownBy) -> bool) -> Option<(String, Scopes)> {
        let mut fitting = self.0.iter().filter(|grant| fits(&grant.known_by));
        let first = fitting.next()?;
        let mut scopes = first.scopes.clone();
        for grant in fitting {
            scopes.0.extend(&grant.scopes.0);
        }
        Some((first.name.clone(), scopes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(name: &str, known_by: KnownBy, scopes: &[Scope]) -> Grant {
        Grant {
            name: name.to_owned(),
            known_by,
            scopes: scopes.iter().copied().collect(),
        }
    }

    #[test]
    fn a_user_may_do_what_all_its_grants_say_and_no_more() {
        let account = "system:serviceaccount:shop:ci";
        let grants = Grants(vec![
            grant(
                "token",
                KnownBy::Token(SecretRef::Env(account.into())),
                &Scope::ALL,
            ),
            grant(
                "certificate",
                KnownBy::CommonName(account.into()),
                &Scope::ALL,
            ),
            grant("ci", KnownBy::User(account.into()), &[Scope::Hooks]),
            grant("team", KnownBy::Group("shop".into()), &[Scope::Read]),
            grant("other", KnownBy::Group("others".into()), &[Scope::Act]),
        ]);
        let user = |name: &str, groups: &[&str]| KubernetesUser {
            name: name.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        };
        let (name, scopes) = grants.of_user(&user(account, &["shop"])).expect("known");
        assert_eq!(
            (name.as_str(), scopes.to_string().as_str()),
            ("ci", "read, hooks")
        );
        assert!(!scopes.hold(Scope::Act));
        let (name, scopes) = grants.of_user(&user("anna", &["shop"])).expect("known");
        assert_eq!(
            (name.as_str(), scopes.to_string().as_str()),
            ("team", "read")
        );
        for stranger in [
            user("shop", &[]),
            user("", &[""]),
            user("anna", &["Shop", "sho"]),
        ] {
            assert_eq!(grants.of_user(&stranger), None, "{stranger:?}");
        }
    }

    #[test]
    fn a_certificate_is_known_by_whole_names_of_their_kind() {
        let uri = "spiffe://cluster.local/ns/shop/sa/ci";
        let grants = Grants(vec![
            grant("cn", KnownBy::CommonName("ci".into()), &[Scope::Read]),
            grant("dns", KnownBy::Dns("ci.shop".into()), &[Scope::Hooks]),
            grant("uri", KnownBy::Uri(uri.into()), &[Scope::Act]),
            grant("user", KnownBy::User("ci".into()), &Scope::ALL),
        ]);
        let names = |common: &[&str], dns: &[&str], uris: &[&str]| {
            let owned = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect();
            CertificateNames {
                common_names: owned(common),
                dns: owned(dns),
                uris: owned(uris),
            }
        };
        let known = |names: &CertificateNames| {
            let known = grants.of_certificate(names);
            known.map(|(name, scopes)| format!("{name}: {scopes}"))
        };
        assert_eq!(
            known(&names(&["ci"], &[], &[])).as_deref(),
            Some("cn: read")
        );
        let all = names(&["ci"], &["x", "ci.shop"], &[uri]);
        assert_eq!(known(&all).as_deref(), Some("cn: read, hooks, act"));
        for stranger in [
            names(&["ci", "root"], &[], &[]),
            names(&["ci.shop"], &["ci"], &["ci"]),
            names(
                &[],
                &["evil.ci.shop"],
                &["spiffe://cluster.local/ns/shop/sa/ci2"],
            ),
            names(&[], &[], &[]),
        ] {
            assert_eq!(known(&stranger), None, "{stranger}");
        }
    }
}
