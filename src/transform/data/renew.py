#!/usr/bin/env python3
"""Writes the data files of this folder anew, from the published transform that is installed:

    pip install aws-sam-translator==1.115.0
    python src/transform/data/renew.py && git diff src/transform/data

What the next release has changed is the difference. `properties.txt` is what the tables of the code are
compared with by a test: it names each line that the code does not follow yet.
"""
import inspect, json, os, re

import samtranslator
from samtranslator.model import sam_resources
from samtranslator.model.eventsources import cloudwatchlogs, pull, push, scheduler
from samtranslator.model.preferences.deployment_preference_collection import DeploymentPreferenceCollection
from samtranslator.model.stepfunctions import events as state_machine
from samtranslator.model.xray_utils import get_xray_managed_policy_name
from samtranslator.region_configuration import RegionConfiguration
from samtranslator.translator import arn_generator
from samtranslator.translator.arn_generator import ArnGenerator

HERE = os.path.dirname(os.path.abspath(__file__))
THERE = os.path.dirname(samtranslator.__file__)
NAMES = {dict: "map", list: "list", str: "text", bool: "bool", int: "integer"}


def read(path):
    with open(os.path.join(THERE, path), encoding="utf-8") as file:
        return json.load(file)


def write(name, text):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as file:
        file.write(text)


def without(value, keys):
    if isinstance(value, dict):
        return {key: without(one, keys) for key, one in value.items() if key not in keys}
    return [without(one, keys) for one in value] if isinstance(value, list) else value


def kind(validate):
    """What a check of the published transform lets pass, in words."""
    name = validate.__qualname__.split(".")[0]
    inner = inspect.getclosurevars(validate).nonlocals
    if name == "any_type":
        return "any"
    if name == "is_type":
        return NAMES[inner["valid_type"]]
    if name == "is_str":
        return "text"
    if name == "list_of":
        return "list of (%s)" % kind(inner["validate_item"])
    if name == "dict_of":
        return "map of (%s)" % kind(inner["validate_item"])
    if name == "one_of":
        return " or ".join(sorted(alternatives(validate)))
    if name == "IS_STR_ENUM" or name == "is_in" or "valid_values" in inner:
        return "one of %s" % ", ".join(sorted(inner["valid_values"]))
    raise ValueError("an unknown check: %s %s" % (validate.__qualname__, inner))


def alternatives(validate):
    if validate.__qualname__.split(".")[0] != "one_of":
        return {kind(validate)}
    return set().union(*map(alternatives, inspect.getclosurevars(validate).nonlocals["validators"]))


def properties():
    """A line each: the type of resource, or of the event of a function or a state machine; the property; what it may be."""
    families = [
        ("", [sam_resources]),
        ("Function/", [push, pull, cloudwatchlogs, scheduler]),
        ("StateMachine/", [state_machine, scheduler]),
    ]
    lines = set()
    for family, modules in families:
        for module in modules:
            for _, found in inspect.getmembers(module, inspect.isclass):
                of = getattr(found, "resource_type", None)
                if found.__module__ != module.__name__ or not of or not getattr(found, "property_types", None):
                    continue
                if not family and not of.startswith("AWS::Serverless::"):
                    continue
                for name, one in found.property_types.items():
                    if name.startswith("__"):
                        continue  # The release's own, not a template's.
                    needed = "required" if one.required else "optional"
                    what = kind(one.validate)
                    literal = "" if one.supports_intrinsics or what == "any" else ", no intrinsic function"
                    lines.add("%s %s: %s, %s%s" % (family + of, name, needed, what, literal))
    return sorted(lines)


def partitions():
    """A line each, the first for every region that is none of the others': what the code of the release asks for."""
    code = inspect.getsource(arn_generator._region_to_partition.__wrapped__)
    names = re.findall(r'"([a-z-]+)": "aws', code)
    lines = ["# partition, how its regions begin, endpoints of APIs, policy of traced functions, policy of CodeDeploy's role"]
    for prefix in ["aws-"] + names:
        ArnGenerator.get_partition_name = classmethod(lambda *_: arn_generator._region_to_partition(prefix))
        preferences = DeploymentPreferenceCollection()
        policy = preferences.get_codedeploy_iam_role().ManagedPolicyArns[0].rsplit("/", 1)[1]
        endpoints = "EDGE" if RegionConfiguration.is_apigw_edge_configuration_supported() else "REGIONAL"
        columns = [ArnGenerator.get_partition_name(), "-" if prefix == "aws-" else prefix, endpoints]
        lines.append(" ".join(columns + [get_xray_managed_policy_name(), policy]))
    return lines


def main():
    write("partitions.txt", "\n".join(partitions()) + "\n")
    write("properties.txt", "\n".join(properties()) + "\n")
    templates = read("policy_templates_data/policy_templates.json")
    shorter = lambda one: {"Parameters": list(one["Parameters"]), "Definition": one["Definition"]}
    policies = {name: shorter(one) for name, one in templates["Templates"].items()}
    write("policy_templates.json", json.dumps({"Version": templates["Version"], "Templates": policies}, indent=1) + "\n")
    managed = read("internal/data/aws_managed_policies.json")
    lines = {"%s %s" % (of, arn.split(":policy/", 1)[1]) for of, table in managed.items() for arn in table.values()}
    write("managed_policies.txt", "\n".join(sorted(lines)) + "\n")
    profiles = without(read("model/connector_profiles/profiles.json"), ["_comment"])
    profiles = {name: profiles[name] for name in ["Permissions", "CfnResourceProperties"]}
    write("connector_profiles.json", json.dumps(profiles, indent=1) + "\n")


if __name__ == "__main__":
    main()
