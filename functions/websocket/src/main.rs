//! The `websocket` function on AWS Lambda, behind an API Gateway WebSocket API.

fn main() {}
