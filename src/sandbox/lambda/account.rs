//! GetAccountSettings.

use serde_json::json;

use super::Call;
use super::concurrency::ACCOUNT_LIMIT;
use super::fault::Answer;
use crate::sandbox::http::Response;

/// Code storage of an account in a region.
const TOTAL_CODE_SIZE: u64 = 80_530_636_800;

pub(super) fn get(call: Call<'_>) -> Answer {
    let prefix = call.prefix();
    let (functions, size, reserved) = call.lambda.state.read(|state| {
        let (mut functions, mut size, mut reserved) = (0_u64, 0, 0);
        for (_, function) in state.functions.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix)) {
            functions += 1;
            reserved += function.reserved.unwrap_or(0);
            size += function.latest.code_size + function.versions.values().map(|one| one.code_size).sum::<u64>();
        }
        for (_, layer) in state.layers.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix)) {
            size += layer.versions.values().filter(|one| !one.deleted).map(|one| one.code_size).sum::<u64>();
        }
        (functions, size, reserved)
    });
    let answer = json!({
        "AccountLimit": {
            "TotalCodeSize": TOTAL_CODE_SIZE,
            "CodeSizeUnzipped": super::code::MAX_UNZIPPED,
            "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": ACCOUNT_LIMIT,
            "UnreservedConcurrentExecutions": ACCOUNT_LIMIT.saturating_sub(reserved),
        },
        "AccountUsage": { "TotalCodeSize": size, "FunctionCount": functions },
    });
    Ok(Response::json(200, &answer))
}
