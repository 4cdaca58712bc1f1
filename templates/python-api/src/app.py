"""GET /greet/{who}"""

import json


def handler(event, context):
    who = (event.get("pathParameters") or {}).get("who", "").strip()
    if not who:
        return answer(400, {"error": "greet whom?"})
    return answer(200, {"message": f"Hello, {who}!"})


def answer(status, body):
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body),
    }
