import sys
import boto3, botocore
cf = boto3.client("cloudformation", endpoint_url=sys.argv[1], region_name="eu-central-1",
                  aws_access_key_id="000000000000", aws_secret_access_key="x")
fast = {"Delay": 1, "MaxAttempts": 60}
def refused(call, **kwargs):
    try:
        call(**kwargs)
    except botocore.exceptions.ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError("it was accepted")
def check(what, found, expected):
    assert found == expected, f"{what}: {found!r}, not {expected!r}"
def wait(name, **kwargs):
    cf.get_waiter(name).wait(WaiterConfig=fast, **kwargs)
def stack():
    return cf.describe_stacks(StackName="app")["Stacks"][0]
template = """
Parameters: {Days: {Type: Number, Default: 7}, Secret: {Type: String, NoEcho: true, Default: hidden}}
Resources:
  Log: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /made/by/boto3, RetentionInDays: !Ref Days}}
Outputs: {Name: {Value: !Ref Log, Description: The group}}
"""

# CreateStack, UpdateStack
check("missing", refused(cf.describe_stacks, StackName="app"), (400, "ValidationError", "Stack with id app does not exist"))
made = cf.create_stack(StackName="app", TemplateBody=template, Tags=[{"Key": "team", "Value": "a"}])["StackId"]
wait("stack_exists", StackName="app")
wait("stack_create_complete", StackName="app")
found = stack()
check("id", found["StackId"], made)
check("outputs", found["Outputs"], [{"OutputKey": "Name", "OutputValue": "/made/by/boto3", "Description": "The group"}])
check("parameters", {p["ParameterKey"]: p["ParameterValue"] for p in found["Parameters"]}, {"Days": "7", "Secret": "****"})
check("tags", found["Tags"], [{"Key": "team", "Value": "a"}])
check("twice", refused(cf.create_stack, StackName="app", TemplateBody=template)[:2], (400, "AlreadyExistsException"))
check("same", refused(cf.update_stack, StackName="app", UsePreviousTemplate=True), (400, "ValidationError", "No updates are to be performed."))
days = [{"ParameterKey": "Days", "ParameterValue": "14"}, {"ParameterKey": "Secret", "UsePreviousValue": True}]
cf.update_stack(StackName="app", UsePreviousTemplate=True, Parameters=days)
wait("stack_update_complete", StackName="app")
logs = boto3.client("logs", endpoint_url=sys.argv[1], region_name="eu-central-1", aws_access_key_id="000000000000", aws_secret_access_key="x")
groups = lambda: {g["logGroupName"]: g.get("retentionInDays") for g in logs.describe_log_groups(logGroupNamePrefix="/made")["logGroups"]}
check("updated", groups(), {"/made/by/boto3": 14})

# Change sets
cf.create_change_set(StackName="app", ChangeSetName="none", UsePreviousTemplate=True,
                     Parameters=[{"ParameterKey": "Days", "UsePreviousValue": True}, {"ParameterKey": "Secret", "UsePreviousValue": True}])
try:
    wait("change_set_create_complete", StackName="app", ChangeSetName="none")
    raise AssertionError("an empty change set is no change set")
except botocore.exceptions.WaiterError as error:
    check("status", error.last_response["Status"], "FAILED")
    assert "didn't contain changes" in error.last_response["StatusReason"], error.last_response
check("executed", refused(cf.execute_change_set, StackName="app", ChangeSetName="none")[:2], (400, "InvalidChangeSetStatus"))
cf.delete_change_set(StackName="app", ChangeSetName="none")
renamed = template.replace("/made/by/boto3", "/made/again").replace("Outputs:", "  Queue: {Type: AWS::SQS::Queue}\nOutputs:")
cf.create_change_set(StackName="app", ChangeSetName="more", TemplateBody=renamed)
wait("change_set_create_complete", StackName="app", ChangeSetName="more")
changes = cf.describe_change_set(StackName="app", ChangeSetName="more")["Changes"]
check("changes", {(c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"], c["ResourceChange"].get("Replacement")) for c in changes},
      {("Modify", "Log", "True"), ("Add", "Queue", None)})
check("listed", [s["ChangeSetName"] for s in cf.list_change_sets(StackName="app")["Summaries"]], ["more"])
check("not yet", groups(), {"/made/by/boto3": 14})
cf.execute_change_set(StackName="app", ChangeSetName="more")
wait("stack_update_complete", StackName="app")
check("replaced", groups(), {"/made/again": 7})
check("gone", refused(cf.describe_change_set, StackName="app", ChangeSetName="nope")[:2], (404, "ChangeSetNotFound"))
events = cf.get_paginator("describe_stack_events").paginate(StackName="app").build_full_result()["StackEvents"]
check("newest", (events[0]["LogicalResourceId"], events[0]["ResourceStatus"]), ("app", "UPDATE_COMPLETE"))
check("oldest", (events[-1]["LogicalResourceId"], events[-1]["ResourceStatus"]), ("app", "CREATE_IN_PROGRESS"))
check("resources", sorted(r["LogicalResourceId"] for r in cf.list_stack_resources(StackName="app")["StackResourceSummaries"]), ["Log", "Queue"])

# A failure is rolled back, and the waiter says so.
bad = renamed.replace("Outputs:", "  Bad: {Type: AWS::Lambda::Permission, Properties: {FunctionName: nobody, Action: 'lambda:InvokeFunction', Principal: sns.amazonaws.com}}\nOutputs:")
cf.update_stack(StackName="app", TemplateBody=bad)
try:
    wait("stack_update_complete", StackName="app")
    raise AssertionError("it cannot succeed")
except botocore.exceptions.WaiterError:
    pass
while stack()["StackStatus"].endswith("_IN_PROGRESS"):
    pass
check("rolled back", stack()["StackStatus"], "UPDATE_ROLLBACK_COMPLETE")

# A stack by change set, and its end
cf.create_change_set(StackName="new", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody="Resources: {Q: {Type: AWS::SQS::Queue}}")
wait("change_set_create_complete", StackName="new", ChangeSetName="first")
check("review", cf.describe_stacks(StackName="new")["Stacks"][0]["StackStatus"], "REVIEW_IN_PROGRESS")
cf.execute_change_set(StackName="new", ChangeSetName="first")
wait("stack_create_complete", StackName="new")
for name in ("app", "new"):
    cf.delete_stack(StackName=name)
    wait("stack_delete_complete", StackName=name)
check("deleted", groups(), {})
check("by id", cf.describe_stacks(StackName=made)["Stacks"][0]["StackStatus"], "DELETE_COMPLETE")
check("unknown type", "AWS::Nobody::Knows" in refused(cf.create_stack, StackName="odd", TemplateBody="Resources: {X: {Type: AWS::Nobody::Knows}}")[2], True)
print("everything holds")
