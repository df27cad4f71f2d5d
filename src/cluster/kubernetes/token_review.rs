//! Whose a token is: the API server knows.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};
use recant_core::access::KubernetesUser;

use super::api::Call;
use crate::cluster::ClusterError;

/// What tokens must be meant for: one that was made for the API server, or for somebody else, opens nothing here.
pub const AUDIENCE: &str = "recant";

/// The user of a token that is meant for Recant, or why it is nobody's.
///
/// # Errors
/// The API server does not answer, or does not let this process ask.
pub async fn review(
    client: &Client,
    token: &str,
) -> Result<Result<KubernetesUser, String>, ClusterError> {
    let api: Api<TokenReview> = Api::all(client.clone());
    let review = TokenReview {
        spec: TokenReviewSpec {
            token: Some(token.to_owned()),
            audiences: Some(vec![AUDIENCE.to_owned()]),
        },
        ..TokenReview::default()
    };
    let call = Call {
        verb: "create",
        resource: "tokenreviews.authentication.k8s.io".to_owned(),
        namespace: "",
    };
    let parameters = PostParams::default();
    let answer = call
        .answer(api.create(&parameters, &review))
        .await?
        .ok_or_else(|| ClusterError::Rejected {
            reason: "the API server does not know TokenReview".to_owned(),
        })?;
    let status = answer.status.unwrap_or_default();
    if status.authenticated != Some(true) {
        // What the API server says of it names no part of it, but may be long.
        return Ok(Err(
            "it is over, or not of this cluster, or not for the audience `recant`".to_owned(),
        ));
    }
    // An authenticator that knows no audiences takes a token that is meant for somebody else.
    let meant = status.audiences.unwrap_or_default();
    if !meant.iter().any(|audience| audience == AUDIENCE) {
        return Ok(Err("it is not for the audience `recant`".to_owned()));
    }
    let user = status.user.unwrap_or_default();
    match user.username {
        Some(name) if !name.is_empty() => Ok(Ok(KubernetesUser {
            name,
            groups: user.groups.unwrap_or_default(),
        })),
        _ => Ok(Err("the API server does not say whose it is".to_owned())),
    }
}
