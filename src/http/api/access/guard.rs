//! Stands before each path: who asks, whether they may, and whether there is room for one more.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use recant_core::access::Scope;

use super::rates::Key;
use super::{Access, Caller, own};
use crate::http::api::body;
use crate::http::api::problem::Problem;
use crate::http::metrics::CallerLabel;
use crate::http::peer::Peer;

/// What a path says when there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::api) enum Busy {
    /// 429.
    TooMany,
    /// 503: who sends here does not try again after anything below 500.
    Unavailable,
    /// Its handler finds [`OverLimit`] in the request, and knows what harms nobody.
    Handler,
}

/// There was no room: nothing is to be looked at for this request.
#[derive(Debug, Clone, Copy)]
pub(in crate::http::api) struct OverLimit;

/// What stands before one path.
#[derive(Debug, Clone)]
pub(in crate::http::api) struct Guard {
    pub(in crate::http::api) access: Access,
    /// As it is written where it is added: what is in its braces is not shown.
    pub(in crate::http::api) path: Arc<str>,
    /// `None`: the request is signed, and its handler says whether by whom.
    pub(in crate::http::api) scope: Option<Scope>,
    /// Who signs where a request is signed.
    pub(in crate::http::api) signer: &'static str,
    pub(in crate::http::api) busy: Busy,
}

pub(in crate::http::api) async fn guard(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().cloned();
    let (caller, key) = match guard.admit(request.headers(), peer.as_ref()).await {
        Ok(admitted) => admitted,
        Err(refused) => {
            let Refused { problem, caller } = *refused;
            guard.tell(peer.as_ref(), &problem, &caller);
            // Who sends much gets to see why it is refused.
            body::drain(request.into_body()).await;
            return labelled(guard.answer(problem), &caller.name);
        }
    };
    let place = guard.access.rates.work();
    let room = guard.access.rates.take(key) && place.is_some();
    if !room {
        let detail = "too many requests of this caller, or of all: try again in a second";
        let problem = match guard.busy {
            Busy::TooMany => Problem::new(StatusCode::TOO_MANY_REQUESTS, detail),
            Busy::Unavailable => Problem::unavailable(detail),
            Busy::Handler => {
                request.extensions_mut().insert(OverLimit);
                return labelled(next.run(request).await, &caller.name);
            }
        };
        body::drain(request.into_body()).await;
        return labelled(problem.into_response(), &caller.name);
    }
    let name = caller.name.clone();
    request.extensions_mut().insert(caller);
    let response = next.run(request).await;
    let address = peer.map(|peer| peer.address);
    if guard.scope.is_none()
        && response.status() == StatusCode::UNAUTHORIZED
        && !guard.access.rates.may_fail(address)
    {
        return labelled(guard.answer(too_many_failures()), &name);
    }
    labelled(response, &name)
}

/// A request that is not let through, and whose it is as far as that is known.
struct Refused {
    problem: Problem,
    caller: Caller,
}

fn too_many_failures() -> Problem {
    let detail = "too many attempts of this address that opened nothing: try again in some seconds";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, detail)
}

fn labelled(mut response: Response, caller: &Arc<str>) -> Response {
    response
        .extensions_mut()
        .insert(CallerLabel(caller.clone()));
    response
}

impl Guard {
    /// Who is let through, and who is counted for it.
    async fn admit(
        &self,
        headers: &HeaderMap,
        peer: Option<&Peer>,
    ) -> Result<(Caller, Key), Box<Refused>> {
        let refused = |problem, caller| Box::new(Refused { problem, caller });
        let address = peer.map(|peer| peer.address);
        let by_address = || Key::Address(address.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED.into()));
        let Some(scope) = self.scope else {
            let caller = own(self.signer, [Scope::Hooks].into_iter().collect());
            return Ok((caller, by_address()));
        };
        let caller = match self.access.identify(headers, peer).await {
            Ok(caller) => caller,
            Err(mut problem) => {
                let told = matches!(
                    problem.status,
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
                );
                if told && !self.access.rates.may_fail(address) {
                    problem = too_many_failures();
                }
                return Err(refused(problem, own("unknown", [].into_iter().collect())));
            }
        };
        if !caller.scopes.hold(scope) {
            let Caller {
                name,
                scopes,
                identity: _,
            } = &caller;
            let repair = match &**name {
                "anonymous" | "readToken"
                    if scope == Scope::Hooks && self.access.hook.is_some() =>
                {
                    "send the token of `api.hookToken`"
                }
                "anonymous" | "readToken" if scope == Scope::Hooks => {
                    "set `api.hookToken`, or give a caller in `api.callers` that scope"
                }
                _ => "give it that scope in `api.callers`",
            };
            let detail =
                format!("`{name}` may {scopes}, and this needs the scope `{scope}`: {repair}");
            let problem = Problem::new(StatusCode::FORBIDDEN, detail);
            return Err(refused(problem, caller));
        }
        let key = match &*caller.name {
            "anonymous" => by_address(),
            _ => Key::Caller(caller.name.clone()),
        };
        Ok((caller, key))
    }

    /// Says in the log who was refused; never what was sent.
    fn tell(&self, peer: Option<&Peer>, problem: &Problem, caller: &Caller) {
        let path = &*self.path;
        let address = peer
            .map(|peer| peer.address.to_string())
            .unwrap_or_default();
        let (caller, status) = (&*caller.name, problem.status.as_u16());
        if problem.status == StatusCode::TOO_MANY_REQUESTS {
            tracing::debug!(caller, address, path, status, "a request was refused");
        } else {
            let detail = &problem.detail;
            tracing::info!(
                caller,
                address,
                path,
                status,
                "a request was refused: {detail}"
            );
        }
    }

    fn answer(&self, mut problem: Problem) -> Response {
        if problem.status == StatusCode::TOO_MANY_REQUESTS && self.busy == Busy::Unavailable {
            problem.status = StatusCode::SERVICE_UNAVAILABLE;
        }
        problem.into_response()
    }
}
