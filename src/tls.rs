//! The one TLS implementation of the process.

/// Installs ring as rustls' provider; called before the first HTTP client is made, any number of times.
///
/// Without it a client panics when it is built: its TLS comes without a provider, so that no second one is linked.
pub fn install() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been quicker: then there is one, and it is the same.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}
