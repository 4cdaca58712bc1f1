import json
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "src"))

import app  # noqa: E402


class Greeting(unittest.TestCase):
    def test_the_example_event_is_greeted(self):
        event = json.loads((ROOT / "events" / "event.json").read_text())
        answer = app.handler(event, None)
        self.assertEqual(answer["statusCode"], 200)
        self.assertEqual(json.loads(answer["body"]), {"message": "Hello, world!"})

    def test_nobody_is_a_bad_request(self):
        self.assertEqual(app.handler({"pathParameters": {"who": " "}}, None)["statusCode"], 400)
        self.assertEqual(app.handler({"pathParameters": None}, None)["statusCode"], 400)


if __name__ == "__main__":
    unittest.main()
