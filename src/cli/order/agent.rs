//! The way to the agent: its address, who asks, and one bounded request.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::{Certificate, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

/// The agent answers within 12 s.
const DEADLINE: Duration = Duration::from_secs(20);
const MOST_BYTES: usize = 1 << 20;

/// Where the agent is, and who asks it.
#[derive(Debug, Args)]
pub(super) struct AgentPlace {
    /// Address of the agent's API port, such as `https://recant.monitoring:9465`
    #[arg(long, value_name = "URL", env = "RECANT_URL")]
    url: Option<String>,
    /// File that holds the token to send; without it that of the variable `RECANT_TOKEN`
    #[arg(long, value_name = "FILE", env = "RECANT_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// PEM file with the only authorities to trust; without it those of the system
    #[arg(long, value_name = "FILE", env = "RECANT_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// YAML file with `url`, `tokenFile` and `caFile`, for what is not given otherwise
    #[arg(long, value_name = "FILE", env = "RECANT_CLIENT_CONFIG")]
    client_config: Option<PathBuf>,
}

/// What of it is kept in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept {
    url: Option<String>,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

/// What came back.
pub(super) enum Answered {
    /// The agent took the order, and says what became of it.
    Order(Value),
    /// It did not understand the order, or does not let the caller.
    Usage(String),
    /// Nobody answered who acts.
    Nobody(String),
}

impl AgentPlace {
    /// Sends an order.
    ///
    /// # Errors
    /// What is configured cannot be used.
    pub(super) fn post(
        &self,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> anyhow::Result<Answered> {
        let kept = self.kept()?;
        let Some(url) = self.url.as_ref().or(kept.url.as_ref()) else {
            bail!(
                "an order goes to the agent that acts, and none is named: give its address with --url, RECANT_URL, or \
                 `url` in the file of --client-config. Without an agent nothing is done"
            );
        };
        let mut base = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .with_context(|| "the address of the agent is no URL like `https://recant:9465`")?;
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let url = base.join(path).context("the address of the agent")?;
        let token = self.token(&kept)?;
        let ca_file = self.ca_file.as_ref().or(kept.ca_file.as_ref());
        crate::tls::install();
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("recant/", env!("CARGO_PKG_VERSION")))
            .timeout(DEADLINE)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(path) = ca_file {
            let pem = std::fs::read(path)
                .with_context(|| format!("reading the authorities in {}", path.display()))?;
            let authorities = Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("the authorities in {}", path.display()))?;
            client = client.tls_certs_only(authorities);
        }
        let key = key.map_or_else(new_key, str::to_owned);
        let mut request = client
            .build()
            .context("making the HTTP client")?
            .post(url.clone())
            .header("Idempotency-Key", &key)
            .json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => "the agent".to_owned(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(runtime.block_on(ask(request, &host, &key)))
    }

    fn kept(&self) -> anyhow::Result<Kept> {
        let Some(path) = &self.client_config else {
            return Ok(Kept::default());
        };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        serde_saphyr::from_str(&text).with_context(|| format!("{}", path.display()))
    }

    fn token(&self, kept: &Kept) -> anyhow::Result<Option<String>> {
        let file = self.token_file.as_ref().or(kept.token_file.as_ref());
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("reading the token in {}", path.display()))?,
            None => std::env::var("RECANT_TOKEN").unwrap_or_default(),
        };
        Ok(Some(text.trim().to_owned()).filter(|token| !token.is_empty()))
    }
}

async fn ask(request: reqwest::RequestBuilder, host: &str, key: &str) -> Answered {
    let nobody = |why: String| {
        Answered::Nobody(format!(
            "{host}: {why}. Nothing is known to have been done. To give the same order again, and not a second one, add \
             `--key {key}`"
        ))
    };
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => return nobody(causes(&error.without_url())),
    };
    let status = response.status();
    let mut text = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return nobody(causes(&error.without_url())),
        }
        if text.len() > MOST_BYTES {
            return nobody("answers more than it should".to_owned());
        }
    }
    let Ok(answer) = serde_json::from_slice::<Value>(&text) else {
        return nobody(format!(
            "answers {status}, and no agent of Recant would say that so"
        ));
    };
    if answer.get("outcome").is_some() {
        return Answered::Order(answer);
    }
    let detail = answer.get("detail").and_then(Value::as_str);
    let detail = detail.unwrap_or("without saying why").to_owned();
    match status {
        StatusCode::BAD_REQUEST
        | StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::PAYLOAD_TOO_LARGE => Answered::Usage(format!("{host} refuses it: {detail}")),
        _ => nobody(format!("answers {status}: {detail}")),
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Nobody else of this caller has it: it need not be a secret.
fn new_key() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos());
    format!("{nanos:x}-{:x}", std::process::id())
}
