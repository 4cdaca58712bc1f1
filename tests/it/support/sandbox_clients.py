import datetime, json, sys, time
import boto3, botocore
url = sys.argv[1]
def client(service, **more):
    return boto3.client(service, endpoint_url=url, region_name="us-east-1",
                        aws_access_key_id="000000000000", aws_secret_access_key="x", **more)
def code(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return "OK"
def check(what, found, expected):
    assert found == expected, f"{what}: {found!r}, not {expected!r}"

cw = client("cloudwatch")
now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
start, end = now - datetime.timedelta(minutes=5), now + datetime.timedelta(minutes=2)
dims = [{"Name": "f", "Value": "x"}]
for minute in (3, 2):
    at = now - datetime.timedelta(minutes=minute)
    cw.put_metric_data(Namespace="App", MetricData=[
        {"MetricName": "n", "Dimensions": dims, "Timestamp": at, "Unit": "Count", "Values": [1.0, 2.0, 3.0], "Counts": [1.0, 1.0, 2.0]},
        {"MetricName": "e", "Dimensions": dims, "Timestamp": at, "Unit": "Count", "Value": 1.0}])
check("both", code(cw.put_metric_data, Namespace="App", MetricData=[{"MetricName": "n", "Value": 1.0, "Values": [1.0]}]), "InvalidParameterCombination")
check("AWS/", code(cw.put_metric_data, Namespace="AWS/Lambda", MetricData=[{"MetricName": "n", "Value": 1.0}]), "InvalidParameterValue")
def stat(id, name, stat):
    return {"Id": id, "MetricStat": {"Metric": {"Namespace": "App", "MetricName": name, "Dimensions": dims}, "Period": 60, "Stat": stat}}
answer = cw.get_metric_data(StartTime=start, EndTime=end, ScanBy="TimestampAscending", MetricDataQueries=[
    stat("n", "n", "SampleCount"), stat("s", "n", "Sum"), stat("p", "n", "p50"), stat("r", "n", "PR(:2)"), stat("t", "n", "TC(:2)"), stat("e", "e", "Sum"),
    {"Id": "rate", "Expression": "100 * e / s", "Label": "rate"}, {"Id": "f", "Expression": "FILL(e, 0)"}, {"Id": "all", "Expression": "SUM(METRICS('e'))"}])
found = {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}
check("data", found, {"n": [4.0, 4.0], "s": [9.0, 9.0], "p": [2.0, 2.0], "r": [50.0, 50.0], "t": [2.0, 2.0], "e": [1.0, 1.0],
      "rate": [100 / 9, 100 / 9], "f": found["f"], "all": [1.0, 1.0]})
assert sum(found["f"]) == 2.0 and len(found["f"]) == 7, found["f"]
points = cw.get_metric_statistics(Namespace="App", MetricName="n", Dimensions=dims, StartTime=start, EndTime=end, Period=300, Statistics=["Maximum"], ExtendedStatistics=["p99"])["Datapoints"]
check("statistics", {(p["Maximum"], p["ExtendedStatistics"]["p99"], p["Unit"]) for p in points}, {(3.0, 3.0, "Count")})
check("list", [m["MetricName"] for m in cw.list_metrics(Namespace="App", Dimensions=[{"Name": "f"}])["Metrics"]], ["e", "n"])
check("bad expression", code(cw.get_metric_data, StartTime=start, EndTime=end, MetricDataQueries=[{"Id": "x", "Expression": "SEARCH('a', 'Sum')"}]), "ValidationError")
cw.put_metric_alarm(AlarmName="a", Namespace="App", MetricName="e", Dimensions=dims, Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=0.5, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching")
cw.put_composite_alarm(AlarmName="c", AlarmRule='ALARM("a")')
check("state", cw.describe_alarms(AlarmNames=["a"])["MetricAlarms"][0]["StateReason"], "Unchecked: Initial alarm creation")
check("not there", code(cw.set_alarm_state, AlarmName="nope", StateValue="OK", StateReason="x"), "ResourceNotFound")
cw.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="trying")
both = cw.describe_alarms(AlarmTypes=["CompositeAlarm", "MetricAlarm"])
check("composite", both["CompositeAlarms"][0]["StateValue"], "ALARM")
check("history", cw.describe_alarm_history(AlarmName="a", HistoryItemType="StateUpdate")["AlarmHistoryItems"][0]["HistorySummary"], "Alarm updated from INSUFFICIENT_DATA to ALARM")
check("missing operation", code(cw.list_dashboards), "NotImplemented")

logs = client("logs")
logs.create_log_group(logGroupName="/app")
check("again", code(logs.create_log_group, logGroupName="/app"), "ResourceAlreadyExistsException")
logs.put_retention_policy(logGroupName="/app", retentionInDays=7)
check("retention", logs.describe_log_groups()["logGroups"][0]["retentionInDays"], 7)
logs.create_log_stream(logGroupName="/app", logStreamName="s")
ms = int(time.time() * 1000)
logs.put_log_events(logGroupName="/app", logStreamName="s", logEvents=[{"timestamp": ms, "message": "one ERROR"}, {"timestamp": ms + 1, "message": "two"}])
check("filter", [e["message"] for e in logs.filter_log_events(logGroupName="/app", filterPattern="ERROR")["events"]], ["one ERROR"])
check("get", [e["message"] for e in logs.get_log_events(logGroupName="/app", logStreamName="s", startFromHead=True)["events"]], ["one ERROR", "two"])
check("no stream", code(logs.get_log_events, logGroupName="/app", logStreamName="x"), "ResourceNotFoundException")

iam = client("iam")
trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
check("arn", iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust, Tags=[{"Key": "a", "Value": "b"}])["Role"]["Arn"], "arn:aws:iam::000000000000:role/r")
check("again", code(iam.create_role, RoleName="r", AssumeRolePolicyDocument=trust), "EntityAlreadyExists")
check("trust", iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"]["Version"], "2012-10-17")
iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=trust)
iam.attach_role_policy(RoleName="r", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
check("attached", iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"][0]["PolicyName"], "AWSLambdaBasicExecutionRole")
check("inline", iam.list_role_policies(RoleName="r")["PolicyNames"], ["p"])
check("conflict", code(iam.delete_role, RoleName="r"), "DeleteConflict")
check("missing", code(iam.get_role, RoleName="x"), "NoSuchEntity")

sqs, sns = client("sqs"), client("sns")
dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
queue = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "0", "RedrivePolicy": json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 1})})["QueueUrl"]
check("no queue", code(sqs.get_queue_url, QueueName="nope"), "AWS.SimpleQueueService.NonExistentQueue")
topic = sns.create_topic(Name="t")["TopicArn"]
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:000000000000:q", Attributes={"RawMessageDelivery": "true"})
sns.publish(TopicArn=topic, Message="hello")
check("delivered", sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"], "hello")
check("gone", "Messages" in sqs.receive_message(QueueUrl=queue), False)
check("dead", sqs.receive_message(QueueUrl=dead)["Messages"][0]["Body"], "hello")
check("attributes", sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsConfirmed"], "1")
check("no topic", code(sns.publish, TopicArn=topic + "x", Message="m"), "NotFound")
print("everything holds")
