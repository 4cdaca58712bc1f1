import io, json, os, sys, time, zipfile
import boto3, botocore
def client(name):
    return boto3.client(name, endpoint_url=sys.argv[1], region_name="eu-central-1",
                        aws_access_key_id="000000000000", aws_secret_access_key="x")
cd, lam, cw = client("codedeploy"), client("lambda"), client("cloudwatch")
def check(what, found, expected):
    assert found == expected, f"{what}: {found!r}, not {expected!r}"
def refused(call, **kwargs):
    try:
        call(**kwargs)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    raise AssertionError("it was accepted")
def package(code):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("app.py", code)
    return out.getvalue()
def function(name, code):
    lam.create_function(FunctionName=name, Runtime=f"python3.{sys.version_info.minor}", Handler="app.handler", Timeout=60,
                        Role="arn:aws:iam::000000000000:role/r", Code={"ZipFile": package(code)})
    lam.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
HOOK = """
import json, os, urllib.request
def handler(event, context):
    body = {"deploymentId": event["DeploymentId"], "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"], "status": "STATUS"}
    scope = f"Credential=000000000000/20260101/{os.environ['AWS_REGION']}/codedeploy/aws4_request"
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], json.dumps(body).encode(), {
        "X-Amz-Target": "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus", "Authorization": "AWS4-HMAC-SHA256 " + scope})
    urllib.request.urlopen(request).read()
"""
function("fn", "def handler(event, context): return 1")
function("passes", HOOK.replace("STATUS", "Succeeded"))
function("fails", HOOK.replace("STATUS", "Failed"))
function("breaks", "def handler(event, context): raise ValueError('no')")
versions = []
for number in range(2):
    lam.update_function_code(FunctionName="fn", ZipFile=package(f"def handler(event, context): return {number}"))
    lam.get_waiter("function_updated_v2").wait(FunctionName="fn", WaiterConfig={"Delay": 1})
    versions.append(lam.publish_version(FunctionName="fn")["Version"])
old, new = versions
lam.create_alias(FunctionName="fn", Name="live", FunctionVersion=old)
def alias():
    found = lam.get_alias(FunctionName="fn", Name="live")
    return found["FunctionVersion"], found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
def reset():
    lam.update_alias(FunctionName="fn", Name="live", FunctionVersion=old, RoutingConfig={"AdditionalVersionWeights": {}})

# Applications, groups, configurations
check("no application", refused(cd.get_application, applicationName="app"), "ApplicationDoesNotExistException")
cd.create_application(applicationName="app", computePlatform="Lambda", tags=[{"Key": "team", "Value": "a"}])
check("twice", refused(cd.create_application, applicationName="app", computePlatform="Lambda"), "ApplicationAlreadyExistsException")
check("platform", cd.get_application(applicationName="app")["application"]["computePlatform"], "Lambda")
check("listed", cd.list_applications()["applications"], ["app"])
known = cd.list_deployment_configs()["deploymentConfigsList"]
check("predefined", len([name for name in known if name.startswith("CodeDeployDefault.Lambda")]), 9)
canary = cd.get_deployment_config(deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent5Minutes")["deploymentConfigInfo"]
check("canary", canary["trafficRoutingConfig"], {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": 5}})
halves = {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 50, "linearInterval": 2}}
check("no share", refused(cd.create_deployment_config, deploymentConfigName="x", computePlatform="Lambda",
      trafficRoutingConfig={"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 0, "linearInterval": 1}}), "InvalidTrafficRoutingConfigurationException")
cd.create_deployment_config(deploymentConfigName="halves", computePlatform="Lambda", trafficRoutingConfig=halves)
check("own", cd.get_deployment_config(deploymentConfigName="halves")["deploymentConfigInfo"]["trafficRoutingConfig"], halves)
group = dict(applicationName="app", deploymentGroupName="g", deploymentConfigName="halves", serviceRoleArn="arn:aws:iam::000000000000:role/r",
             deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
             autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]})
check("no config", refused(cd.create_deployment_group, **{**group, "deploymentConfigName": "none"}), "DeploymentConfigDoesNotExistException")
cd.create_deployment_group(**group)
check("group twice", refused(cd.create_deployment_group, **group), "DeploymentGroupAlreadyExistsException")
check("in use", refused(cd.delete_deployment_config, deploymentConfigName="halves"), "DeploymentConfigInUseException")

# Deployments
def start(current=old, target=new, hooks=(), **more):
    content = json.dumps({"version": 0.0, "Resources": [{"f": {"Type": "AWS::Lambda::Function", "Properties": {
        "Name": "fn", "Alias": "live", "CurrentVersion": current, "TargetVersion": target}}}], "Hooks": list(hooks)})
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": content}}
    return cd.create_deployment(applicationName="app", deploymentGroupName="g", revision=revision, **more)["deploymentId"]
def info(id):
    return cd.get_deployment(deploymentId=id)["deploymentInfo"]
def until(what, condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"it took too long: {what}")
def ended(id):
    until(f"the end of {id}", lambda: info(id)["status"] in ("Succeeded", "Failed", "Stopped"))
    return info(id)
def rolled_back(found):
    way_back = ended(found["rollbackInfo"]["rollbackDeploymentId"])
    check("rolls back", (way_back["status"], way_back["creator"], way_back["rollbackInfo"]["rollbackTriggeringDeploymentId"]),
          ("Succeeded", "codeDeployRollback", found["deploymentId"]))
def events(id):
    target = cd.get_deployment_target(deploymentId=id, targetId="fn:live")["deploymentTarget"]["lambdaTarget"]
    return {event["lifecycleEventName"]: event["status"] for event in target["lifecycleEvents"]}

check("no deployment", refused(cd.get_deployment, deploymentId="d-NOTTHERE1"), "DeploymentDoesNotExistException")
check("no id", refused(cd.get_deployment, deploymentId="nonsense"), "InvalidDeploymentIdException")
check("no group", refused(cd.create_deployment, applicationName="app", deploymentGroupName="x", revision={"revisionType": "S3"}), "DeploymentGroupDoesNotExistException")
check("no spec", refused(cd.create_deployment, applicationName="app", deploymentGroupName="g", revision={"revisionType": "String", "string": {"content": "{}"}}), "InvalidRevisionException")

id = start()
until("half", lambda: alias() == (old, {new: 0.5}))
check("in the middle", info(id)["status"], "InProgress")
check("conflicting", refused(start), "DeploymentLimitExceededException")
check("found", cd.list_deployments(applicationName="app", deploymentGroupName="g", includeOnlyStatuses=["InProgress"])["deployments"], [id])
check("target", cd.list_deployment_targets(deploymentId=id)["targetIds"], ["fn:live"])
check("succeeds", ended(id)["status"], "Succeeded")
check("alias", alias(), (new, {}))
check("events", events(id), {"BeforeAllowTraffic": "Succeeded", "AllowTraffic": "Succeeded", "AfterAllowTraffic": "Succeeded"})
last = cd.get_deployment_group(applicationName="app", deploymentGroupName="g")["deploymentGroupInfo"]["lastSuccessfulDeployment"]
check("last", last["deploymentId"], id)
check("over", refused(cd.stop_deployment, deploymentId=id), "DeploymentAlreadyCompletedException")
check("several", [one["status"] for one in cd.batch_get_deployments(deploymentIds=[id])["deploymentsInfo"]], ["Succeeded"])

# The alias is not on the version that the AppSpec names.
found = ended(start())
check("wrong version", (found["status"], found["errorInformation"]["code"]), ("Failed", "INVALID_LAMBDA_CONFIGURATION"))
check("left alone", alias(), (new, {}))
assert "does not match the current version" in found["errorInformation"]["message"], found
reset()

# Hooks
id = start(hooks=[{"BeforeAllowTraffic": "passes"}, {"AfterAllowTraffic": "passes"}], deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce")
check("hooks pass", ended(id)["status"], "Succeeded")
check("hook events", events(id)["AfterAllowTraffic"], "Succeeded")
reset()
for hook in ("fails", "breaks"):
    id = start(hooks=[{"BeforeAllowTraffic": hook}])
    found = ended(id)
    check(hook, (found["status"], found["errorInformation"]["code"]), ("Failed", "HOOK_EXECUTION_FAILURE"))
    check(hook + " events", events(id), {"BeforeAllowTraffic": "Failed", "AllowTraffic": "Skipped", "AfterAllowTraffic": "Skipped"})
    rolled_back(found)
    check(hook + " alias", alias(), (old, {}))
found = ended(start(hooks=[{"AfterAllowTraffic": "fails"}], deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce"))
check("after", found["status"], "Failed")
rolled_back(found)
check("after alias", alias(), (old, {}))
check("no hook", refused(cd.put_lifecycle_event_hook_execution_status, deploymentId=id, lifecycleEventHookExecutionId="x", status="Succeeded"),
      "InvalidLifecycleEventHookExecutionIdException")
check("no status", refused(cd.put_lifecycle_event_hook_execution_status, deploymentId=id, lifecycleEventHookExecutionId="x", status="Skipped"),
      "InvalidLifecycleEventHookExecutionStatusException")

# Alarms
cw.put_metric_alarm(AlarmName="errors", Namespace="Own", MetricName="Bad", Statistic="Sum", Period=60, EvaluationPeriods=1,
                    Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore")
cw.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="test")
cd.update_deployment_group(applicationName="app", currentDeploymentGroupName="g", alarmConfiguration={"enabled": True, "alarms": [{"name": "errors"}]})
id = start()
until("half", lambda: alias() == (old, {new: 0.5}))
cw.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
found = ended(id)
check("alarm", (found["status"], found["errorInformation"]["code"]), ("Stopped", "ALARM_ACTIVE"))
assert "<errors>" in found["errorInformation"]["message"], found
rolled_back(found)
check("alarm alias", alias(), (old, {}))
cd.update_deployment_group(applicationName="app", currentDeploymentGroupName="g", alarmConfiguration={"enabled": False, "alarms": []})

# Stops, in both behaviours
import urllib.request
def behave(query):
    urllib.request.urlopen(urllib.request.Request(f"{sys.argv[1]}/_samara/codedeploy?{query}", method="PUT")).read()
def stopped(**how):
    id = start()
    until("half", lambda: alias() == (old, {new: 0.5}))
    check("pending", cd.stop_deployment(deploymentId=id, **how)["status"], "Pending")
    found = ended(id)
    check("stopped", (found["status"], found["errorInformation"]["code"]), ("Stopped", "MANUAL_STOP"))
    return found
found = stopped()
assert "rollbackInfo" not in found, found
check("stop leaves two", alias(), (old, {new: 0.5}))
found = ended(start())
check("the next fails", (found["status"], found["errorInformation"]["code"]), ("Failed", "INVALID_LAMBDA_CONFIGURATION"))
reset()
behave("stop=whole")
stopped(autoRollbackEnabled=False)
check("stop leaves one", alias(), (old, {}))
rolled_back(stopped(autoRollbackEnabled=True))
check("rollback", alias(), (old, {}))
behave("rollback=split")
rolled_back(stopped(autoRollbackEnabled=True))
check("rollback leaves two", alias(), (old, {new: 0.5}))
