//! The page of a signed link: GET shows and never approves, POST approves that plan once; whatever was not signed so, is
//! over, or is waited for no more, approves nothing and says why.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use recant::http::api::Token;
use recant::http::approval::Links;
use recant::http::orders::{Answer, Order};
use recant_core::command::{CommandOutcome, Order as Ordered};
use recant_core::guard::{Approval, Given, Guard, Hold};
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::bed::{Bed, judged, read, snapshot};

fn links(key: &str, base: &str) -> Links {
    Links::new(Arc::new(Token::fixed(SecretString::from(key))), base)
}

fn approval() -> Approval {
    Approval {
        plan: "checkout-new-1-1-rollback".into(),
        analysis: recant_core::ids::AnalysisId("checkout-new-1-1".to_owned()),
        target: judged("checkout").target,
        from: "new".into(),
        to: "old".into(),
        asked: Timestamp::now(),
        // A link counts in whole seconds.
        expires: Timestamp::from_second(Timestamp::now().as_second() + 600).expect("a time"),
        given: None,
    }
}

async fn bed(approvals: Vec<Approval>) -> (Bed, mpsc::Receiver<Order>) {
    let (bed, orders) = Bed::start_linked(links("the key", "https://recant.example")).await;
    let mut target = judged("checkout");
    target.holds = vec![Hold {
        guard: Guard::Approval,
        rule: None,
        reason: "a person has to agree: <b>&\"'".to_owned(),
        until: None,
    }];
    let mut shown = snapshot(vec![target], Vec::new());
    shown.approvals = approvals;
    bed.store(shown);
    (bed, orders)
}

/// The path and query of a link.
fn path(link: &str) -> &str {
    let (_, path) = link.split_once("example").expect("the address");
    path
}

#[tokio::test]
async fn a_link_shows_the_evidence_to_whoever_fetches_it_and_approves_by_its_form_only() {
    let approval = approval();
    let link = links("the key", "https://recant.example/").of(&approval);
    assert!(
        link.url.starts_with("https://recant.example/approve?plan="),
        "{link:?}"
    );
    let (bed, mut orders) = bed(vec![approval.clone()]).await;
    let path = path(&link.url);
    // As chat clients do, several times.
    for _ in 0..3 {
        let page = bed.get(path).await;
        assert_eq!(
            (page.status, page.kind.as_str()),
            (200, "text/html; charset=utf-8")
        );
        // When it ends differs from run to run.
        let (before, rest) = page.text.split_once("until ").expect("until when");
        let after = rest.split_once(',').map_or(rest, |(_, after)| after);
        insta::assert_snapshot!("approval_page", format!("{before}until TIME,{after}"));
    }
    let answer = bed
        .http
        .get(bed.url(path))
        .send()
        .await
        .expect("it answers");
    let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(
        (&*header("cache-control"), &*header("referrer-policy")),
        ("no-store", "no-referrer")
    );
    assert!(header("content-security-policy").starts_with("default-src 'none'"));
    assert_eq!(
        orders.try_recv().expect_err("GET approves nothing"),
        TryRecvError::Empty
    );

    let post = || async {
        let request = bed.http.post(bed.url(path));
        read(request.body("reason=I+have+looked%0Aat+it%3Cscript%3E")).await
    };
    let engine = async {
        let Order { given, answer } = orders.recv().await.expect("an order");
        let outcome = CommandOutcome::Done {
            said: "approved by `approvalLink`: it goes back <now>".to_owned(),
            plan: Some(approval.plan.clone()),
            overridden: Vec::new(),
        };
        answer
            .send(Answer {
                outcome,
                writes: Vec::new(),
            })
            .expect("somebody waits");
        given
    };
    let (page, given) = tokio::join!(post(), engine);
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.text.contains("it goes back &lt;now&gt;"), "{page:?}");
    let command = given.command;
    let plan = approval.plan.clone();
    assert_eq!(command.order, Ordered::Approve { plan });
    assert_eq!(
        (command.by.caller.as_str(), command.reason.as_str()),
        ("approvalLink", "I have looked at it<script>")
    );
    // The same link is the same order, whose outcome the engine knows.
    assert_eq!(command.key.len(), 64);
    assert!(!given.dry_run);
}

#[tokio::test]
async fn what_is_no_link_of_ours_is_over_or_waits_for_nobody_approves_nothing() {
    let open = approval();
    let made = links("the key", "https://recant.example");
    let good = made.of(&open).url;
    let past = Approval {
        expires: Timestamp::from_second(Timestamp::now().as_second() - 1).expect("a time"),
        ..open.clone()
    };
    let elsewhere = Approval {
        to: "older".into(),
        ..open.clone()
    };
    let gone = Approval {
        plan: "search-new-1-2-rollback".into(),
        ..open.clone()
    };
    let later = Approval {
        expires: open.expires + SignedDuration::from_secs(60),
        ..open.clone()
    };
    let (bed, mut orders) = bed(vec![open.clone()]).await;
    for (what, url, status) in [
        (
            "another key",
            links("another key", "https://recant.example").of(&open).url,
            401,
        ),
        (
            "another plan",
            good.replace("plan=checkout", "plan=search"),
            401,
        ),
        ("another way back", good.replace("to=old", "to=new"), 401),
        ("another end", good.replace("expires=1", "expires=2"), 401),
        (
            "no signature",
            good.split("&signature").next().expect("a part").to_owned(),
            401,
        ),
        (
            "a cut signature",
            good.chars().take(good.chars().count() - 2).collect(),
            401,
        ),
        ("nothing", "https://recant.example/approve".to_owned(), 401),
        ("over", made.of(&past).url, 410),
        ("superseded", made.of(&gone).url, 410),
        ("for another way back", made.of(&elsewhere).url, 410),
        ("for another question", made.of(&later).url, 410),
    ] {
        let page = bed.get(path(&url)).await;
        assert_eq!(page.status, status, "{what}: {page:?}");
        assert!(
            page.text.contains("<h1>Not approved</h1>"),
            "{what}: {page:?}"
        );
        assert!(!page.text.contains("<form"), "{what}");
        if status == 401 || what == "over" {
            let page = read(bed.http.post(bed.url(path(&url)))).await;
            assert_eq!(page.status, status, "{what}: {page:?}");
        }
    }
    assert_eq!(
        orders.try_recv().expect_err("nothing was ordered"),
        TryRecvError::Empty
    );
    // What was agreed to meanwhile, and a replica that does not act.
    let given = Approval {
        given: Some(Given {
            by: "`ops`".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            reason: String::new(),
        }),
        ..open.clone()
    };
    let mut shown = snapshot(vec![judged("checkout")], Vec::new());
    shown.approvals = vec![given];
    bed.store(shown);
    let page = bed.get(path(&good)).await;
    assert_eq!(page.status, 410);
    assert!(
        page.text.contains("was approved already, by `ops`"),
        "{page:?}"
    );
    let waits = "waits for the Lease `recant`: `recant-1_7` holds it".to_owned();
    bed.ops.readiness.block("lease", waits);
    let page = read(bed.http.post(bed.url(path(&good)))).await;
    assert_eq!(page.status, 503);
    assert!(page.text.contains("`recant-1_7` holds it"), "{page:?}");
}

#[tokio::test]
async fn without_a_key_no_link_approves_anything() {
    let bed = Bed::start(recant::http::api::Access::default()).await;
    let link = links("the key", "https://recant.example").of(&approval());
    let page = bed.get(path(&link.url)).await;
    assert_eq!(page.status, 403);
    assert!(page.text.contains("`approval.key` is not set"), "{page:?}");
}
