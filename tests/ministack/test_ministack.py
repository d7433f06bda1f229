"""The deployed shape: functions of `provided.al2023`, and `aggregate` behind a mapping of the stream."""

import json
import time

from conftest import built, packaged
from harness import HERE


def event(name, key):
    """An event of the repository, from a caller with this key."""
    event = json.loads((HERE / "../events" / name).read_text())
    event["headers"]["authorization"] = f"Bearer {key}"
    return event


def counted(cloud, key):
    """The requests that the tenant's usage of this month counts."""
    report = event("apigw-tenant-usage.json", key) | {"rawQueryString": "granularity=month"}
    answer = cloud.invoke("tenant", report)
    assert answer["statusCode"] == 200, answer
    return json.loads(answer["body"])["total"]["requests"]


def test_a_batch_of_the_stream_is_counted_by_the_packaged_function(cloud):
    key = cloud.lmo("tenant", "create", "--name", "test")["api_key"]
    for name in ("query", "tenant"):
        cloud.deploy(name, built(name, cloud.folder))
    cloud.deploy("aggregate", packaged("aggregate"))
    for _ in range(2):
        answer = cloud.invoke("query", event("apigw-query.json", key))
        assert answer["statusCode"] == 200, answer
        assert json.loads(answer["body"])["content"] == "lmo/echo heard: Say hello"
    assert counted(cloud, key) == 0

    stream = cloud.client("kinesis").describe_stream_summary(StreamName="lmo-usage")["StreamDescriptionSummary"]
    cloud.functions.create_event_source_mapping(
        EventSourceArn=stream["StreamARN"],
        FunctionName="aggregate",
        StartingPosition="TRIM_HORIZON",
        BatchSize=100,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    # Where ministack ends a function late, it hands it the same event again: another request. All that the meter admitted
    # must be counted, and nothing else.
    end = time.monotonic() + 120
    while counted(cloud, key) < 2 or not cloud.lmo("books", check=False)["agree"]:
        assert time.monotonic() < end, "the batch was not counted"
        time.sleep(0.5)
