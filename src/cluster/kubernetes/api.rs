//! Calls to the API server: each with a deadline, each failure said in our own words.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};

use super::kill_switch;
use crate::cluster::ClusterError;

/// How long one call may take. The client has no deadline of its own.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// What a call wants, in the words of RBAC.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    pub(super) verb: &'static str,
    /// `deployments.apps`
    pub(super) resource: String,
    pub(super) namespace: &'a str,
}

impl Call<'_> {
    /// Waits for the answer; `None` when there is no such object.
    pub(super) async fn answer<T>(
        self,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<Option<T>, ClusterError> {
        match tokio::time::timeout(DEADLINE, call).await {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(None),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(ClusterError::Unreachable {
                reason: format!(
                    "`{} {}` in namespace `{}` took more than {} s",
                    self.verb,
                    self.resource,
                    self.namespace,
                    DEADLINE.as_secs()
                ),
            }),
        }
    }

    fn failed(self, error: &kube::Error) -> ClusterError {
        let kube::Error::Api(status) = error else {
            return ClusterError::Unreachable {
                reason: with_causes(error),
            };
        };
        match status.code {
            409 => ClusterError::Conflict,
            // Admission plugins and webhooks answer 403 too: those say what they refuse, not what the user `cannot`.
            403 if status.message.contains(" cannot ") => ClusterError::Forbidden {
                verb: self.verb.to_owned(),
                resource: self.resource,
                namespace: self.namespace.to_owned(),
            },
            // 401: a service account token that is just being renewed.
            401 | 408 | 429 | 500.. => ClusterError::Unreachable {
                reason: format!("status {}: {}", status.code, status.message),
            },
            _ => ClusterError::Rejected {
                reason: format!("status {}: {}", status.code, status.message),
            },
        }
    }
}

/// The message with those of its causes: `client error (Connect)` alone helps nobody.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// Whether the kill switch annotation is on the namespace.
pub(super) async fn namespace_kill_switch(
    client: &Client,
    namespace: &str,
) -> Result<bool, ClusterError> {
    let api: Api<Namespace> = Api::all(client.clone());
    let call = Call {
        verb: "get",
        resource: "namespaces".to_owned(),
        namespace,
    };
    let found = call.answer(api.get(namespace)).await?;
    Ok(found.is_some_and(|found| kill_switch::is_on(&found.metadata)))
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    async fn answer(code: u16, message: &str) -> Result<Option<()>, ClusterError> {
        let call = Call {
            verb: "patch",
            resource: "deployments.apps".to_owned(),
            namespace: "shop",
        };
        let status = Status::failure(message, "x").with_code(code);
        call.answer(async { Err(kube::Error::Api(status.boxed())) })
            .await
    }

    #[tokio::test]
    async fn tells_refusals_apart() {
        assert!(matches!(answer(404, "").await, Ok(None)));
        assert!(matches!(answer(409, "").await, Err(ClusterError::Conflict)));
        let rbac =
            r#"deployments.apps "a" is forbidden: User "u" cannot patch resource "deployments""#;
        assert!(matches!(
            answer(403, rbac).await,
            Err(ClusterError::Forbidden { .. })
        ));
        // A webhook or a quota: no Role would help.
        for (code, message) in [
            (403, r#"admission webhook "policy" denied the request: no"#),
            (400, "bad"),
            (422, "invalid"),
        ] {
            let refused = answer(code, message).await.expect_err("refused");
            assert!(
                matches!(&refused, ClusterError::Rejected { reason } if reason.contains(message)),
                "{refused:?}"
            );
        }
        for code in [401, 408, 429, 500, 503, 504] {
            let error = answer(code, "").await.expect_err("no answer");
            assert!(
                matches!(error, ClusterError::Unreachable { .. }) && error.retry(),
                "{code}: {error:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_is_given_up() {
        let call = Call {
            verb: "get",
            resource: "pods".to_owned(),
            namespace: "shop",
        };
        let hangs = std::future::pending::<kube::Result<()>>();
        let error = call.answer(hangs).await.expect_err("no answer");
        assert!(
            error
                .to_string()
                .contains("`get pods` in namespace `shop` took more than 10 s"),
            "{error}"
        );
    }
}
