//! `/api/v4/current-status`: the platform's state, as `heroku status` asks for it.

use axum::Json as Answer;
use axum::extract::State;
use serde_json::{Value, json};

use crate::state::Api;

pub(crate) async fn current(State(api): State<Api>) -> Answer<Value> {
    let engine = api.controller.engine_status().await;
    let apps = if engine.is_ok() { "green" } else { "red" };
    Answer(json!({
        "status": [
            { "system": "Apps", "status": apps },
            { "system": "Data", "status": "green" },
            { "system": "Tools", "status": "green" },
        ],
        "incidents": [],
        "scheduled": [],
    }))
}
