import json, sys, time, urllib.request
import boto3
def client(name):
    return boto3.client(name, endpoint_url=sys.argv[1], region_name="eu-central-1",
                        aws_access_key_id="000000000000", aws_secret_access_key="x")
cf, cd, lam = client("cloudformation"), client("codedeploy"), client("lambda")
def check(what, found, expected):
    assert found == expected, f"{what}: {found!r}, not {expected!r}"
HOOK = """
import json, os, urllib.request
def handler(event, context):
    body = {"deploymentId": event["DeploymentId"], "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"], "status": os.environ["STATUS"]}
    scope = f"Credential=000000000000/20260101/{os.environ['AWS_REGION']}/codedeploy/aws4_request"
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], json.dumps(body).encode(), {
        "X-Amz-Target": "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus", "Authorization": "AWS4-HMAC-SHA256 " + scope})
    urllib.request.urlopen(request).read()
"""
RUNTIME = f"python3.{sys.version_info.minor}"
def template(code, status="Succeeded", hook=True):
    preference = {"Type": {"Ref": "Halves"}, "Alarms": [{"Ref": "Alarm"}]}
    if hook:
        preference["Hooks"] = {"PreTraffic": {"Ref": "Check"}}
    return json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": {
        "Halves": {"Type": "AWS::CodeDeploy::DeploymentConfig", "Properties": {"ComputePlatform": "Lambda", "TrafficRoutingConfig": {
            "Type": "TimeBasedLinear", "TimeBasedLinear": {"LinearPercentage": 50, "LinearInterval": "2"}}}},
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Namespace": "Own", "MetricName": "Bad", "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}},
        "Check": {"Type": "AWS::Serverless::Function", "Properties": {"Runtime": RUNTIME, "Handler": "index.handler", "InlineCode": HOOK,
            "Environment": {"Variables": {"STATUS": status}}, "Timeout": 60, "DeploymentPreference": {"Enabled": False}}},
        "Fn": {"Type": "AWS::Serverless::Function", "Properties": {"Runtime": RUNTIME, "Handler": "index.handler", "AutoPublishAlias": "live",
            "InlineCode": f"def handler(event, context): return {code}", "DeploymentPreference": preference}}}})
IAM = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
def update(**how):
    cf.update_stack(StackName="app", TemplateBody=template(**how), Capabilities=IAM)
def status():
    return cf.describe_stacks(StackName="app")["Stacks"][0]["StackStatus"]
def until(what, condition):
    for _ in range(900):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"it took too long: {what}; {status()}")
def end():
    until("the end", lambda: not status().endswith("IN_PROGRESS"))
    return status()
cf.create_stack(StackName="app", TemplateBody=template(1), Capabilities=IAM)
check("made", end(), "CREATE_COMPLETE")
resources = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in cf.describe_stack_resources(StackName="app")["StackResources"]}
application, group, function = (resources[name] for name in ("ServerlessDeploymentApplication", "FnDeploymentGroup", "Fn"))
def deployments():
    return cd.list_deployments(applicationName=application, deploymentGroupName=group)["deployments"]
def alias():
    found = lam.get_alias(FunctionName=function, Name="live")
    return found["FunctionVersion"], found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
def why():
    events = cf.describe_stack_events(StackName="app")["StackEvents"]
    return next(one["ResourceStatusReason"] for one in events if one["ResourceType"] == "AWS::Lambda::Alias" and one["ResourceStatus"] == "UPDATE_FAILED")
check("no deployment for the first version", deployments(), [])
info = cd.get_deployment_group(applicationName=application, deploymentGroupName=group)["deploymentGroupInfo"]
check("alarms", info["alarmConfiguration"], {"enabled": True, "alarms": [{"name": resources["Alarm"]}]})
check("config", info["deploymentConfigName"], resources["Halves"])

# A good version: the alias goes there by halves, and the stack waits for it.
update(code=2)
until("half", lambda: alias() == ("1", {"2": 0.5}))
check("waits", status(), "UPDATE_IN_PROGRESS")
check("good", end(), "UPDATE_COMPLETE")
check("good alias", alias(), ("2", {}))
check("one deployment", len(deployments()), 1)

# What does not change the version starts none.
update(code=2, status="Failed")
check("nothing to move", end(), "UPDATE_COMPLETE")
check("still one", len(deployments()), 1)

# A hook that says no.
update(code=3, status="Failed")
check("refused", end(), "UPDATE_ROLLBACK_COMPLETE")
check("refused alias", alias(), ("2", {}))
assert "HOOK_EXECUTION_FAILURE" in why(), why()
check("a way back", len(deployments()), 3)

# A stop by hand, in both behaviours.
def stop(how, code, **more):
    urllib.request.urlopen(urllib.request.Request(f"{sys.argv[1]}/_samara/codedeploy?{how}", method="PUT")).read()
    update(code=code, hook=False)
    until("half", lambda: len(alias()[1]) == 1)
    cd.stop_deployment(deploymentId=deployments()[0], **more)
    check("stopped", end(), "UPDATE_ROLLBACK_COMPLETE")
    assert "MANUAL_STOP" in why(), why()
    return alias()
main, weights = stop("stop=whole", 4, autoRollbackEnabled=False)
check("whole", (main, weights), ("2", {}))
main, weights = stop("stop=split", 5)
check("rolled back", (main, weights), ("2", {}))
main, weights = stop("rollback=split", 6)
check("left on two", (main, list(weights.values())), ("2", [0.5]))
cf.update_stack(StackName="app", TemplateBody=template(7, hook=False), Capabilities=IAM)
check("the next one fails", end(), "UPDATE_ROLLBACK_COMPLETE")
assert "INVALID_LAMBDA_CONFIGURATION" in why(), why()
lam.update_alias(FunctionName=function, Name="live", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}})
cf.update_stack(StackName="app", TemplateBody=template(8, hook=False), Capabilities=IAM)
check("mended", end(), "UPDATE_COMPLETE")
cf.delete_stack(StackName="app")
until("gone", lambda: not cd.list_applications()["applications"])
