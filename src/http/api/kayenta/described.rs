//! The paths of Kayenta's API as /openapi.json describes them. Their documents are Kayenta's own, and not described again.

use serde_json::Value;

use crate::http::api::openapi::Operation;

/// Every path that takes a document may refuse it so.
fn taking(operation: Operation) -> Operation {
    operation
        .takes::<Value>()
        .refuses(400, "What cannot be honoured, by its name")
        .refuses(408, "The document was not there in time")
        .refuses(413, "The document is too large")
}

pub(super) fn configs() -> Operation {
    Operation::new("kayenta.configs", "The canary configs")
        .may(
            "application",
            "Only those of this application; may be repeated",
        )
        .may("configurationAccountName", "Taken, and not looked at")
        .gives::<Value>(200, "Id, name, times and applications of each")
}

pub(super) fn create() -> Operation {
    let operation = Operation::new("kayenta.createConfig", "Stores a new canary config");
    taking(operation)
        .gives::<Value>(200, "`{canaryConfigId}`")
        .refuses(503, "It could not be written down")
}

pub(super) fn config() -> Operation {
    Operation::new("kayenta.config", "One canary config")
        .part("id", "Of the config")
        .gives::<Value>(200, "The config as it was stored")
        .refuses(404, "There is none")
}

pub(super) fn replace() -> Operation {
    let operation = Operation::new("kayenta.replaceConfig", "Replaces a canary config");
    taking(operation.part("id", "Of the config"))
        .gives::<Value>(200, "`{canaryConfigId}`")
        .refuses(503, "It could not be written down")
}

pub(super) fn delete() -> Operation {
    Operation::new("kayenta.deleteConfig", "Deletes a canary config")
        .part("id", "Of the config")
        .done(204, "It is gone")
        .refuses(404, "There is none")
        .refuses(503, "It could not be deleted")
}

/// The accounts that clients of Kayenta send.
fn with_accounts(operation: Operation) -> Operation {
    operation
        .may("application", "Whose execution it is; `ad-hoc` without it")
        .may("parentPipelineExecutionId", "Kept, and shown again")
        .may(
            "metricsAccountName",
            "Kept, and shown again: there is one account",
        )
        .may("configurationAccountName", "The same")
        .may("storageAccountName", "The same")
}

pub(super) fn start_ad_hoc() -> Operation {
    let summary = "Begins an execution of a config that comes with the request";
    taking(with_accounts(Operation::new("kayenta.startAdHoc", summary)))
        .gives::<Value>(200, "`{canaryExecutionId}`")
        .refuses(503, "Too many executions run: try again")
}

pub(super) fn start() -> Operation {
    let operation = Operation::new("kayenta.start", "Begins an execution of a stored config");
    taking(with_accounts(operation.part("id", "Of the config")))
        .gives::<Value>(200, "`{canaryExecutionId}`")
        .refuses(404, "There is no such config")
        .refuses(503, "Too many executions run: try again")
}

pub(super) fn executions() -> Operation {
    Operation::new("kayenta.executions", "The latest executions")
        .may(
            "application",
            "Only those of this application; may be repeated",
        )
        .may("limit", "How many, 20 without it")
        .gives::<Value>(200, "The status of each, the newest first")
}

pub(super) fn execution() -> Operation {
    Operation::new(
        "kayenta.execution",
        "How far an execution is, and its result",
    )
    .part("id", "Of the execution")
    .gives::<Value>(200, "Its status")
    .refuses(
        404,
        "There is none, or it went with a restart: begin another one",
    )
}

pub(super) fn judges() -> Operation {
    Operation::new("kayenta.judges", "The judges").gives::<Value>(200, "There is one")
}

pub(super) fn judge() -> Operation {
    Operation::new(
        "kayenta.judge",
        "Judges stored pairs by a stored config, at once",
    )
    .must("canaryConfigId", "Of the config")
    .must("metricSetPairListId", "Of the pairs")
    .must("passThreshold", "Least score to pass")
    .must("marginalThreshold", "Least score not to fail")
    .gives::<Value>(200, "The result of the judge")
    .refuses(400, "What cannot be honoured, by its name")
    .refuses(404, "There is no such config, or no such list")
    .refuses(503, "Other judgements are at work: try again")
}

pub(super) fn store_pairs() -> Operation {
    let operation = Operation::new("kayenta.storePairs", "Keeps pairs of samples to be judged");
    taking(operation).gives::<Value>(200, "`{metricSetPairListId}`")
}

pub(super) fn pairs() -> Operation {
    Operation::new("kayenta.pairs", "Pairs that were kept")
        .part("id", "Of the list")
        .gives::<Value>(200, "The list as it came")
        .refuses(404, "There is none, or it had to make room")
}

pub(super) fn credentials() -> Operation {
    Operation::new("kayenta.credentials", "The accounts").gives::<Value>(200, "There is one")
}
